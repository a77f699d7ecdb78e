"""Levers of the component ``stopping``."""
