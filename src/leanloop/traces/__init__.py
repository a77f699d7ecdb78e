"""Recorded runs of anybody's agent: readers, profile and what-if."""
