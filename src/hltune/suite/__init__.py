"""Built-in benchmarks, one file each: algorithm, NumPy reference, expert schedule."""
