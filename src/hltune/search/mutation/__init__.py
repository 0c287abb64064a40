"""Schedules that differ in a detail from good ones."""
