"""The sample store: what was measured, and everything that the cost model learns from."""
