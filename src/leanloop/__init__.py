"""leanloop finds the cheapest configuration of an LLM agent that still does its job."""

__version__ = "0.1.0"
