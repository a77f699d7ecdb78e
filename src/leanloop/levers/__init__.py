"""Levers: named choices in how an agent is run. One file a lever."""
