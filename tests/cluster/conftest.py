"""Fixtures of all tests of clusters."""

from tests.cluster.in_process import without_ray

__all__ = ["without_ray"]
