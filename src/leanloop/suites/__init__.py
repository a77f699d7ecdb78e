"""Suites: tasks with environments and verifiers."""
