"""Random programs: pipelines like people's own, as many as a cost model needs to learn from."""
