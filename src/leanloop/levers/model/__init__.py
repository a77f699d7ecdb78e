"""Levers of the component ``model``."""
