"""List the suites."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.suites.builtin import ABOUT, BUILT_IN, build_suite


def suites(json: JsonOption = False) -> None:
    """List the suites: what each is, with a task, or what it needs first."""
    rows = [_row(name) for name in BUILT_IN]
    if json:
        emit(rows)
        return
    table = Table("suite", "what it is", "search", "holdout", "such as")
    for r in rows:
        counts = ("–" if r[k] is None else str(r[k]) for k in ("search_tasks", "holdout_tasks"))
        such_as = f"needs: {r['needs']}" if r["needs"] else r["example"]
        table.add_row(r["name"], r["about"], *counts, such_as)
    answers_console().print(table)


def _row(name: str) -> dict[str, Any]:
    about = ABOUT[name]
    row: dict[str, Any] = {
        "name": name,
        "about": about.text,
        "search_tasks": None,
        "holdout_tasks": None,
    }
    row |= {"families": [], "example": None, "needs": about.needs or None}
    if about.needs:
        return row
    try:
        suite = build_suite(name, {})
        tasks = {split: suite.tasks(split) for split in Split}
    except BadInputError as error:
        return row | {"needs": str(error)}
    return row | {
        "search_tasks": len(tasks[Split.SEARCH]),
        "holdout_tasks": len(tasks[Split.HOLDOUT]),
        "families": sorted({t.family for t in tasks[Split.SEARCH]}),
        "example": tasks[Split.SEARCH][0].prompt,
    }
