"""Reading a table of runs: any CSV, Parquet or JSON lines that DuckDB reads, or rows in hand."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from leanloop.core.errors import BadInputError
from leanloop.judging.run_table import AXES, RunTable, column_name

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEYS = ("configuration", "task")
NUMBERS = ("success", *AXES, "steps")
RESERVED = (*KEYS, *NUMBERS, "cluster", "seed")
"""Columns with a meaning of their own; every other one is a lever's setting."""

READERS = {
    "csv": "read_csv({}, sample_size = 200000)",
    "tsv": "read_csv({}, sample_size = 200000)",
    "parquet": "read_parquet({})",
    "jsonl": "read_json({}, format = 'newline_delimited')",
    "ndjson": "read_json({}, format = 'newline_delimited')",
    "json": "read_json({})",
}
MEMORY = "500MB"
"""What DuckDB may hold; beyond that it works on disk."""


@dataclass(frozen=True)
class Selection:
    """What to take from a file.

    Args:
        select: A SQL select list that names the columns.
        where: A SQL condition on the file's own columns; all rows when None.
        within: Cost axis and bound of "success within a budget"; None for none.
    """

    select: str = "*"
    where: str | None = None
    within: tuple[str, float] | None = None


def read_runs(path: str, selection: Selection | None = None) -> RunTable:
    """A run table from a file, or from several that a pattern with ``*`` names.

    Rows without a success are left out and counted. A cost that is missing, not
    a number or infinite is unknown, and so is one of 0 dollars with tokens: a
    price that nobody knew.

    Args:
        path: CSV, TSV, Parquet, JSON or JSON lines, gzipped or not.
        selection: What to take; everything when None.

    Raises:
        BadInputError: The file, the select list, or a value cannot be used.
    """
    chosen = selection or Selection()
    for name, text in (("--select", chosen.select), ("--where", chosen.where or "")):
        if ";" in text:
            raise BadInputError(name, "takes one list or condition, without ';'")
    suffixes = [s.lstrip(".").lower() for s in Path(path).suffixes]
    kind = next((s for s in reversed(suffixes) if s in READERS), None)
    if kind is None:
        raise BadInputError(path, f"not a kind of file that is read: {', '.join(READERS)}")
    if "*" not in path and not Path(path).is_file():
        raise BadInputError(path, "no such file")
    source = READERS[kind].format(_quoted(path if "*" in path else _literal(path)))
    condition = f" WHERE {chosen.where}" if chosen.where else ""
    with _database(path) as (connection, folder):
        connection.execute(f"CREATE TABLE given AS SELECT {chosen.select} FROM {source}{condition}")
        return _Reading(connection, folder, path, chosen.within).table()


def table_of_rows(
    source: str,
    columns: Mapping[str, Sequence[Any]],
    within: tuple[str, float] | None = None,
) -> RunTable:
    """A run table from columns in hand, all of one length.

    Args:
        source: What to call it in messages.
        columns: Name to values; the same names as in a file.
        within: As in ``Selection``.

    Raises:
        BadInputError: A value cannot be used.
    """
    with _database(source) as (connection, folder):
        arrays = {name: _array(name, values) for name, values in columns.items()}
        connection.register("columns_in_hand", arrays)
        connection.execute("CREATE TABLE given AS SELECT * FROM columns_in_hand")
        connection.unregister("columns_in_hand")
        return _Reading(connection, folder, source, within).table()


def _array(name: str, values: Sequence[Any]) -> np.ndarray[Any, Any]:
    if name in NUMBERS:
        return np.array([math.nan if v is None else float(v) for v in values], dtype=np.float64)
    return np.array([None if v is None else str(v) for v in values], dtype=object)


@contextmanager
def _database(source: str) -> Iterator[tuple[DuckDBPyConnection, Path]]:
    """A database in a folder of its own; on an error closed, and one line that names the source."""
    import duckdb  # noqa: PLC0415 - a tenth of a second that few commands need

    folder = Path(tempfile.mkdtemp(prefix="leanloop-"))
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": str(folder),
        "autoinstall_known_extensions": False,
        "preserve_insertion_order": False,
    }
    connection = duckdb.connect(str(folder / "runs.duckdb"), config=settings)
    try:
        yield connection, folder
    except BaseException as error:
        connection.close()
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, duckdb.Error):
            raise
        line = " ".join(str(error).split("\n\n")[0].split())
        raise BadInputError(source, line[:300]) from error


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal(path: str) -> str:
    """A path that DuckDB takes as it stands: ``runs[1].csv`` is not ``runs1.csv``."""
    return path.replace("[", "[[]").replace("?", "[?]")


@dataclass(frozen=True)
class _Reading:
    """Checks what was selected and brings it to one row a configuration and task."""

    connection: DuckDBPyConnection
    folder: Path
    source: str
    within: tuple[str, float] | None

    def table(self) -> RunTable:
        names = [str(row[0]) for row in self._all("DESCRIBE given")]
        columns = {n.lower(): n for n in names}
        for needed in ("configuration", "task", "success"):
            if needed not in columns:
                raise BadInputError(
                    f"{self.source}: column {needed}",
                    f"is not there; --select names it, as in 'x AS {needed}'. "
                    f"There are: {', '.join(map(repr, names))}",
                )
        notes = self._clean(columns)
        self._check()
        notes += self._unrepeat("seed" in columns)
        self._gather()
        axes = tuple(a for a in AXES if a in columns)
        levers = tuple(n for low, n in columns.items() if low not in RESERVED)
        self._levers(levers)
        return RunTable(self.connection, self.folder, self.source, axes, levers, tuple(notes))

    def _all(self, query: str) -> list[Any]:
        return self.connection.execute(query).fetchall()

    def _clean(self, columns: Mapping[str, str]) -> list[str]:
        """Every column of the right type; rows without a success left out."""
        chosen = [f'CAST("{columns[k]}" AS VARCHAR) AS {k}' for k in KEYS]
        for name in NUMBERS:
            given = f'CAST("{columns[name]}" AS DOUBLE)' if name in columns else "NULL::DOUBLE"
            chosen.append(f"nullif(nullif({given}, 'NaN'::DOUBLE), 'Infinity'::DOUBLE) AS {name}")
        for name in ("cluster", "seed"):
            given = f'CAST("{columns[name]}" AS VARCHAR)' if name in columns else "NULL::VARCHAR"
            chosen.append(f"{given} AS {name}")
        chosen += [
            f"CAST({column_name(n)} AS VARCHAR) AS {column_name(f'lever {n}')}"
            for low, n in columns.items()
            if low not in RESERVED
        ]
        rest = f"SELECT {', '.join(chosen)} FROM given"
        free = 0
        if {"usd", "tokens"} <= set(columns):
            known = "CASE WHEN usd = 0 AND tokens > 0 THEN NULL ELSE usd END AS usd"
            rest = f"SELECT * REPLACE ({known}) FROM ({rest})"
            (free,) = self._all("SELECT count(*) FROM given WHERE usd = 0 AND tokens > 0")[0]
        (every,) = self._all("SELECT count(*) FROM given")[0]
        self.connection.execute(f"CREATE TABLE rows AS FROM ({rest}) WHERE success IS NOT NULL")
        self.connection.execute("DROP TABLE given")
        (kept,) = self._all("SELECT count(*) FROM rows")[0]
        notes = []
        if free:
            notes.append(f"{free:,} of {every:,} rows cost 0 dollars with tokens: taken as unknown")
        if kept < every:
            notes.append(f"{every - kept:,} of {every:,} rows have no success: left out as missing")
        return notes

    def _check(self) -> None:
        if not self._all("SELECT 1 FROM rows LIMIT 1"):
            raise BadInputError(self.source, "has no row with a success")
        if self._all("SELECT 1 FROM rows WHERE configuration IS NULL OR task IS NULL LIMIT 1"):
            raise BadInputError(self.source, "a row has no configuration or no task")
        wrong = "SELECT configuration, task, {0} FROM rows WHERE {1} ORDER BY ALL LIMIT 1"
        for name in NUMBERS:
            bad = "success < 0 OR success > 1" if name == "success" else f"{name} < 0"
            for configuration, task, value in self._all(wrong.format(name, bad)):
                takes = "from 0 to 1" if name == "success" else "0 or more"
                raise BadInputError(
                    f"{self.source}: column {name}",
                    f"takes {takes}, got {value:g} for configuration {configuration!r}, "
                    f"task {task!r}",
                )
        split = "SELECT task FROM rows GROUP BY task HAVING count(DISTINCT cluster) > 1 LIMIT 1"
        for (task,) in self._all(split):
            raise BadInputError(
                f"{self.source}: column cluster", f"task {task!r} is in two of them"
            )

    def _unrepeat(self, seeded: bool) -> list[str]:
        """With seeds, the same run written twice is one run."""
        if not seeded:
            return []
        key = "configuration, task, seed"
        (rows, distinct) = self._all(
            f"SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT {key} FROM rows)) FROM rows"
        )[0]
        if rows == distinct:
            return []
        self.connection.execute("CREATE TABLE once AS SELECT DISTINCT * FROM rows")
        twice = f"SELECT {key} FROM once GROUP BY {key} HAVING count(*) > 1 ORDER BY ALL LIMIT 1"
        for configuration, task, seed in self._all(twice):
            raise BadInputError(
                f"{self.source}: column seed",
                f"configuration {configuration!r}, task {task!r}, seed {seed!r} stands there "
                "twice with different figures",
            )
        self.connection.execute("DROP TABLE rows")
        self.connection.execute("ALTER TABLE once RENAME TO rows")
        return [f"{rows - distinct:,} of {rows:,} rows stand there twice: counted once"]

    def _gather(self) -> None:
        """Numbers for names, and one row a configuration and task."""
        run = self.connection.execute
        run(
            "CREATE TABLE configurations AS SELECT configuration, "
            "row_number() OVER (ORDER BY configuration) - 1 AS code "
            "FROM (SELECT DISTINCT configuration FROM rows)"
        )
        run(
            "CREATE TABLE tasks AS SELECT task, cluster, row_number() OVER (ORDER BY task) - 1 "
            "AS code FROM (SELECT task, min(cluster) AS cluster FROM rows GROUP BY task)"
        )
        within = "NULL::DOUBLE"
        if self.within is not None:
            axis, bound = self.within
            most = f"'{bound!r}'::DOUBLE"
            within = f"CASE WHEN {axis} <= {most} THEN success WHEN {axis} > {most} THEN 0 END"
        run(
            "CREATE TABLE coded AS SELECT c.code AS configuration, t.code AS task, "
            f"{', '.join(f'r.{n}' for n in NUMBERS)}, {within} AS within "
            "FROM rows r JOIN configurations c USING (configuration) JOIN tasks t USING (task)"
        )
        run("CREATE TABLE cells AS " + self._gathered())
        run("DROP TABLE coded")

    def _gathered(self) -> str:
        names = (*NUMBERS, "within")
        (rows, cells) = self._all(
            "SELECT count(*), (SELECT count(*) FROM (SELECT DISTINCT configuration, task "
            "FROM coded)) FROM coded"
        )[0]
        if rows == cells:
            once = "configuration, task, 1 AS runs, 0::DOUBLE AS success_squares"
            return f"SELECT {once}, {', '.join(names)} FROM coded"
        # Sums in a fixed order: the same file gives the same figures to the last digit. One
        # unknown makes the mean unknown.
        chosen = [
            f"CASE WHEN count({n}) = count(*) THEN sum({n} ORDER BY {n}) / count(*) END AS {n}"
            for n in names
        ]
        squares = "var_pop(success ORDER BY success) * count(*) AS success_squares"
        return (
            f"SELECT configuration, task, count(*) AS runs, {squares}, {', '.join(chosen)} "
            "FROM coded GROUP BY configuration, task"
        )

    def _levers(self, levers: Sequence[str]) -> None:
        names = "".join(f", {column_name(f'lever {n}')} AS {column_name(n)}" for n in levers)
        self.connection.execute(
            f"CREATE TABLE settings AS SELECT DISTINCT configuration{names} FROM rows"
        )
        self.connection.execute("DROP TABLE rows")
        twice = (
            "SELECT configuration FROM settings GROUP BY configuration HAVING count(*) > 1 LIMIT 1"
        )
        for (configuration,) in self._all(twice):
            named = " ".join(", ".join(levers).split())
            raise BadInputError(
                f"{self.source}: configuration {configuration!r}",
                f"has several settings of {named}; a column that is no lever is to be "
                "left out of --select",
            )
