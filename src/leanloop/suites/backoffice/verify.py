"""Verifiers: they check values and the end state, never how a thing was said."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any

from leanloop.suites.backoffice.families import Draft
from leanloop.suites.backoffice.world import TABLES, World, open_database, snapshot

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Check:
    """Scores the runs of one task.

    Args:
        draft: What was asked.
        world: The company before the run.
    """

    draft: Draft
    world: World

    def __call__(self, answer: str | None, database: sqlite3.Connection) -> float:
        """1 when the value is right and the state is what it should be, 0 otherwise."""
        if snapshot(database) != self._expected_state():
            return 0.0
        if self.draft.change is not None:
            return 1.0
        return float(answer is not None and _has_value(answer, self.draft))

    def _expected_state(self) -> dict[str, list[tuple[Any, ...]]]:
        expected = open_database(self.world)
        try:
            if self.draft.change is not None:
                table, key, column, value = self.draft.change
                expected.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {TABLES[table][0]} = ?",  # noqa: S608
                    (value, key),
                )
            return snapshot(expected)
        finally:
            expected.close()


def _has_value(answer: str, draft: Draft) -> bool:
    if draft.answer.lstrip("-").isdigit():
        # The last number, so that "orders 1041 and 1077 together: 12" is read as 12.
        numbers = NUMBER.findall(answer.replace(",", ""))
        return bool(numbers) and float(numbers[-1]) == float(draft.answer)
    said = answer.casefold()
    return _names(said, draft.answer) and not any(_names(said, r) for r in draft.rivals)


def _names(said: str, value: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(value.casefold())}(?!\w)", said) is not None
