"""List the suites."""

from __future__ import annotations

from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.core.task import Split
from leanloop.suites.builtin import ABOUT, BUILT_IN, build_suite


def suites(json: JsonOption = False) -> None:
    """List the suites: what they are, and a task of each that needs no options."""
    rows = [_row(name) for name in BUILT_IN]
    if json:
        emit(rows)
        return
    table = Table("suite", "what it is", "needs", "such as")
    for r in rows:
        table.add_row(*(str(r[k]) for k in ("name", "about", "needs", "example")))
    answers_console().print(table)


def _row(name: str) -> dict[str, object]:
    about = ABOUT[name]
    row: dict[str, object] = {"name": name, "about": about.text, "needs": about.needs}
    if about.needs:
        return row | {"search_tasks": None, "holdout_tasks": None, "families": [], "example": ""}
    suite = build_suite(name, {})
    tasks = {split: suite.tasks(split) for split in Split}
    return row | {
        "search_tasks": len(tasks[Split.SEARCH]),
        "holdout_tasks": len(tasks[Split.HOLDOUT]),
        "families": sorted({t.family for t in tasks[Split.SEARCH]}),
        "example": tasks[Split.SEARCH][0].prompt,
    }
