"""Answers on a table of runs: frontier, comparison, gate, attribution."""
