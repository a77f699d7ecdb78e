"""The documentation's site is built without a warning, and asks nothing of other machines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [*command, str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Loaded(HTMLParser):
    """What a page loads by itself; links that a reader may follow are no part of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in LOADING and found.get("rel") != "canonical":
            self.places.append(found.get(LOADING[tag]) or "")


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        places = Loaded(page.read_text()).places
        assert places
        assert not [p for p in places if re.match(r"(https?:)?//", p)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text()), sheet


def test_nothing_makes_the_theme_ask_for_more(site):
    home = (site / "index.html").read_text()
    # The theme's script asks GitHub about a repository, and another host for diagrams.
    assert 'data-md-component="source"' not in home
    assert not [p for p in site.rglob("*.html") if 'class="mermaid"' in p.read_text()]


def test_a_link_to_a_file_of_the_repository_leads_there(site):
    page = (site / "your-tasks" / "index.html").read_text()
    place = "https://github.com/leanloop/leanloop/blob/main/examples/own_suite.py"
    assert f'href="{place}"' in page
    assert not (site / "site").exists()


def test_the_reference_has_what_is_public(site):
    reference = "".join(p.read_text() for p in (site / "reference").rglob("*.html"))
    for name in ("search.study.Study.optimize", "store.sql.SqlStore", "core.configuration"):
        assert f"leanloop.{name}" in reference
    for protocol in ("suites.protocol.Suite", "levers.protocol.Stage", "models.protocol.Model"):
        assert f'id="leanloop.{protocol}"' in reference
    assert 'id="leanloop.traces.protocol.Reader"' in reference


def test_links_of_pages_lead_somewhere():
    for page in (ROOT / "docs").rglob("*.md"):
        text = re.sub(r"<!--.*?-->", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page}: {target}"
