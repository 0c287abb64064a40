"""Scorers of schedules, their metrics, and what to measure next."""
