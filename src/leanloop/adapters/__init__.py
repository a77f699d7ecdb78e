"""Levers inside other frameworks, at their own extension points; each file needs its framework."""
