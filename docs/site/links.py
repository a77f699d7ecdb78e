"""Links of the pages to files of the repository that are not pages lead to the repository.

A page is read in two places: in the repository, where ``../examples/own_suite.py`` is a file,
and on the site, where it is not. ``mkdocs`` calls ``on_page_markdown`` for every page.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)")
LOG = logging.getLogger("mkdocs.hooks.links")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401 - mkdocs' own
    """Rewrite the links of one page that leave ``docs``; one that leads nowhere is a warning."""
    here = (ROOT / "docs" / page.file.src_uri).parent
    base = f"{config['extra']['repository']}/blob/main"

    def moved(match: re.Match[str]) -> str:
        target = (here / match[2]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return match[0]
        if not target.exists():
            LOG.warning("%s: links to %s, which is not there", page.file.src_uri, match[2])
        return f"{match[1]}{base}/{target.relative_to(ROOT)}"

    return LINK.sub(moved, markdown)
