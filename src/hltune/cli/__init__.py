"""The command line: flags to option objects, nothing else."""
