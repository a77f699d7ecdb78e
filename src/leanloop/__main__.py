"""``python -m leanloop``."""

from leanloop.cli.start import main

main()
