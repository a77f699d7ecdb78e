"""How a study stands, by its description, by what its process saves and by what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.report.dashboard.board import Document
from leanloop.report.dashboard.shown_figures import show_verdict
from leanloop.search.result import Member, Result
from leanloop.search.snapshot import Judged, Snapshot
from leanloop.search.spec import StudySpec


class StudyStanding:
    """What is known of a study and its configurations beside their runs.

    Args:
        spec: The study's own description.
    """

    def __init__(self, spec: StudySpec) -> None:
        self.spec = spec
        self.snapshot: Snapshot | None = None
        """As its process saved it last; None before that."""
        self.result: Result | None = None
        """What it found; None while it is not over."""

    def member(self, name: str) -> Member | None:
        """A configuration as the result has it; None while there is none."""
        return None if self.result is None else self.result.member(name)

    def settings(self, name: str) -> dict[str, Any] | None:
        """Settings of a configuration; None where nobody has said yet what they are."""
        if self.snapshot is not None and name in self.snapshot.settings:
            return dict(self.snapshot.settings[name])
        member = self.member(name)
        if member is not None:
            return dict(member.settings)
        out = [d for d in self.result.dropped if d.id == name] if self.result else []
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

    def baseline(self) -> str | None:
        """Id of the configuration to beat; None where nobody has said yet."""
        if self.snapshot is not None:
            return self.snapshot.baseline
        if self.result is not None:
            return self.result.baseline.id
        return next(iter(self._own_settings()), None)

    def role(self, name: str) -> str:
        """``baseline``, ``dropped``, ``member`` of the frontier, ``alive`` or ``reference``."""
        snapshot, result = self.snapshot, self.result
        if name == self.baseline():
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
        return "alive" if racing and not self.reference(name) else "reference"

    def reference(self, name: str) -> str:
        """The name by which the study refers to a configuration; empty for none."""
        known = {} if self.snapshot is None else self.snapshot.references
        if self.snapshot is None and self.result is not None:
            known = {n: m.id for n, m in self.result.references.items()}
        return next((n for n, id_ in known.items() if id_ == name), "")

    def _dropped(self) -> dict[str, str]:
        """Who left the race, and why."""
        every = self.snapshot.dropped if self.snapshot is not None else ()
        if self.result is not None:
            every = (*every, *self.result.dropped)
        found = {}
        for d in every:
            if d.breaks:
                found[d.id] = f"shown to break {d.breaks}, on {d.n} tasks"
            else:
                sure = "" if d.probability is None else f", probability {d.probability:.3f}"
                found[d.id] = f"shown beaten by {d.rival} on {d.n} common tasks{sure}"
        return found

    def why(self, name: str) -> str:
        """Why a configuration left the race; empty where it did not."""
        return self._dropped().get(name, "")

    def chance(self, name: str) -> float | None:
        """Probability of being on the frontier, as its process judged it last; None before that."""
        judged = self._judged()
        return None if judged is None else judged.chances.get(name)

    def _judged(self) -> Judged | None:
        return None if self.snapshot is None else self.snapshot.judged

    def stopped_because(self) -> str:
        """Why the search ended; empty while it goes on."""
        if self.result is not None:
            return self.result.stopped_because
        return "" if self.snapshot is None else self.snapshot.stopped_because

    def elapsed_s(self) -> float | None:
        """Seconds that the study has taken; None where it tells nothing of itself."""
        if self.result is not None:
            return self.result.elapsed_s
        return None if self.snapshot is None else self.snapshot.elapsed_s

    def frontier(self) -> Document | None:
        """How sure the frontier is, and after how many runs; None before it was judged."""
        result, judged = self.result, self._judged()
        if result is not None:
            return {"runs": result.runs, "p_wrong": result.p_wrong, "p_helps": result.p_helps}
        if judged is None:
            return None
        return {"runs": judged.runs, "p_wrong": judged.p_wrong, "p_helps": judged.p_helps}

    def levers(self) -> Iterator[Document]:
        """Each lever alone against the baseline."""
        judged = self._judged()
        effects = self.result.levers if self.result else judged.levers if judged else ()
        for effect in effects:
            verdict = show_verdict(effect.verdict)
            yield {"lever": effect.lever, "setting": effect.setting, "verdict": verdict}


def _changed(spec: StudySpec, base: Configuration, changes: dict[str, Any]) -> Configuration:
    return base.changed(spec.configuration(changes, "references"))
