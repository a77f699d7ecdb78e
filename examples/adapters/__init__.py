"""Levers inside other frameworks, each with a model that needs no key."""
