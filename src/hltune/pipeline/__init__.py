"""How each kind of source becomes a pipeline, and that a `halide.Pipeline` again."""
