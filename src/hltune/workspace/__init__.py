"""The folder where a user's work is kept: pipelines, records, default weights."""
