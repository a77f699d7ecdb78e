"""Levers of the component ``tools``."""
