"""Where schedules come from: Halide's autoschedulers, run in a worker."""
