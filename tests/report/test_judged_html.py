from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from leanloop.core.errors import BadInputError
from leanloop.judging.attribution import explain
from leanloop.judging.comparison import compare
from leanloop.judging.frontier import Question, frontier_of
from leanloop.report.attribution_page import attribution_page
from leanloop.report.comparison_page import comparison_page
from leanloop.report.frontier_page import frontier_page, write_frontier
from leanloop.report.page import render
from tests.judging.tables import changed, rows, table
from tests.judging.test_answers import factorial

ROWS = rows(4, 60, clusters=12)
BAD = '<script>alert("x")</script>&'


class Strict(HTMLParser):
    """Collects ids and what is referred to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href"):
                self.links.append(value or "")


PAGES = {
    "usual": lambda: frontier_page(frontier_of(table(ROWS), Question(at_cost=2.0, at_success=0.3))),
    "one": lambda: frontier_page(
        frontier_of(table([r for r in ROWS if r["configuration"] == "c0"]))
    ),
    "no common task": lambda: frontier_page(
        frontier_of(table([{**r, "task": r["configuration"] + r["task"]} for r in rows(3, 20)]))
    ),
    "none solved": lambda: frontier_page(frontier_of(table([{**r, "success": 0.0} for r in ROWS]))),
    "unknown cost": lambda: frontier_page(
        frontier_of(table(changed(ROWS, lambda r: r["configuration"] == "c1", usd=None)))
    ),
    "several seeds": lambda: frontier_page(frontier_of(table(rows(3, 20, seeds=4)))),
    "200 configurations": lambda: frontier_page(frontier_of(table(rows(200, 20)))),
    "hostile": lambda: frontier_page(
        frontier_of(
            table([{**r, "configuration": BAD + r["configuration"]} for r in ROWS]),
        )
    ),
    "comparison": lambda: comparison_page(compare(table(ROWS), "c0", "c1")),
    "comparison of nothing": lambda: comparison_page(
        compare(table([{**r, "task": r["configuration"] + r["task"]} for r in ROWS]), "c0", "c1")
    ),
    "attribution": lambda: attribution_page(explain(table(factorial(3)), "f0", "f7")),
    "attribution not identified": lambda: attribution_page(
        explain(table(factorial(3, frozenset({3, 5, 6}))), "f0", "f7")
    ),
}


@pytest.fixture(scope="module")
def pages():
    return {name: render(make()) for name, make in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone(pages, name):
    page = pages[name]
    found = Strict(page)
    assert "default-src 'none'" in page
    assert not found.tags & {"script", "img", "link", "iframe"}
    assert all(link.startswith("#") for link in found.links)
    assert len(found.ids) == len(set(found.ids))
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert "nan" not in re.sub(r"<[^>]*>", " ", page).lower().split()
    assert len(page) < 5_000_000


def test_what_is_said(pages):
    assert "resampled whole" in pages["usual"]
    assert "Hypervolume" in pages["usual"]
    assert "no task is common to all 3 configurations" in pages["no common task"]
    assert "no limit" in pages["none solved"]
    assert "unknown on 60 of 60 tasks of c1" in pages["unknown cost"]
    assert "k runs of a task all succeed" in pages["several seeds"]
    assert BAD not in pages["hostile"]
    assert "no common task" in pages["comparison of nothing"]
    assert "not identified" in pages["attribution not identified"]
    assert "3 combinations were not run" in pages["attribution not identified"]
    assert pages["200 configurations"].count("<tr><th") >= 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_no_page_scrolls_sideways(pages, browser, width, scheme):
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for name in ("usual", "200 configurations", "comparison", "attribution"):
        tab.set_content(pages[name])
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        assert tab.evaluate("document.querySelectorAll('svg').length") >= 1
    tab.close()


def test_the_command_writes_it(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text(
        "configuration,task,success,usd\n"
        + "".join(f"{r['configuration']},{r['task']},{r['success']},{r['usd']}\n" for r in ROWS)
    )
    page = tmp_path / "f.html"
    command = [sys.executable, "-m", "leanloop", "frontier", str(path), "--report", str(page)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert "Frontier of runs.csv" in page.read_text()


def test_a_page_that_cannot_be_written(tmp_path):
    with pytest.raises(BadInputError):
        write_frontier(frontier_of(table(ROWS)), tmp_path / "none" / "f.html")
