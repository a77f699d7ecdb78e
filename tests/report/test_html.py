from __future__ import annotations

import re
import tomllib
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from msgspec.structs import replace
from rich.console import Console

from leanloop.core.configuration import Configuration, Setting, flatten_settings
from leanloop.core.errors import BadInputError
from leanloop.report.html import (
    render_report,
    show_number,
    show_toml,
    smallest_margin,
    write_report,
)
from leanloop.report.terminal import show_result
from leanloop.search.constraints import Check, Kept
from leanloop.search.result import DroppedMember, Optimism
from tests.report.results import bare, hostile, never_on_holdout, result, verdict, with_streams

EVERY = {
    "plain": result(),
    "unknown dollars": result(usd=None),
    "forty": result(frontier=40),
    "none": bare(),
    "not on the holdout": never_on_holdout(),
    "hostile": hostile(),
    "streams": with_streams(),
}


NAMESPACES = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


class Page(HTMLParser):
    """Notes what has to hold of every page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.levels: list[int] = []
        self.named: set[str] = set()
        self.drawings = self.titles = 0

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if values.get("id"):
            self.ids.append(values["id"] or "")
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "svg":
            self.drawings += 1
            self.named.add(values["aria-labelledby"] or "")
        self.titles += tag == "title" and "id" in values


@pytest.mark.parametrize("found", EVERY.values(), ids=EVERY.keys())
def test_every_result_renders_alike_twice_and_offline(found):
    page = render_report(found)
    assert page == render_report(found)
    assert len(page) < 1_000_000
    for member in (found.baseline, *found.frontier, *found.references.values()):
        assert member.id in page
    for dropped in found.dropped:
        assert dropped.id in page
        assert dropped.rival in page
    loaded = re.findall(r"(?:src|href|url)\b\s*[=(]\s*[\"']?([^\"')\s]*)", page)
    assert all(address.startswith("#") for address in loaded)
    assert set(re.findall(r"https?://[^\"<\s]*", page)) <= NAMESPACES
    assert "<script" not in page
    assert "@import" not in page


@pytest.mark.parametrize("found", EVERY.values(), ids=EVERY.keys())
def test_the_page_is_well_formed(found):
    page = Page()
    page.feed(render_report(found))
    assert len(page.ids) == len(set(page.ids))
    assert page.levels[0] == 1
    assert all(later <= sooner + 1 for sooner, later in pairwise(page.levels))
    assert page.drawings == page.titles
    assert page.named <= set(page.ids)


def test_figures_are_those_of_the_result():
    page = render_report(result())
    assert "+20 (+5 to +35)" in page
    assert "0.50 (0.40 to 0.60) times the dollars" in page
    assert "paid back after 120 tasks" in page
    assert "points is <strong>shown</strong>" in page
    assert "A margin smaller than" not in page
    assert "planning.examples = 4" in page
    assert '<td class="num">0.20<span class="ends">0.16 to 0.24</span></td>' in page


def test_a_margin_that_the_tasks_cannot_show_is_said():
    full = result()
    found = replace(full.frontier[0], verdict=verdict(low=-0.064))
    page = render_report(replace(full, frontier=(found, *full.frontier[1:])))
    assert "A margin smaller than 6.4 points cannot be shown with these 42 tasks" in page
    assert "points is <strong>shown</strong>" in page
    worse = replace(full.frontier[0], verdict=verdict(low=-0.2))
    page = render_report(replace(full, frontier=(worse, *full.frontier[1:])))
    assert "points is <strong>not shown</strong>" in page


def test_unknown_dollars_are_said_to_be_unknown():
    page = render_report(result(usd=None))
    assert "an unknown sum" in page
    assert "Not drawn: unknown for every configuration" in page
    assert '<td class="num">unknown</td>' in page
    assert "$0.0" not in page.replace("$0.10/h", "")
    assert "nan" not in page.lower().replace("planning", "")


def test_figures_that_are_in_part_unknown_are_named_under_the_plot():
    assert "Unknown, so not drawn: none solved" in render_report(hostile())


def test_nothing_recommended_is_said_plainly():
    page = render_report(replace(result(), recommended=None, margin=0.02))
    assert "Nothing is recommended" in page
    assert "would show no margin below 6.49 points" in page
    assert "the margin cannot be shown with so few tasks" in page
    assert "The recommended configuration" not in page


def test_search_figures_stand_in_where_nothing_ran_on_the_holdout():
    page = render_report(never_on_holdout())
    assert "on the search split, since nothing was run on the holdout" in page
    assert '<td class="num">not run</td>' in page


def test_names_are_escaped():
    page = render_report(hostile())
    assert "&lt;script&gt;alert(1)" in page
    assert "&lt;script&gt;alert(2)" in page


def test_the_smallest_margin_shrinks_with_tasks():
    assert smallest_margin(0) is None
    assert smallest_margin(42) == pytest.approx(0.0649, abs=1e-3)
    assert (smallest_margin(10) or 0) > (smallest_margin(200) or 0) > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (float("inf"), "no limit"),
        (0.0, "0"),
        (0.00001234, "0.000012"),
        (-0.05, "-0.050"),
        (0.5, "0.50"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_are_readable_and_never_cut_to_nothing(value, text):
    assert show_number(value) == text


def test_the_recommended_toml_reads_back():
    settings: dict[str, Setting] = {"memory.keep": 1, "model.choice": 'a"b', "tools.a b": True}
    read = flatten_settings(tomllib.loads(show_toml(settings)), "here")
    assert read == dict(Configuration(settings))
    assert tomllib.loads(show_toml({})) == {}
    assert show_toml({"memory.keep": 1}) == "memory.keep = 1\n"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        write_report(result(), tmp_path / "none" / "r.html")


def test_a_folder_in_the_way_leaves_nothing_behind(tmp_path):
    (tmp_path / "r.html").mkdir()
    with pytest.raises(BadInputError, match="directory"):
        write_report(result(), tmp_path / "r.html")
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_a_report_replaces_the_one_before(tmp_path):
    page = tmp_path / "r.html"
    write_report(bare(), page)
    write_report(result(), page)
    assert page.read_text() == render_report(result())
    assert list(tmp_path.iterdir()) == [page]


@pytest.mark.parametrize("found", EVERY.values(), ids=EVERY.keys())
def test_the_terminal_shows_every_result(found):
    console = Console(record=True, width=80, file=None, quiet=False)
    show_result(console, found)
    text = console.export_text()
    assert found.baseline.id in text
    assert "None" not in text


def test_constraints_and_what_choosing_flattered_are_shown():
    check = Check("usd <= baseline * 0.5", Kept.SHOWN, -0.001, -0.002, -0.0005, 42, "holdout")
    plain = result()
    chosen = replace(
        plain.frontier[0], constraints=(check,), optimism=Optimism(0.1, 1.25, 0.02, 1.01)
    )
    gone = DroppedMember("d0", {"tools.shortlist": 4}, None, None, 30, "p95 latency_s <= 20")
    shown = render_report(
        replace(
            plain,
            frontier=(chosen, *plain.frontier[1:]),
            recommended=chosen.id,
            constraints=(check.constraint,),
            dropped=(gone,),
        )
    )
    assert "usd &lt;= baseline * 0.5" in shown
    assert "breaks <code>p95 latency_s &lt;= 20</code>" in shown
    assert "success fell by +10 points, cost ×1.25" in shown
    assert "the baseline, which nobody chose: +2 points, ×1.01" in shown
