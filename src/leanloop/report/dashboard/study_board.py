"""A study as the page shows it, kept up to date run by run."""

from __future__ import annotations

import time

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.pricing.cost import AXES
from leanloop.report.dashboard.board import Document, Shown, read_saved
from leanloop.report.dashboard.shown_figures import show_interval, show_verdict
from leanloop.report.dashboard.study_runs import StudyRuns
from leanloop.report.dashboard.study_standing import StudyStanding
from leanloop.search.result import Figures, Member, Result
from leanloop.search.snapshot import Snapshot
from leanloop.search.spec import StudySpec
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
        self._store = store
        self._following = follow_runs(store, name)
        self._runs = StudyRuns(self.spec.price_book())
        self._standing = StudyStanding(self.spec)
        self._snapshot_number = 0
        self._result_runs = -1
        self._control, self._paid = Control(), Paid()
        self._shown = Shown()

    @property
    def version(self) -> int:
        """Grows with every change."""
        return self._shown.version

    # What is new.

    def poll(self) -> bool:
        """Take in what the store has got since the last call.

        Returns:
            Whether there is more to take in at once.
        """
        runs = self._following.new(AT_ONCE)
        changed = {run.key.configuration_id for run in runs}
        for run in runs:
            self._runs.add(run)
        saved = self._store.standing(self.name, self._snapshot_number)
        if saved is not None:
            self._snapshot_number, raw = saved
            self._standing.snapshot = read_saved(raw, Snapshot)
        self._control = self._store.control(self.name)
        self._paid = self._store.paid(self.name)
        if saved is not None or (runs and len(runs) < AT_ONCE) or self._result_runs < 0:
            self._read_result()
        if saved is not None or self._standing.result is not None:
            changed = self._everyone()
        self._shown.show({name: self._row(name) for name in changed}, self._new_head())
        return len(runs) >= AT_ONCE

    def _read_result(self) -> None:
        """The result, where the study is over; it is long, so it is not read at every look."""
        standing, count = self._standing, len(self._runs)
        over = standing.snapshot is None or standing.snapshot.phase == "done"
        if not over:
            standing.result = None
        elif self._result_runs != count or standing.result is None:
            raw = self._store.result(self.name)
            standing.result = None if raw is None else msgspec.json.decode(raw, type=Result)
            self._result_runs = count

    # What is shown.

    def state(self, since: int = 0) -> Document:
        """What is shown; of its rows only those that changed after a version."""
        return self._shown.state(since)

    def _everyone(self) -> set[str]:
        snapshot = self._standing.snapshot
        return self._runs.configurations | (set() if snapshot is None else set(snapshot.settings))

    def _row(self, name: str) -> Document:
        standing, member = self._standing, self._standing.member(name)
        return {
            "id": name,
            "settings": standing.settings(name),
            "role": standing.role(name),
            "reference": standing.reference(name),
            "recommended": standing.result is not None and standing.result.recommended == name,
            "p_frontier": standing.chance(name) if member is None else member.p_frontier,
            "why": standing.why(name),
            "runs": self._runs.count(name),
            "search": self._figures(name, Split.SEARCH, member),
            "holdout": self._figures(name, Split.HOLDOUT, member),
            "verdict": None if member is None else show_verdict(member.verdict),
            "from_result": member is not None,
        }

    def _figures(self, name: str, split: Split, member: Member | None) -> Document | None:
        known: Figures | None = None if member is None else getattr(member, str(split))
        if known is not None and known.success.n:
            return {axis: show_interval(getattr(known, axis)) for axis in ("success", *AXES)}
        return self._runs.figures(name, split)

    # The head.

    def _new_head(self) -> Document:
        standing, spec = self._standing, self.spec
        snapshot, result = standing.snapshot, standing.result
        return {
            "study": self.name,
            "state": self._running(),
            "asked": self._control.state,
            "phase": "" if snapshot is None else snapshot.phase,
            "runs": len(self._runs),
            "search_runs": self._runs.counts[Split.SEARCH],
            "configurations": len(self._runs.configurations),
            **self._money(),
            "max_runs": self._cap("max_runs", spec.max_runs),
            "max_wall_s": spec.budget.max_wall_s if snapshot is None else snapshot.max_wall_s,
            "elapsed_s": standing.elapsed_s(),
            "saved_at": None if snapshot is None else snapshot.saved_at,
            "holdout_left_s": None if snapshot is None else snapshot.left_s,
            "objectives": dict(spec.objectives),
            "margin": spec.margin,
            "constraints": list(spec.constraints),
            "models": {a: f"{m.provider}:{m.name}" for a, m in spec.models.items()},
            "baseline": standing.baseline(),
            "frontier": standing.frontier(),
            "levers": list(standing.levers()),
            "finding": None if result is None else _finding(result),
            "stopped_because": standing.stopped_because(),
        }

    def _money(self) -> Document:
        paid = max(self._runs.usd, self._paid.usd)
        return {
            "spent_usd": float(paid),
            "unpriced_calls": max(self._runs.unknown, self._paid.unknown_calls),
            "max_usd": self._cap("max_usd", self.spec.budget.max_usd),
        }

    def _cap(self, name: str, own: float | None) -> float | None:
        """A cap as it is now: the study's own, as it was run, or what it was raised to."""
        snapshot = self._standing.snapshot
        known = own if snapshot is None else getattr(snapshot, name)
        asked = getattr(self._control, name)
        return None if known is None else max(known, asked or 0)

    def _running(self) -> str:
        """Running, paused, stopping, stopped, done, ended (dead) or unknown."""
        snapshot, last_end = self._standing.snapshot, self._runs.last_end
        if snapshot is None:
            if self._standing.result is not None:
                return "done"
            return "running" if time.time() - last_end < RECENT_S else "unknown"
        if snapshot.phase in ("done", "stopped"):
            return snapshot.phase
        if is_gone(snapshot.owner):
            return "ended"
        if time.time() - max(snapshot.saved_at, last_end) > SILENT_S:
            return "paused" if self._control.state == "pause" else "unknown"
        return {"run": "running", "pause": "paused", "stop": "stopping"}[self._control.state]

    # One configuration.

    def configuration(self, name: str) -> Document:
        """A configuration with its runs.

        Raises:
            BadInputError: There is none of that id.
        """
        if name not in self._everyone():
            raise BadInputError(f"configuration {name!r}", "is not in this study")
        return {"row": self._row(name), "runs": self._runs.listed(name)}

    def others(self, task: str, seed: int) -> list[Document]:
        """Every run of a task: which configuration, and how it went."""
        found = []
        for name, line in self._runs.of_task(task, seed).items():
            settings, role = self._standing.settings(name), self._standing.role(name)
            found.append({"id": name, "settings": settings, "role": role, **line._asdict()})
        return found

    def settings_of(self, name: str) -> Configuration | None:
        """A configuration by its id; None while nobody has said what it is."""
        known = self._standing.settings(name)
        return None if known is None else Configuration(known)


def _finding(result: Result) -> Document:
    return {
        "recommended": result.recommended,
        "why": result.recommendation,
        "search_usd": result.search_usd,
        "break_even_tasks": result.break_even_tasks,
        "prices": dict(result.prices),
    }
