"""A table of runs, brought to one row a configuration and task."""

from __future__ import annotations

import difflib
import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leanloop.core.errors import BadInputError
from leanloop.stats.resampling import Floats, Ints, Sample, sample_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AXES = ("usd", "latency_s", "tokens", "tool_calls")
"""The cost axes, in the order in which they are shown."""
ROWS_AT_ONCE = 1_000_000
MEASURES = ("success", *AXES, "steps", "within")


@dataclass(frozen=True)
class Common:
    """Configurations on the tasks that all of them were run on.

    Args:
        configurations: Their names.
        values: Measure to its values, shape (configurations, tasks), seeds
            averaged; NaN is unknown. Every one of ``MEASURES`` is there.
        squares: Sum of squared deviations of success between runs of a task.
        runs: Runs of each task, the same shape.
        sample: Tasks and clusters, with the draws.
        dropped: Tasks that some of the configurations have and others have not.
    """

    configurations: tuple[str, ...]
    values: dict[str, Floats]
    squares: Floats
    runs: Floats
    sample: Sample
    dropped: int

    @property
    def tasks(self) -> int:
        """How many tasks they have in common."""
        return self.sample.n

    def row(self, configuration: str) -> int:
        """Where a configuration stands."""
        return self.configurations.index(configuration)


@dataclass(frozen=True)
class RunTable:
    """Runs in a DuckDB of their own, one row a configuration and task.

    Args:
        connection: With the tables ``cells``, ``configurations``, ``tasks``, ``settings``.
        folder: Where the database lies.
        source: What to call it in messages.
        axes: The cost axes that it has.
        levers: The columns that are levers.
        notes: What was left out or taken as unknown, for the reader to know.
    """

    connection: DuckDBPyConnection
    folder: Path
    source: str
    axes: tuple[str, ...]
    levers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    _names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A table that nobody closes takes its folder with it all the same.
        weakref.finalize(self, _release, self.connection, self.folder)

    @property
    def configurations(self) -> list[str]:
        """Names, sorted."""
        if not self._names:
            query = "SELECT configuration FROM configurations ORDER BY code"
            self._names.extend(str(row[0]) for row in self.connection.execute(query).fetchall())
        return self._names

    def find(self, name: str, option: str) -> str:
        """The configuration of that name, or the only one whose name begins or ends so.

        Raises:
            BadInputError: There is none, or there are several.
        """
        if name in self.configurations:
            return name
        matching = [c for c in self.configurations if c.startswith(name) or c.endswith(name)]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise BadInputError(option, f"{name!r} fits {len(matching)} configurations; say more")
        close = difflib.get_close_matches(name, self.configurations, n=1)
        hint = f"did you mean {close[0]!r}?" if close else _some(self.configurations)
        raise BadInputError(option, f"no configuration {name!r} in {self.source}; {hint}")

    def settings(self) -> dict[str, dict[str, str]]:
        """Configuration to its lever columns; a missing value is ``off``."""
        names = "".join(f", {column_name(n)}" for n in self.levers)
        rows = self.connection.execute(
            f"SELECT configuration{names} FROM settings ORDER BY configuration"
        ).fetchall()
        return {
            str(row[0]): {
                n: "off" if v is None else str(v) for n, v in zip(self.levers, row[1:], strict=True)
            }
            for row in rows
        }

    def task_counts(self) -> dict[str, int]:
        """Configuration to the number of its tasks."""
        rows = self.connection.execute(
            "SELECT configuration, count(*) FROM cells GROUP BY configuration"
        ).fetchall()
        counts = {int(code): int(n) for code, n in rows}
        return {name: counts[code] for code, name in enumerate(self.configurations)}

    def common(self, configurations: Sequence[str], seed: int = 0) -> Common:
        """The configurations on the tasks that all of them have.

        Args:
            configurations: Names, each once.
            seed: Says which tasks are batched together where there are very many.
        """
        codes = [self.configurations.index(c) for c in configurations]
        chosen = ", ".join(map(str, codes))
        run = self.connection.execute
        run(
            "CREATE OR REPLACE TEMP TABLE shared AS SELECT task, count(*) AS has FROM cells "
            f"WHERE configuration IN ({chosen}) GROUP BY task"
        )
        every, kept = run(
            f"SELECT count(*), count(*) FILTER (has = {len(codes)}) FROM shared"
        ).fetchall()[0]
        run(f"DELETE FROM shared WHERE has < {len(codes)}")
        cells = self._cells(codes, int(kept))
        sample = sample_of(int(kept), self._clusters(), seed)
        return Common(
            tuple(configurations),
            {m: cells[m] for m in MEASURES},
            cells["success_squares"],
            cells["runs"],
            sample,
            int(every - kept),
        )

    def common_tasks(self) -> list[str]:
        """Names of the tasks of the last ``common``, in its order."""
        query = "SELECT task FROM tasks SEMI JOIN shared ON code = shared.task ORDER BY code"
        return [str(row[0]) for row in self.connection.execute(query).fetchall()]

    def _cells(self, codes: Sequence[int], tasks: int) -> dict[str, Floats]:
        """Columns on the shared tasks: shape (configurations, tasks), in task order."""
        shape = (len(codes), tasks)
        # What the table has not is unknown everywhere, and takes no room.
        nowhere = np.broadcast_to(np.float64(np.nan), shape)
        table: dict[str, Floats] = dict.fromkeys(MEASURES, nowhere)
        names = ["runs", "success", "success_squares", *self.axes]
        names += [n for n in ("steps", "within") if self._has(n)]
        table |= {n: np.empty(shape) for n in names}
        chosen = ", ".join(f"coalesce({n}, 'NaN'::DOUBLE)::DOUBLE AS {n}" for n in names)
        # A few configurations at a time: the rows come sorted, and never all of them at once.
        size = max(1, ROWS_AT_ONCE // max(tasks, 1))
        for start in range(0, len(codes), size):
            part = codes[start : start + size]
            place = f"list_position([{', '.join(map(str, part))}], configuration)"
            found: dict[str, Any] = self.connection.execute(
                f"SELECT {chosen} FROM cells SEMI JOIN shared USING (task) "
                f"WHERE configuration IN ({', '.join(map(str, part))}) ORDER BY {place}, task"
            ).fetchnumpy()
            for name in names:
                filled = np.ma.filled(np.asanyarray(found[name], dtype=np.float64), np.nan)
                table[name][start : start + size] = filled.reshape(len(part), tasks)
        return table

    def _has(self, measure: str) -> bool:
        query = f"SELECT 1 FROM cells WHERE {measure} IS NOT NULL LIMIT 1"
        return bool(self.connection.execute(query).fetchall())

    def _clusters(self) -> Ints | None:
        """The cluster of each shared task, a task without one being its own; None without any."""
        query = (
            "SELECT coalesce(dense_rank() OVER (ORDER BY cluster), 0) AS cluster, "
            "cluster IS NULL AS alone, code FROM tasks SEMI JOIN shared ON code = shared.task "
            "ORDER BY code"
        )
        if not self.connection.execute(
            "SELECT 1 FROM tasks WHERE cluster IS NOT NULL LIMIT 1"
        ).fetchall():
            return None
        found: dict[str, Any] = self.connection.execute(query).fetchnumpy()
        own = -1 - found["code"].astype(np.int64)
        codes: Ints = np.where(found["alone"], own, found["cluster"].astype(np.int64))
        return codes

    def columns_of(self, configuration: str) -> dict[str, list[object]]:
        """One configuration as columns: task, cluster, success and its cost axes, in task order."""
        names = ("success", *self.axes)
        query = (
            f"SELECT t.task, t.cluster, {', '.join(f'c.{n}' for n in names)} FROM cells c "
            "JOIN tasks t ON c.task = t.code WHERE c.configuration = ? ORDER BY t.code"
        )
        code = self.configurations.index(configuration)
        rows = self.connection.execute(query, [code]).fetchall()
        columns = list(zip(*rows, strict=True)) or [()] * (2 + len(names))
        return {n: list(c) for n, c in zip(("task", "cluster", *names), columns, strict=True)}

    def close(self) -> None:
        """Release the database and its folder."""
        _release(self.connection, self.folder)


def column_name(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _release(connection: DuckDBPyConnection, folder: Path) -> None:
    connection.close()
    shutil.rmtree(folder, ignore_errors=True)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return f"there are: {shown}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
