"""Levers of the component ``memory``."""
