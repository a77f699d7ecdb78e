"""The runs of a study, as a run table."""

from __future__ import annotations

import msgspec

from leanloop.core.configuration import OFF
from leanloop.core.errors import BadInputError
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.gateway.session_runs import FINGERPRINT, table_of_sessions
from leanloop.judging.reading import table_of_rows
from leanloop.judging.run_table import AXES, RunTable
from leanloop.search.result import Result
from leanloop.search.result_frame import parts_of
from leanloop.search.spec import StudySpec
from leanloop.store.find_study import find_study
from leanloop.store.protocol import Store, StudyRecord


def table_of_study(
    store: Store, study: str, split: Split | None, within: tuple[str, float] | None = None
) -> RunTable:
    """The runs of a study on a split, priced as the study prices them.

    Args:
        store: Where it is.
        study: Its name.
        split: Search or holdout; both when None.
        within: Cost axis and bound of "success within a budget"; None for none.

    Raises:
        BadInputError: There is no such study, or it has no run there.
    """
    record = find_study(store, study)
    if record.fingerprint == FINGERPRINT:
        return table_of_sessions(store.call_log(study), within)
    spec = msgspec.json.decode(record.spec_json, type=StudySpec)
    prices = spec.price_book()
    every = store.runs(study)
    runs = [r for r in every if split is None or r.split is split]
    if not runs:
        raise _no_run(record, split, len(every))
    costs = [prices.cost(r) for r in runs]
    columns: dict[str, list[object]] = {
        "configuration": [r.key.configuration_id for r in runs],
        "task": [r.key.task_id for r in runs],
        "seed": [str(r.key.seed) for r in runs],
        "success": [r.success for r in runs],
        "steps": [None if r.recorded else float(len(r.steps)) for r in runs],
        **{a: [c.axis(a) for c in costs] for a in AXES},
    }
    if any(r.cluster is not None for r in runs):
        columns["cluster"] = [r.cluster for r in runs]
    columns |= _levers(store, study, runs)
    part = "both splits" if split is None else f"{split} split"
    return table_of_rows(f"study {study!r}, {part}", columns, within)


def ends_of_study(store: Store, study: str) -> tuple[str, str | None]:
    """Ids of a study's baseline and of what it recommends; the latter None without one.

    Raises:
        BadInputError: There is no such study, or it has no result yet.
    """
    result = result_of_study(store, study, "name --baseline and --chosen, or ")
    return result.baseline.id, result.recommended


def margin_of_study(store: Store, study: str) -> float | None:
    """Success that a study lets be lost: as its last result had it, else its file at first.

    Returns:
        None for a gateway's log, which has no margin.

    Raises:
        BadInputError: There is no such study.
    """
    record = find_study(store, study)
    if record.fingerprint == FINGERPRINT:
        return None
    raw = store.result(study)
    if raw is not None:
        return msgspec.json.decode(raw, type=Result).margin
    return msgspec.json.decode(record.spec_json, type=StudySpec).margin


def result_of_study(store: Store, study: str, instead: str = "") -> Result:
    """What a study found last.

    Args:
        store: Where it is.
        study: Its name.
        instead: What else the reader may do where there is no result.

    Raises:
        BadInputError: There is no such study, or it has no result yet.
    """
    record = find_study(store, study)
    raw = store.result(study)
    if raw is not None:
        return msgspec.json.decode(raw, type=Result)
    if record.fingerprint == FINGERPRINT:
        told = f"is a gateway's log and has no result; 'leanloop dashboard --gateway {study}'"
        raise BadInputError(f"study {study!r}", told)
    runs = len(store.runs(study))
    raise BadInputError(
        f"study {study!r} in {store.place}",
        f"has {runs:,} run{'s' * (runs != 1)} and no result yet: {instead}run "
        f"{_how_to_go_on(record)}",
    )


def _how_to_go_on(record: StudyRecord) -> str:
    """The command that brings a study to its result."""
    file = msgspec.json.decode(record.spec_json, type=StudySpec).file
    return f"'leanloop optimize {file or 'STUDY.toml'}'"


def _no_run(record: StudyRecord, split: Split | None, others: int) -> BadInputError:
    where = "" if split is None else f" on the {split} split"
    other = f"; the other split has {others:,} (--split)" if others else ""
    problem = f"has no run{where} yet{other}: {_how_to_go_on(record)} makes them"
    return BadInputError(f"study {record.name!r}", problem)


def _levers(store: Store, study: str, runs: list[Run]) -> dict[str, list[object]]:
    """A column for each lever that some configuration has on; none without a result."""
    raw = store.result(study)
    if raw is None:
        return {}
    result = msgspec.json.decode(raw, type=Result)
    settings = {part.id: part.settings for part in parts_of(result)}
    levers = sorted({name for own in settings.values() for name in own})
    return {
        name: [str(settings.get(r.key.configuration_id, {}).get(name, OFF)) for r in runs]
        for name in levers
    }
