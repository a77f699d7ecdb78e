"""``python -m leanloop``."""

from leanloop.cli.app import main

main()
