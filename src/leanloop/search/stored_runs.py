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
from leanloop.store.protocol import Store


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
    record = store.study(study)
    if record is None:
        known = ", ".join(store.studies()) or "none"
        raise BadInputError(f"study {study!r}", f"is not in the store; studies there: {known}")
    if record.fingerprint == FINGERPRINT:
        return table_of_sessions(store.call_log(study), within)
    spec = msgspec.json.decode(record.spec_json, type=StudySpec)
    prices = spec.price_book()
    runs = [r for r in store.runs(study) if split is None or r.split is split]
    if not runs:
        where = "" if split is None else f" on the {split} split"
        raise BadInputError(f"study {study!r}", f"has no run{where} yet")
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
    return table_of_rows(f"study {study!r}", columns, within)


def ends_of_study(store: Store, study: str) -> tuple[str, str | None]:
    """Ids of a study's baseline and of what it recommends; the latter None without one.

    Raises:
        BadInputError: The study has no result yet.
    """
    raw = store.result(study)
    if raw is None:
        raise BadInputError(f"study {study!r}", "has no result yet: name --baseline and --chosen")
    result = msgspec.json.decode(raw, type=Result)
    return result.baseline.id, result.recommended


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
