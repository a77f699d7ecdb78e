"""Suites that leanloop ships."""
