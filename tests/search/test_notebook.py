"""What a study and its result show in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from leanloop.search.notebook import SHOWN
from leanloop.search.study import Study
from tests.report.results import bare, hostile, never_on_holdout, result
from tests.search.studies import STUDY, write_study

ALLOWED = {"div", "p", "b", "small", "br", "code", "table", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """Text, tags, and whether every tag was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self.rows = 0
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.rows += tag == "tr"
        if tag != "br":
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & {*self._open}:
            self.cells[-1] += data


@pytest.mark.parametrize("found", [result(), hostile(), bare(), never_on_holdout()])
def test_a_result_is_small_plain_html_whatever_is_in_it(found):
    html = found._repr_html_()
    seen = Reader(html)
    assert seen.tags <= ALLOWED
    assert seen.attributes <= {"style"}
    assert len(html) < 20_000
    assert "color:inherit" in html
    for place in ("http", "url(", "#fff", "black"):
        assert place not in html


def test_a_result_says_what_to_use_and_shows_both_splits():
    found = result()
    html = found._repr_html_()
    best = found.member(found.recommended)
    assert f"({best.id}), cheaper and better on 42 holdout tasks (margin 10%)." in html
    cells = Reader(html).cells
    at = cells.index("search")
    assert cells[at : at + 4] == ["search", "42", "0.30 (0.17–0.43)", "0.18 (0.14–0.22)"]
    assert cells.count("holdout") == cells.count("search") == len(found.frontier)
    # A reference that is not on the frontier is not shown.
    assert "model.choice=large" not in html


def test_a_result_that_recommends_nothing_says_so_once():
    html = bare()._repr_html_()
    assert html.count("Nothing is recommended: no configuration was shown") == 1
    assert "unknown" in html
    assert "&lt;script&gt;" in html


def test_a_long_frontier_is_cut_and_the_rest_is_counted():
    html = result(frontier=30)._repr_html_()
    assert Reader(html).rows == 1 + 2 * SHOWN
    assert f"{31 - SHOWN} more of the frontier" in html


def test_a_study_shows_what_it_would_run_and_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("COIN_KEY", "sk-secret")
    models = (
        '[models.hosted]\nprovider = "openai"\nname = "m<b>"\n'
        'base_url = "http://user:sk-secret@127.0.0.1:1/v1"\napi_key_env = "COIN_KEY"\n'
        '[agent]\ncommand = "my-agent --key sk-secret"\n\n'
    )
    levers = "[levers]\nmemory.keep_observations = [2, 4]\n[references.big]\nmodel.effort='low'\n"
    head, rest = STUDY.split("[levers]\n")
    tail = "[objectives]" + rest.split("[objectives]")[1]
    study = Study.from_toml(write_study(tmp_path, head + models + levers + tail))
    html = study._repr_html_()
    assert Reader(html).tags <= ALLOWED
    assert "sk-secret" not in html
    assert "COIN_KEY" not in html
    cells = Reader(html).cells
    assert "tests.search.coins:coins: 24 search, 12 holdout" in cells
    assert "the command my-agent …" in cells
    assert "openai:m&lt;b&gt;" in html
    assert cells[cells.index("memory.keep_observations") + 1] == "2, 4"
    assert cells[cells.index("reference big") + 1] == "model.effort=low"
    assert cells[cells.index("budget") + 1] == "at most 300 runs of the search"


def test_a_study_of_recorded_runs_shows_what_was_recorded(tmp_path):
    rows = [f"{c},t{t},{(t + i) % 2},0.{i + 1}" for i, c in enumerate("ab") for t in range(8)]
    (tmp_path / "runs.csv").write_text("\n".join(["configuration,task,success,usd", *rows]))
    text = 'name = "old"\n[suite]\nrecorded = "runs.csv"\n[budget]\nmax_usd = 5\n'
    study = Study.from_toml(write_study(tmp_path, text))
    cells = Reader(study._repr_html_()).cells
    assert "none: the runs are recorded" in cells
    assert cells[cells.index("budget") + 1] == "$5"
    assert cells[cells.index("configuration") + 1] == "a, b"
