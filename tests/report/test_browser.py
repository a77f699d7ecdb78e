"""The report in a real browser: nothing is fetched, nothing overflows, everything is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanloop.report.html import write_report
from tests.report.results import bare, hostile, result, with_streams

HEADINGS = [
    "Frontier",
    "The recommended configuration",
    "Lever by lever",
    "Where the baseline's cost goes",
    "What the search cost",
    "Dropped in the race",
    "How these figures came to be",
]
CUT_OFF = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const edge = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < edge.left - 1 || box.right > edge.right + 1
      || box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
  }).map(text => text.textContent);
})"""
OVERLAPPING = """() => [...document.querySelectorAll('svg')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(text => [text, text.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2
    && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 4
  ).map(([b]) => `${a.textContent} and ${b.textContent}`));
})"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(result(), path)
    return path


@pytest.fixture
def open_page(browser):
    """Opens a page without a network; fails on what the browser complains of or asks for."""
    opened, asked, wrong = [], [], []

    def go(path: Path, scheme: str, width: int):
        page = browser.new_page(
            color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True
        )
        opened.append(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield go
    for page in opened:
        page.close()
    assert wrong == []
    assert all(address.startswith("file:") for address in asked)
    assert len(asked) == len(opened)


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_seen(open_page, page_file, tmp_path, scheme, width):
    page = open_page(page_file, scheme, width)
    assert page.title() == "leanloop: plain"
    assert page.get_by_role("heading", level=1).inner_text() == "Study plain"
    assert page.get_by_role("heading", level=2).all_inner_texts() == HEADINGS
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plots = page.get_by_role("img")
    assert plots.count() == 9
    for i in range(plots.count()):
        box = plots.nth(i).bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 150
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(22, 22, 22)" if scheme == "dark" else "rgb(255, 255, 255)")
    shot = page.screenshot(path=str(tmp_path / f"{scheme}-{width}.png"), full_page=True)
    # A page of one colour packs to a few kilobytes.
    assert len(shot) > 60_000


EVERY = {"40": result(frontier=40), "bad": hostile(), "1": bare(), "streams": with_streams()}


@pytest.mark.parametrize("found", EVERY.values(), ids=EVERY.keys())
def test_an_ugly_result_stays_inside_a_phone(open_page, tmp_path, found):
    path = tmp_path / "report.html"
    write_report(found, path)
    page = open_page(path, "light", 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_role("heading", level=1).inner_text() == f"Study {found.study}"
    page.screenshot(path=str(tmp_path / "page.png"), full_page=True)


def test_rows_along_a_stream_are_named_where_a_phone_has_scrolled(open_page, tmp_path):
    path = tmp_path / "report.html"
    write_report(with_streams(), path)
    page = open_page(path, "light", 390)
    region = page.get_by_role("region", name="Along the streams")
    assert region.evaluate("e => e.scrollWidth > e.clientWidth")
    region.evaluate("e => e.scrollLeft = e.scrollWidth")
    for name in ("1–9 cold", "baseline", "ratio", "warm"):
        box = region.get_by_role("rowheader", name=name).first.bounding_box()
        assert box is not None
        assert 0 <= box["x"] < 390 - box["width"]
    dear = region.get_by_role("cell", name="2.50").first.bounding_box()
    assert dear is not None
    assert dear["x"] + dear["width"] <= 390


def test_text_in_plots_is_whole_and_apart(open_page, page_file):
    """No text is cut off by its plot, and no two labels lie on each other."""
    page = open_page(page_file, "light", 1200)
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OVERLAPPING) == []
