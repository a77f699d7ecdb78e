"""List the suites."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.suites.builtin import BUILT_IN, build_suite


def suites(json: JsonOption = False) -> None:
    """List the suites that leanloop ships, with a task of each, or what one needs first."""
    rows = [_row(name) for name in BUILT_IN]
    if json:
        emit(rows)
        return
    table = Table("suite", "search", "holdout", "families", "such as")
    for r in rows:
        counts = ("–" if r[k] is None else str(r[k]) for k in ("search_tasks", "holdout_tasks"))
        such_as = r["example"] if r["needs"] is None else f"needs: {r['needs']}"
        table.add_row(r["name"], *counts, _named(r["families"]), such_as)
    answers_console().print(table)


FAMILIES = 7
"""Families that the table names."""


def _row(name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "search_tasks": None, "holdout_tasks": None}
    row |= {"families": [], "example": None, "needs": None}
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


def _named(families: list[str]) -> str:
    more = len(families) - FAMILIES
    return ", ".join(families[:FAMILIES]) + (f" and {more} more" if more > 0 else "")
