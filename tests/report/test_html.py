from __future__ import annotations

import re

import pytest
from rich.console import Console

from leanloop.core.errors import BadInputError
from leanloop.report.html import render_report, write_report
from leanloop.report.terminal import show_result
from tests.report.results import bare, result

EVERY = {
    "plain": result(),
    "unknown dollars": result(usd=None),
    "forty": result(frontier=40),
    "none": bare(),
}


@pytest.mark.parametrize("found", EVERY.values(), ids=EVERY.keys())
def test_every_result_renders_alike_twice_and_offline(found):
    page = render_report(found)
    assert page == render_report(found)
    assert len(page) < 1_000_000
    for member in found.frontier:
        assert member.id in page
    loaded = re.findall(r"(?:src|href)=\"([^\"]*)\"", page)
    assert all(address.startswith("#") for address in loaded)
    assert "<script" not in page
    assert "@import" not in page


def test_figures_are_those_of_the_result():
    page = render_report(result())
    assert "+20 (+5 to +35)" in page
    assert "0.50 (0.40 to 0.60) times the dollars" in page
    assert "paid back after 120 tasks" in page
    assert "cannot be said with so few tasks" not in page
    assert "examples = 4" in page


def test_unknown_dollars_are_said_to_be_unknown():
    page = render_report(result(usd=None))
    assert "an unknown sum" in page
    assert '<td class="num">unknown</td>' in page
    assert "$0.0" not in page.replace("$0.10/h", "")


def test_nothing_recommended_is_said_plainly():
    page = render_report(bare())
    assert "Nothing is recommended" in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(BadInputError, match="No such file"):
        write_report(result(), tmp_path / "none" / "r.html")


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
