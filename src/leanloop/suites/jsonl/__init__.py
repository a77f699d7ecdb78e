"""The suite ``jsonl``: a file with a task a line."""
