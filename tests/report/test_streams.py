"""What is shown of a configuration along the streams."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from msgspec.structs import replace
from rich.console import Console

from leanloop.report.html import render_report
from leanloop.report.stream_terminal import say_held, say_left_out, stream_table
from leanloop.report.terminal import show_result
from leanloop.search.result import Result
from leanloop.search.stream_figures import Held
from tests.report.results import with_streams


def table(found: Result, width: int) -> list[str]:
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(stream_table(found.streams[0], found.objectives))
    return console.export_text().splitlines()


def cells(found: Result, width: int = 140) -> list[list[str]]:
    """The cells of each row, in a console where none is parted."""
    return [re.split(r"  +", line.strip()) for line in table(found, width)]


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).replace("\xa0", " ").split())


def test_the_terminal_says_what_a_solved_task_costs_on_both_sides():
    rows = cells(with_streams())
    units = ["$ a 1000 solved tasks", "seconds a solved task", "tokens a solved task"]
    assert ["tasks", "n", "success", *units] in rows
    assert [
        "10–18 cold", "9", "0.75 (0.61–0.86)", "1.5 (interval unknown)", "7.5 (6–9)",
        "12,345 (9,876–14,814)",
    ] in rows  # fmt: skip
    assert ["baseline", "0.25 (0.12–0.44)", "4 (3–no limit)"] in [row[:3] for row in rows]
    assert ["ratio", *["× 0.38 (0.20–no limit)"] * 3] in rows
    assert ["1–9 cold", "9", "0.75 (0.61–0.86)", "no limit (over 9)"] in [r[:4] for r in rows]
    assert ["warm", "9", "0.75 (0.61–0.86)", "1.2 (1–1.6)"] in [row[:4] for row in rows]


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_cuts_no_figure_off(width):
    narrow = table(with_streams(), width)
    assert max(map(len, narrow)) <= width
    assert not any("…" in line for line in narrow)
    for figure in ("12,345", "(9,876–14,814)", "(0.61–0.86)"):
        assert any(figure in line for line in narrow)


def test_the_settings_stand_over_the_table():
    found = with_streams()
    along = found.streams[0]
    # Nothing of a setting is markup.
    odd = replace(along, settings={**along.settings, "model.choice": "[bold]x[/bold]"})
    title = " ".join(table(replace(found, streams=(odd,)), 140)[:2])
    assert along.id in title
    assert "tools.projection=on" in title
    assert "model.choice=[bold]x[/bold]" in title


def test_the_page_says_the_same():
    text = text_of(render_report(with_streams()))
    assert "tasks n success $ a 1000 solved tasks seconds a solved task" in text
    assert (
        "10–18 cold 9 0.75 0.61 to 0.86 1.50 interval unknown 7.50 6.00 to 9.00 "
        "12,345 9,876 to 14,814 2.50 2.00 to 3.00 "
        "baseline 0.25 0.12 to 0.44 4.00 3.00 to no limit"
    ) in text
    assert "ratio × 0.38 0.20 to no limit" in text
    assert "1–9 cold 9 0.75 0.61 to 0.86 no limit over 9.00" in text


def test_both_say_what_is_left_out_and_what_is_kept():
    found = with_streams()
    console = Console(record=True, width=80, file=io.StringIO())
    show_result(console, found)
    id_ = found.streams[0].id
    for text in (" ".join(console.export_text().split()), text_of(render_report(found))):
        assert (
            f"Left out: 5 tasks of the search and 1 task of the holdout, on which {id_} was run "
            "and the baseline was not."
        ) in text
        assert f"{id_} learned 40 entries in 2 streams, and its memory keeps 31" in text
        assert "saved: dollars after 7, not shown" in text


def test_nothing_is_said_where_nothing_is_left_out_or_merged():
    along = replace(
        with_streams().streams[0], left_out=0, warm_left_out=0, entries=1, held=Held(1, 1, 1)
    )
    assert say_left_out(along) == []
    assert say_held(along) == f"{along.id} learned 1 entry, and its memory keeps as many."


def test_results_from_before_are_still_shown():
    raw = msgspec.json.decode(msgspec.json.encode(with_streams()))
    (along,) = raw["streams"]
    for name in ("held", "left_out", "warm_left_out"):
        del along[name]
    for part in (*along["stretches"], along["warm"]):
        del part["baseline_success"], part["baseline_per_solved"]
    old = msgspec.convert(raw, Result)
    assert not any(row[0] == "baseline" for row in cells(old))
    assert "learned 40 entries, each stream counted by itself" in say_held(old.streams[0])
    assert "× 0.38 0.20 to no limit" in text_of(render_report(old))
