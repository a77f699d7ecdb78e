"""Small run tables with a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leanloop.judging.reading import table_of_rows
from leanloop.judging.run_table import RunTable

Rows = list[dict[str, Any]]


def rows(
    configurations: int = 4, tasks: int = 60, seed: int = 0, *, seeds: int = 1, clusters: int = 0
) -> Rows:
    """Runs of configurations c0, c1, … that solve more and cost more as their number grows."""
    rng = np.random.default_rng(seed)
    hard = rng.normal(size=tasks)
    found = []
    for c in range(configurations):
        for t in range(tasks):
            for s in range(seeds):
                chance = 1 / (1 + np.exp(hard[t] - 0.4 * c))
                row = {
                    "configuration": f"c{c}",
                    "task": f"t{t:03}",
                    "seed": str(s),
                    "success": float(rng.random() < chance),
                    "usd": float(np.exp(0.3 * c + 0.8 * rng.normal() + 0.3 * hard[t])),
                }
                if clusters:
                    row["cluster"] = f"k{t % clusters}"
                found.append(row)
    return found


def table(given: Rows, **options: Any) -> RunTable:
    """A run table of rows."""
    names: Sequence[str] = list(dict.fromkeys(n for row in given for n in row))
    return table_of_rows("rows", {n: [row.get(n) for row in given] for n in names}, **options)


def changed(given: Rows, where: Any, **values: Any) -> Rows:
    """Rows with some values changed where a condition on the row holds."""
    return [{**row, **values} if where(row) else row for row in given]
