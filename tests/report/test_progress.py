"""The line that says where a study is."""

from __future__ import annotations

import io
import re
import time

import pytest
from rich.console import Console

from leanloop.core.configuration import Configuration
from leanloop.core.run import Run, RunKey, Status
from leanloop.core.task import Split
from leanloop.report.terminal import TerminalObserver
from leanloop.search.protocol import Progress

RUN = Run(RunKey("c", "task-7"), Split.SEARCH, Status.FINISHED, 1.0, (), 1.0, 2.0, 0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def progress(runs: int, elapsed_s: float) -> Progress:
    return Progress("search", runs, 0, 4, 1, 0.5, elapsed_s, 30.0)


@pytest.fixture
def clock():
    return Clock()


def test_seconds_go_on_while_no_run_ends(clock):
    observer = TerminalObserver(Console(file=io.StringIO()), clock)
    clock.now += 3
    assert observer.line().plain == "no run has ended yet, 3 s"
    observer.run_done(Configuration({}), RUN, progress(2, 50.0))
    assert "2 runs" in observer.line().plain
    assert "50 s, holdout" in observer.line().plain
    assert "ago" not in observer.line().plain
    clock.now += 42
    assert "92 s, holdout" in observer.line().plain
    assert observer.line().plain.endswith("; that was 42 s ago")


def test_on_a_terminal_the_line_is_drawn_again_without_an_event():
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=150)
    with TerminalObserver(console) as observer:
        observer.run_done(Configuration({}), RUN, progress(2, 50.0))
        time.sleep(2.6)
    seconds = {int(s) for s in re.findall(r"spent, (\d+) s", out.getvalue())}
    assert len(seconds) >= 2, seconds
    assert max(seconds) - min(seconds) <= 4


def test_elsewhere_lines_are_rare_and_come_with_runs(clock):
    out = io.StringIO()
    with TerminalObserver(Console(file=out, width=200), clock) as observer:
        for n in range(1, 61):
            observer.run_done(Configuration({}), RUN, progress(n, float(n)))
            clock.now += 1
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("search: 1 runs, 4 configurations alive")
    assert "\x1b" not in out.getvalue()
