"""Tasks of Inspect under leanloop's own loop."""
