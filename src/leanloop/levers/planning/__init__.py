"""Levers of the component ``planning``."""
