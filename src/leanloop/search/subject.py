"""What is optimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from leanloop.core.configuration import Configuration, Setting
from leanloop.core.task import Split, Task
from leanloop.pricing.cost import PriceBook
from leanloop.search.recorded import RecordedRuns
from leanloop.search.spec import StudySpec
from leanloop.search.task_report import Agreement


class Tasks(Protocol):
    """What has tasks in two splits."""

    def tasks(self, split: Split) -> Sequence[Task]:
        """Tasks of a split."""


class Subject(Protocol):
    """What is optimised: a study."""

    spec: StudySpec
    prices: PriceBook
    recorded: RecordedRuns | None
    tasks: Tasks
    judge: Agreement | None
    judge_usd: float | None

    def space(self) -> dict[str, tuple[Setting, ...]]:
        """Lever to the settings to try."""

    def configuration(self, settings: Mapping[str, Any], where: str) -> Configuration:
        """Lever settings as a configuration."""

    def price_labels(self) -> dict[str, str]:
        """What each model is and where its price comes from."""
