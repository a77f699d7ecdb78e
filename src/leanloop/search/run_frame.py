"""The runs of a study as a frame: a row for each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.errors import BadInputError
from leanloop.core.run import Run
from leanloop.core.tokens import CLASSES
from leanloop.gateway.session_runs import FINGERPRINT
from leanloop.pricing.cost import PriceBook
from leanloop.search.frame import Column, Frame, Kind
from leanloop.search.result import Result
from leanloop.search.result_frame import NAME, lever_columns, parts_of
from leanloop.search.spec import StudySpec
from leanloop.search.universe import Universe
from leanloop.store.find_study import find_study
from leanloop.store.protocol import Store


def runs_of_study(store: Store, study: str) -> Frame:
    """The runs of a study, search and holdout, in the order in which they were recorded.

    Dollars are those of today's prices, as everywhere: a store keeps usage. A recorded run
    has no steps and no tokens by class. What a run's levers were is known from the
    study's result, or else from its space where that is small; None where it is not.

    Args:
        store: Where it is.
        study: Its name.

    Raises:
        BadInputError: There is no such study, or it is the log of a gateway.
    """
    record = find_study(store, study)
    if record.fingerprint == FINGERPRINT:
        raise BadInputError(f"study {study!r}", "is a gateway's log: it has calls and no runs")
    spec = msgspec.json.decode(record.spec_json, type=StudySpec)
    runs = store.runs(study)
    return frame_of_runs(runs, spec.price_book(), known_settings(store, study, spec))


def frame_of_runs(
    runs: Sequence[Run], prices: PriceBook, settings: Mapping[str, Mapping[str, Setting]]
) -> Frame:
    """A row for each run.

    Args:
        runs: In the order of the rows.
        prices: Prices them.
        settings: Configuration id to the levers that are on.
    """
    tokens = [_tokens(run) for run in runs]
    classes = [
        Column(name, Kind.COUNT, [row[i] for row in tokens]) for i, name in enumerate(CLASSES)
    ]
    return Frame(
        (
            Column(NAME, Kind.TEXT, [r.key.configuration_id for r in runs]),
            *lever_columns([settings.get(r.key.configuration_id) for r in runs]),
            Column("task", Kind.TEXT, [r.key.task_id for r in runs]),
            Column("seed", Kind.COUNT, [r.key.seed for r in runs]),
            Column("family", Kind.TEXT, [r.family for r in runs]),
            Column("cluster", Kind.TEXT, [r.cluster for r in runs]),
            Column("split", Kind.TEXT, [str(r.split) for r in runs]),
            Column("status", Kind.TEXT, [str(r.status) for r in runs]),
            Column("success", Kind.NUMBER, [r.success for r in runs]),
            *classes,
            Column(
                "tokens",
                Kind.NUMBER,
                [_all_tokens(r, t) for r, t in zip(runs, tokens, strict=True)],
            ),
            Column("usd", Kind.NUMBER, [_dollars(prices.run_usd(r)) for r in runs]),
            Column("latency_s", Kind.NUMBER, [_seconds(r) for r in runs]),
            Column("tool_calls", Kind.NUMBER, [_tool_calls(r) for r in runs]),
            Column("steps", Kind.COUNT, [None if r.recorded else len(r.steps) for r in runs]),
        )
    )


def known_settings(
    store: Store, study: str, spec: StudySpec
) -> Mapping[str, Mapping[str, Setting]]:
    """Configuration id to the levers that are on, as far as they are known.

    Args:
        store: Where the study is.
        study: Its name.
        spec: What is studied.
    """
    raw = store.result(study)
    if raw is not None:
        result = msgspec.json.decode(raw, type=Result)
        return {part.id: part.settings for part in parts_of(result)}
    if spec.suite.recorded is not None:
        return {}
    baseline = spec.baseline_configuration()
    every: list[Configuration] = [baseline, *Universe(baseline, spec.space()).all]
    for name, changes in spec.references.items():
        every.append(baseline.changed(spec.configuration(changes, f"references.{name}")))
    return {c.id: c for c in every}


def _tokens(run: Run) -> list[int | None]:
    """Tokens by class; a class that one call does not know is unknown."""
    if run.recorded is not None:
        return [None] * len(CLASSES)
    # Not run.usage: this is done for every run of a study, and a sum by class is much quicker.
    calls = [msgspec.structs.astuple(call.tokens) for call in run.model_calls]
    if not calls:
        return [0] * len(CLASSES)
    return [None if None in column else sum(column) for column in zip(*calls, strict=True)]


def _all_tokens(run: Run, by_class: Sequence[int | None]) -> float | None:
    if run.recorded is not None:
        return run.recorded.tokens
    known = [count for count in by_class if count is not None]
    return sum(known) if len(known) == len(by_class) else None


def _dollars(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)


def _seconds(run: Run) -> float | None:
    return run.wall_s if run.recorded is None else run.recorded.latency_s


def _tool_calls(run: Run) -> float | None:
    if run.recorded is not None:
        return run.recorded.tool_calls
    return sum(use.answered_by == "tool" for step in run.steps for use in step.tool_uses)
