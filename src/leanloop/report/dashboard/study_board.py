"""A study as the page shows it, kept up to date run by run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.pricing.cost import AXES
from leanloop.report.dashboard.board import Document, Rows
from leanloop.search.result import Figures, Member, Result
from leanloop.search.snapshot import Judged, Snapshot
from leanloop.search.spec import StudySpec
from leanloop.stats.comparison import Verdict
from leanloop.stats.interval import Interval
from leanloop.stats.running import RunningMean, RunningShare
from leanloop.store.find_study import find_study
from leanloop.store.following import follow_runs
from leanloop.store.lease import is_gone
from leanloop.store.protocol import Control, Paid, Store

AT_ONCE = 2000
"""Runs that are taken in before the page hears of them."""
SILENT_S = 600.0
"""Seconds without a word after which a process elsewhere is said not to be heard of."""
RECENT_S = 30.0
"""Seconds since a run ended for which a study that tells nothing of itself is taken to run."""


class Line(NamedTuple):
    """A run as the page lists it."""

    task: str
    seed: int
    split: str
    status: str
    success: float | None
    usd: float | None
    latency_s: float | None
    tokens: float | None
    tool_calls: float | None
    steps: int
    reason: str


@dataclass
class Tally:
    """Figures of a configuration on one split, as runs come in."""

    success: RunningShare = field(default_factory=RunningShare)
    costs: dict[str, RunningMean] = field(
        default_factory=lambda: {axis: RunningMean() for axis in AXES}
    )

    def add(self, line: Line) -> None:
        """Take in a run."""
        if line.success is None:
            return
        self.success.add(line.success)
        for axis, mean in self.costs.items():
            mean.add(getattr(line, axis))

    def document(self) -> Document:
        """Each figure as mean, low, high and n."""
        found = {"success": _interval(self.success.interval())}
        return found | {axis: _interval(mean.interval()) for axis, mean in self.costs.items()}


class StudyBoard:
    """A study, from what its process saves and the runs that it records.

    Args:
        store: Where it is.
        name: Its name.

    Raises:
        BadInputError: There is no such study.
    """

    def __init__(self, store: Store, name: str) -> None:
        record = find_study(store, name)
        self.name = name
        self.spec = msgspec.json.decode(record.spec_json, type=StudySpec)
        self.version = 0
        self._store = store
        self._prices = self.spec.price_book()
        self._following = follow_runs(store, name)
        self._lines: dict[str, dict[tuple[str, int], Line]] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._counts = dict.fromkeys(Split, 0)
        self._usd, self._unknown, self._last_end = Decimal(0), 0, 0.0
        self._families: dict[str, str] = {}
        self._snapshot: Snapshot | None = None
        self._snapshot_number = 0
        self._result: Result | None = None
        self._result_runs = -1
        self._control, self._paid = Control(), Paid()
        self._rows, self._head = Rows(), Document()

    # What is new.

    def poll(self) -> bool:
        """Take in what the store has got since the last call.

        Returns:
            Whether there is more to take in at once.
        """
        runs = self._following.new(AT_ONCE)
        changed = {run.key.configuration_id for run in runs}
        for run in runs:
            self._add(run)
        saved = self._store.standing(self.name, self._snapshot_number)
        if saved is not None:
            self._snapshot_number, raw = saved
            self._snapshot = _snapshot(raw)
        self._control = self._store.control(self.name)
        self._paid = self._store.paid(self.name)
        if saved is not None or (runs and len(runs) < AT_ONCE) or self._result_runs < 0:
            self._read_result()
        self._show(changed, all_of_them=saved is not None or self._is_over())
        return len(runs) >= AT_ONCE

    def _add(self, run: Run) -> None:
        cost = self._prices.cost(run)
        usd = cost.axis("usd")
        line = Line(
            run.key.task_id,
            run.key.seed,
            str(run.split),
            str(run.status),
            run.success,
            usd,
            cost.latency_s,
            cost.tokens,
            cost.tool_calls,
            len(run.steps),
            run.reason,
        )
        own = self._lines.setdefault(run.key.configuration_id, {})
        at = run.key.task_id, run.key.seed
        self._counts[run.split] += at not in own
        own[at] = line
        if run.family:
            self._families[run.key.task_id] = run.family
        self._usd += cost.usd or 0
        self._unknown += cost.usd is None
        self._last_end = max(self._last_end, run.started_at + run.wall_s)
        key = run.key.configuration_id, line.split
        self._tallies.setdefault(key, Tally()).add(line)

    def _read_result(self) -> None:
        """The result, where the study is over; it is long, so it is not read at every look."""
        count = sum(self._counts.values())
        over = self._snapshot is None or self._snapshot.phase == "done"
        if not over:
            self._result = None
        elif self._result_runs != count or self._result is None:
            raw = self._store.result(self.name)
            self._result = None if raw is None else msgspec.json.decode(raw, type=Result)
            self._result_runs = count

    # What is shown.

    def state(self, since: int = 0) -> Document:
        """What is shown; of its rows only those that changed after a version."""
        return {
            "version": self.version,
            "whole": since == 0,
            "head": self._head,
            "rows": self._rows.since(since),
        }

    def _show(self, changed: set[str], *, all_of_them: bool) -> None:
        names = self._everyone() if all_of_them else changed
        fresh = self.version + 1
        moved = [self._rows.put(name, self._row(name), fresh) for name in names]
        head = self._new_head()
        if any(moved) or head != self._head or not self.version:
            self.version, self._head = fresh, head

    def _everyone(self) -> set[str]:
        found = set(self._lines)
        if self._snapshot is not None:
            found |= set(self._snapshot.settings)
        return found

    def _row(self, name: str) -> Document:
        member = self._result.member(name) if self._is_over() and self._result else None
        return {
            "id": name,
            "settings": self._settings(name),
            "role": self._role(name),
            "reference": self._reference(name),
            "recommended": self._result is not None and self._result.recommended == name,
            "p_frontier": self._chance(name, member),
            "why": self._why(name),
            "runs": len(self._lines.get(name, {})),
            "search": self._figures(name, Split.SEARCH, member),
            "holdout": self._figures(name, Split.HOLDOUT, member),
            "verdict": None if member is None else _verdict(member.verdict),
            "from_result": member is not None,
        }

    def _figures(self, name: str, split: Split, member: Member | None) -> Document | None:
        known: Figures | None = None if member is None else getattr(member, str(split))
        if known is not None and known.success.n:
            return {axis: _interval(getattr(known, axis)) for axis in ("success", *AXES)}
        tally = self._tallies.get((name, str(split)))
        return None if tally is None or not tally.success.n else tally.document()

    def _settings(self, name: str) -> dict[str, Any] | None:
        """None where nobody has said yet what they are."""
        if self._snapshot is not None and name in self._snapshot.settings:
            return dict(self._snapshot.settings[name])
        member = self._result.member(name) if self._result else None
        if member is not None:
            return dict(member.settings)
        out = [d for d in self._result.dropped if d.id == name] if self._result else []
        return dict(out[0].settings) if out else self._own_settings().get(name)

    def _own_settings(self) -> dict[str, dict[str, Any]]:
        """Of what the study's own description names."""
        if self.spec.suite.recorded is not None:
            return {}
        try:
            base = self.spec.baseline_configuration()
            every = [base, *(_changed(self.spec, base, c) for c in self.spec.references.values())]
        except BadInputError:
            # Of a package that is not installed here.
            return {}
        return {c.id: dict(c) for c in every}

    def _baseline(self) -> str | None:
        if self._snapshot is not None:
            return self._snapshot.baseline
        if self._result is not None:
            return self._result.baseline.id
        return next(iter(self._own_settings()), None)

    def _role(self, name: str) -> str:
        snapshot, result = self._snapshot, self._result
        if name == self._baseline():
            return "baseline"
        if name in self._dropped():
            return "dropped"
        members = result.frontier if result is not None else ()
        on = {m.id for m in members}
        if not on and snapshot is not None and snapshot.judged is not None:
            on = set(snapshot.judged.members)
        if name in on:
            return "member"
        racing = snapshot is None or name in snapshot.alive
        return "alive" if racing and not self._reference(name) else "reference"

    def _reference(self, name: str) -> str:
        known = {} if self._snapshot is None else self._snapshot.references
        if self._snapshot is None and self._result is not None:
            known = {n: m.id for n, m in self._result.references.items()}
        return next((n for n, id_ in known.items() if id_ == name), "")

    def _dropped(self) -> dict[str, str]:
        """Who left the race, and why."""
        every = self._snapshot.dropped if self._snapshot is not None else ()
        if self._result is not None:
            every = (*every, *self._result.dropped)
        found = {}
        for d in every:
            if d.breaks:
                found[d.id] = f"shown to break {d.breaks}, on {d.n} tasks"
            else:
                sure = "" if d.probability is None else f", probability {d.probability:.3f}"
                found[d.id] = f"shown beaten by {d.rival} on {d.n} common tasks{sure}"
        return found

    def _why(self, name: str) -> str:
        return self._dropped().get(name, "")

    def _chance(self, name: str, member: Member | None) -> float | None:
        if member is not None:
            return member.p_frontier
        judged = self._judged()
        return None if judged is None else judged.chances.get(name)

    def _judged(self) -> Judged | None:
        return None if self._snapshot is None else self._snapshot.judged

    def _is_over(self) -> bool:
        return self._result is not None

    # The head.

    def _new_head(self) -> Document:
        snapshot, result, spec = self._snapshot, self._result, self.spec
        return {
            "study": self.name,
            "state": self._running(),
            "asked": self._control.state,
            "phase": "" if snapshot is None else snapshot.phase,
            "runs": sum(self._counts.values()),
            "search_runs": self._counts[Split.SEARCH],
            "configurations": len(self._lines),
            **self._money(),
            "max_runs": self._cap("max_runs", spec.max_runs),
            "max_wall_s": spec.budget.max_wall_s if snapshot is None else snapshot.max_wall_s,
            "elapsed_s": self._elapsed_s(),
            "saved_at": None if snapshot is None else snapshot.saved_at,
            "holdout_left_s": None if snapshot is None else snapshot.left_s,
            "objectives": dict(spec.objectives),
            "margin": spec.margin,
            "constraints": list(spec.constraints),
            "models": {a: f"{m.provider}:{m.name}" for a, m in spec.models.items()},
            "baseline": self._baseline(),
            "frontier": self._frontier_words(),
            "levers": list(self._levers()),
            "finding": None if result is None else _finding(result),
            "stopped_because": self._stopped_because(),
        }

    def _stopped_because(self) -> str:
        if self._result is not None:
            return self._result.stopped_because
        return "" if self._snapshot is None else self._snapshot.stopped_because

    def _elapsed_s(self) -> float | None:
        if self._result is not None:
            return self._result.elapsed_s
        return None if self._snapshot is None else self._snapshot.elapsed_s

    def _money(self) -> Document:
        paid = max(self._usd, self._paid.usd)
        return {
            "spent_usd": float(paid),
            "unpriced_calls": max(self._unknown, self._paid.unknown_calls),
            "max_usd": self._cap("max_usd", self.spec.budget.max_usd),
        }

    def _cap(self, name: str, own: float | None) -> float | None:
        """A cap as it is now: the study's own, as it was run, or what it was raised to."""
        known = own if self._snapshot is None else getattr(self._snapshot, name)
        asked = getattr(self._control, name)
        return None if known is None else max(known, asked or 0)

    def _running(self) -> str:
        """Running, paused, stopping, stopped, done, ended (dead) or unknown."""
        snapshot = self._snapshot
        if snapshot is None:
            if self._result is not None:
                return "done"
            return "running" if time.time() - self._last_end < RECENT_S else "unknown"
        if snapshot.phase in ("done", "stopped"):
            return snapshot.phase
        if is_gone(snapshot.owner):
            return "ended"
        if time.time() - max(snapshot.saved_at, self._last_end) > SILENT_S:
            return "paused" if self._control.state == "pause" else "unknown"
        return {"run": "running", "pause": "paused", "stop": "stopping"}[self._control.state]

    def _frontier_words(self) -> Document | None:
        result, judged = self._result, self._judged()
        if result is not None:
            return {"runs": result.runs, "p_wrong": result.p_wrong, "p_helps": result.p_helps}
        if judged is None:
            return None
        return {"runs": judged.runs, "p_wrong": judged.p_wrong, "p_helps": judged.p_helps}

    def _levers(self) -> Iterator[Document]:
        judged = self._judged()
        effects = self._result.levers if self._result else judged.levers if judged else ()
        for effect in effects:
            verdict = _verdict(effect.verdict)
            yield {"lever": effect.lever, "setting": effect.setting, "verdict": verdict}

    # One configuration.

    def configuration(self, name: str) -> Document:
        """A configuration with its runs.

        Raises:
            BadInputError: There is none of that id.
        """
        if name not in self._everyone():
            raise BadInputError(f"configuration {name!r}", "is not in this study")
        lines = list(self._lines.get(name, {}).values())
        runs = [{**line._asdict(), "family": self._families.get(line.task, "")} for line in lines]
        return {"row": self._row(name), "runs": runs}

    def others(self, task: str, seed: int) -> list[Document]:
        """Every run of a task: which configuration, and how it went."""
        found = []
        for name, lines in list(self._lines.items()):
            line = lines.get((task, seed))
            if line is not None:
                settings, role = self._settings(name), self._role(name)
                found.append({"id": name, "settings": settings, "role": role, **line._asdict()})
        return found

    def settings_of(self, name: str) -> Configuration | None:
        """A configuration by its id; None while nobody has said what it is."""
        known = self._settings(name)
        return None if known is None else Configuration(known)


def _snapshot(raw: bytes) -> Snapshot | None:
    try:
        return msgspec.json.decode(raw, type=Snapshot)
    except msgspec.DecodeError:
        # Of another version of leanloop.
        return None


def _changed(spec: StudySpec, base: Configuration, changes: dict[str, Any]) -> Configuration:
    return base.changed(spec.configuration(changes, "references"))


def _interval(i: Interval) -> list[float | None]:
    # Infinite ends have no place in JSON; None is an end that is not known.
    ends = [v if v is None or abs(v) != float("inf") else None for v in (i.mean, i.low, i.high)]
    return [*ends, i.n]


def _verdict(verdict: Verdict | None) -> Document | None:
    if verdict is None:
        return None
    found: Document = {name: _interval(getattr(verdict, name)) for name in ("success", *AXES)}
    return found | {"sentence": verdict.sentence}


def _finding(result: Result) -> Document:
    return {
        "recommended": result.recommended,
        "why": result.recommendation,
        "search_usd": result.search_usd,
        "break_even_tasks": result.break_even_tasks,
        "prices": dict(result.prices),
    }
