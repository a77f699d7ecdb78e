"""Baseline against recommended on the holdout, for suites of several kinds, on an embedded model.

``python -m benchmarks.suites`` runs the studies that are named in ``STUDIES``, each within a bound
on its time, and prints what each recommends beside its baseline on tasks that the search never saw.
A call that is cut off goes on where it was. ``--json`` keeps the figures, in the place of those of
the same study, and ``--page`` puts the table of ``docs/measured/suites.json`` into
``docs/benchmarks-as-suites.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.levers import machine
from leanloop.core.configuration import Setting
from leanloop.search.result import Figures, Member, Result
from leanloop.search.spec import Budget, StudySpec, read_study
from leanloop.search.study import Silent, Study
from leanloop.stats.comparison import Verdict
from leanloop.stats.interval import Interval
from leanloop.store.sql import SqlStore

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks-as-suites.md"
MEASURED = ROOT / "docs" / "measured" / "suites.json"
BEGIN, END = "<!-- measured -->\n", "<!-- end of measured -->\n"
STUDIES: dict[str, dict[str, Any]] = {
    "coding": {},
    "textworld": {"search_tasks": 12, "holdout_tasks": 10},
    "bfcl": {
        "search_tasks": 10,
        "holdout_tasks": 12,
        "classes": ["TradingBot", "TicketAPI", "MessageAPI", "TwitterAPI"],
    },
    "backoffice": {},
}
"""Study to what its suite's options are, where they differ from the example's."""
FILES = {"backoffice": ROOT / "src" / "leanloop" / "demo.toml"}
"""Where a study is, when it is not in ``examples/``."""


class Row(msgspec.Struct):
    """What a study came to.

    Attributes:
        study: Its name.
        runs: Runs in all.
        stopped_because: Why the search ended.
        settings: Levers of the configuration beside the baseline: the recommended one, or
            else the first finalist.
        recommended: Whether it is recommended.
        baseline: The baseline on the holdout.
        other: The other one there; None when none was run there.
        verdict: Paired, against the baseline.
        always: Search tasks that every run solved, of ``tried``.
        never: Search tasks that none solved.
        tried: Search tasks with three runs or more.
        day: When.
        machine: On what.
        cores: On how many cores.
        note: What else there is to know.
    """

    study: str
    runs: int
    stopped_because: str
    settings: dict[str, Setting]
    recommended: bool
    baseline: Figures
    other: Figures | None
    verdict: Verdict | None
    always: int
    never: int
    tried: int
    day: str
    machine: str
    cores: int
    note: str = ""


def spec_of(name: str, max_wall_s: float) -> StudySpec:
    """The study of that name, within a bound on its time."""
    spec = read_study(FILES.get(name, ROOT / "examples" / f"{name}.toml"))
    options = {**spec.suite.options, **STUDIES[name]}
    plan = msgspec.structs.replace(spec.plan, finalists=1, block=4)
    return msgspec.structs.replace(
        spec,
        name=f"suites-{name}",
        suite=msgspec.structs.replace(spec.suite, options=options),
        budget=Budget(max_wall_s=max_wall_s),
        plan=plan,
        references={},
    )


def measure(name: str, store: SqlStore, max_wall_s: float, note: str) -> Row:
    """Run a study to its result."""

    async def go(study: Study) -> Result:
        try:
            return await study.optimize(store, Silent())
        finally:
            await study.close()

    result = asyncio.run(go(Study(spec_of(name, max_wall_s))))
    return row_of(name, result, note, len(os.sched_getaffinity(0)))


def row_of(name: str, result: Result, note: str, cores: int) -> Row:
    """A study's result as a row.

    Args:
        name: What the row is called.
        result: What the study found, on this machine, today.
        note: What else there is to know of it.
        cores: How many it ran on.
    """
    found = _beside(result)
    assert result.baseline.holdout is not None
    return Row(
        study=name,
        runs=result.runs,
        stopped_because=result.stopped_because,
        settings={} if found is None else dict(found.settings),
        recommended=result.recommended is not None,
        baseline=result.baseline.holdout,
        other=None if found is None else found.holdout,
        verdict=None if found is None else found.verdict,
        always=result.tasks.always,
        never=result.tasks.never,
        tried=result.tasks.tried,
        day=datetime.now(tz=UTC).date().isoformat(),
        machine=machine(),
        cores=cores,
        note=note,
    )


def _beside(result: Result) -> Member | None:
    """The recommended configuration, or else the first that was run on the holdout."""
    if result.recommended is not None:
        return result.member(result.recommended)
    tested = (m for m in (*result.frontier, *result.others) if m.holdout is not None)
    return next((m for m in tested if m.id != result.baseline.id), None)


HEAD = (
    "| suite | configuration | n | success | seconds | tokens | points | seconds × | tokens × |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def show(row: Row) -> str:
    """The lines of a study."""
    levers = " ".join(f"`{k}={v}`" for k, v in row.settings.items())
    said = "recommended" if row.recommended else "best finalist, not recommended"
    lines = [_line(row.study, "baseline", row.baseline, None)]
    if row.other is not None:
        lines.append(_line("", f"{said}: {levers}", row.other, row.verdict))
    return "\n".join(lines)


def say(row: Row) -> str:
    """What has to be known beside the figures."""
    told = ""
    if row.tried:
        told = (
            f" Of {row.tried} search tasks with three runs or more, {row.always} were always "
            f"solved and {row.never} never."
        )
    note = f" {row.note}" if row.note else ""
    return (
        f"- {row.study}: {row.runs} runs on {row.day}, {row.cores} core(s) of {row.machine}; the "
        f"search ended because {row.stopped_because}.{told}{note}"
    )


def _line(suite: str, label: str, f: Figures, v: Verdict | None) -> str:
    against = ("", "", "")
    if v is not None:
        against = (_points(v.success), _range(v.latency_s, 2), _range(v.tokens, 2))
    cells = (suite, label, f.success.n, _range(f.success, 2), _range(f.latency_s, 1))
    return "| " + " | ".join(map(str, (*cells, _range(f.tokens, 0), *against))) + " |"


def _range(i: Interval, digits: int) -> str:
    if i.mean is None:
        return "unknown"
    ends = ["…" if x is None else f"{x:,.{digits}f}" for x in (i.low, i.high)]
    return f"{i.mean:,.{digits}f} ({ends[0]}–{ends[1]})"


def _points(i: Interval) -> str:
    if i.mean is None or i.low is None or i.high is None:
        return "unknown"
    return f"{100 * i.mean:+.0f} ({100 * i.low:+.0f} to {100 * i.high:+.0f})"


def with_table(text: str, rows: list[Row]) -> str:
    """The page of docs with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    table = "\n".join([HEAD, *map(show, rows), "", *map(say, rows)]) + "\n"
    return before + BEGIN + table + END + rest.partition(END)[2]


def measured() -> list[Row]:
    """What was measured so far, in the order of ``STUDIES``."""
    if not MEASURED.is_file():
        return []
    rows = msgspec.json.decode(MEASURED.read_bytes(), type=list[Row])
    return sorted(rows, key=lambda r: list(STUDIES).index(r.study))


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, default=Path(".leanloop/suites.sqlite"))
    parser.add_argument("--studies", nargs="*", choices=list(STUDIES), default=list(STUDIES))
    parser.add_argument("--max-wall-s", type=float, default=1200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--note", default="", help="What else there is to know of the machine.")
    parser.add_argument("--result", type=Path, help="What optimize --json printed of the study.")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()
    if given.page:
        PAGE.write_text(with_table(PAGE.read_text(), measured()))
        return
    store = SqlStore(given.store)
    print(HEAD, flush=True)
    for name in given.studies:
        if given.result:
            result = msgspec.json.decode(given.result.read_bytes(), type=Result)
            row = row_of(name, result, given.note, given.cores)
        else:
            row = measure(name, store, given.max_wall_s, given.note)
        print(f"{show(row)}\n{say(row)}", flush=True)
        if given.json:
            _keep(given.json, row)
    store.close()


def _keep(path: Path, row: Row) -> None:
    known = msgspec.json.decode(path.read_bytes(), type=list[Row]) if path.is_file() else []
    rows = [*(r for r in known if r.study != row.study), row]
    path.write_bytes(msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n")


if __name__ == "__main__":
    main()
