"""Where candidates are compiled and measured."""
