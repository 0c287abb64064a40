"""The learned cost model. For now: its weights files."""
