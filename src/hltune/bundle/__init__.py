"""Candidates that are compiled here and measured elsewhere: a phone, a board, a machine behind an air gap."""
