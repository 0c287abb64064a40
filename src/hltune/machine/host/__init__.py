"""This computer as a machine: compiled in memory, verified, timed alone."""
