"""The page of a profile, in words and in a real browser."""

from __future__ import annotations

import json
import re

import msgspec

from leanloop.report.flame_graph import flame_svg
from leanloop.report.profile_page import profile_page, write_profile
from leanloop.traces.profile import Asked, profile_runs
from leanloop.traces.profile_result import Frame
from tests.traces.made_runs import run_of

HOSTILE = "<img src=x onerror=alert(1)>"
LONG = "x" * 900


def made_profile(tool="get_order"):
    runs = [
        run_of([(tool, f"{i % 2}", LONG)] * 9, run_id=f"r{i}", success=float(i % 2), task=f"t{i}")
        for i in range(6)
    ]
    return profile_runs(runs, Asked(group_by="task"))


def test_every_section_has_what_it_shows():
    page = profile_page(made_profile())
    titles = [s.title for s in page.sections]
    assert titles[:3] == ["Where tokens go by turn", "What was sent", "Dollars"]
    assert "By group" in titles
    assert all(s.rows or s.plots for s in page.sections)
    assert any(note.startswith("Estimated: tokens: ") for note in page.notes)


def test_hostile_names_are_inert(tmp_path):
    write_profile(made_profile(HOSTILE), tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert "<img" not in text
    assert "&lt;img" in text


def test_the_flame_graphs_boxes_fill_their_parents():
    p = made_profile()
    svg = flame_svg(p.flame, "t")
    rows: dict[str, float] = {}
    for y, width in re.findall(r'<rect x="[\d.]+" y="(\d+)" width="([\d.]+)"', svg):
        rows[y] = rows.get(y, 0) + float(width)
    assert abs(rows["0"] - 1000) < 0.1
    assert all(abs(rows[y] - 1000) < 5 for y in ("26", "52", "78"))
    assert "sent again" in svg
    assert flame_svg((), "t") == ""


def test_a_box_too_narrow_to_be_seen_is_left_out():
    wide, thin = Frame("turn 1", False, "user", "", 10**6), Frame("turn 1", False, "tool", "t", 1)
    assert flame_svg((wide, thin), "t").count("<rect") == 4


def test_it_works_in_a_browser_without_a_request(tmp_path, browser):
    write_profile(made_profile(HOSTILE), tmp_path / "p.html")
    asked: list[str] = []
    for width in (420, 1200):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("request", lambda r: asked.append(r.url))
        errors: list[str] = []
        page.on("console", lambda m, e=errors: e.append(m.text))
        page.goto((tmp_path / "p.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.flame g").count() > 8
        assert errors == []
        page.close()
    assert {u.split(":")[0] for u in asked} == {"file"}


def test_the_result_is_plain_json():
    p = made_profile()
    assert json.loads(msgspec.json.encode(p))["runs"] == 6
