"""Propose, allocate, run: a study."""
