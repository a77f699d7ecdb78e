"""List the suites."""

from __future__ import annotations

from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.core.task import Split
from leanloop.suites.builtin import BUILT_IN, build_suite


def suites(json: JsonOption = False) -> None:
    """List the suites that leanloop ships, with a task of each."""
    rows = []
    for name in BUILT_IN:
        suite = build_suite(name, {})
        tasks = {split: suite.tasks(split) for split in Split}
        rows.append(
            {
                "name": name,
                "search_tasks": len(tasks[Split.SEARCH]),
                "holdout_tasks": len(tasks[Split.HOLDOUT]),
                "families": sorted({t.family for t in tasks[Split.SEARCH]}),
                "example": tasks[Split.SEARCH][0].prompt,
            }
        )
    if json:
        emit(rows)
        return
    table = Table("suite", "search", "holdout", "families", "such as")
    for r in rows:
        families = ", ".join(r["families"]) if isinstance(r["families"], list) else ""
        table.add_row(
            *(str(r[k]) for k in ("name", "search_tasks", "holdout_tasks")),
            families,
            str(r["example"]),
        )
    answers_console().print(table)
