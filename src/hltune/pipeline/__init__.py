"""What to schedule: pipelines as values, and the sources they come from."""
