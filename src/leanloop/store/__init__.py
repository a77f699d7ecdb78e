"""Durable studies and runs."""
