"""hltune finds fast schedules for Halide pipelines."""

__version__ = "0.1.0"
