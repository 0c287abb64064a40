"""Schedules as data: directives, text and JSON forms, replay, export."""
