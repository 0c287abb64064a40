"""hltune finds fast schedules for Halide pipelines."""

__version__ = "0.1.0"

INTERRUPTED = 130
"""Exit code after Ctrl-C. It stands here because the entry point may import nothing before it answers Ctrl-C."""
