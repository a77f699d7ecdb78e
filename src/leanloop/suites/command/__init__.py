"""The suite ``command``: a program sets a folder up, and a program checks it."""
