"""What a store must do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from leanloop.core.run import Run


class StudyRecord(msgspec.Struct, frozen=True):
    """A study as a store keeps it.

    Attributes:
        name: Unique in the store.
        spec_json: The study's own description, whole.
        fingerprint: Hash of what decides how a run turns out.
    """

    name: str
    spec_json: str
    fingerprint: str


class Store(Protocol):
    """Keeps studies and finished runs. A run that was recorded is never lost nor kept twice."""

    def open_study(self, study: StudyRecord) -> None:
        """Register a study, or find it again.

        Raises:
            BadInputError: A study of that name has another fingerprint.
        """

    def study(self, name: str) -> StudyRecord | None:
        """The study of that name, or None."""

    def studies(self) -> Sequence[str]:
        """Names of all studies, oldest first."""

    def record(self, study: str, run: Run) -> None:
        """Keep a run; an outage is replaced by a later run of the same key, nothing else is."""

    def runs(self, study: str) -> Sequence[Run]:
        """Every run of a study, in the order in which they were recorded."""

    def save_result(self, study: str, result_json: bytes) -> None:
        """Keep what a study found, in the place of what it found before."""

    def result(self, study: str) -> bytes | None:
        """What a study found last, or None."""

    def close(self) -> None:
        """Release what it holds."""
