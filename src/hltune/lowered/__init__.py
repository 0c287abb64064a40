"""What a schedule makes of a program: Halide's lowered statement as values, and features of it."""
