"""Which split a task belongs to, and its place there, when nobody has said so."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from leanloop.core.errors import BadInputError
from leanloop.core.task import Split

T = TypeVar("T")


@dataclass(frozen=True)
class Places:
    """Splits by a digest: how many tasks are asked for moves none from one split to the other.

    Args:
        seed: Another seed is another division.
        holdout: The part that is held out, above 0 and below 1.
        search_tasks: At most so many in the search split; all of them when None.
        holdout_tasks: At most so many in the holdout; all of them when None.

    Raises:
        BadInputError: A number is out of bounds.
    """

    seed: int
    holdout: float
    search_tasks: int | None
    holdout_tasks: int | None

    def __post_init__(self) -> None:
        if not 0 < self.holdout < 1:
            raise BadInputError("suite.options", "holdout must be above 0 and below 1")
        for name in ("search_tasks", "holdout_tasks"):
            wanted = getattr(self, name)
            if wanted is not None and wanted < 1:
                raise BadInputError("suite.options", f"{name} must be at least 1")

    def place(self, key: str) -> float:
        """Where the key stands from 0 to 1; the last of them are held out."""
        digest = hashlib.sha256(f"{self.seed}/{key}".encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64

    def split(self, key: str) -> Split:
        """The split of what has that key; what belongs together has one key."""
        return Split.HOLDOUT if self.place(key) >= 1 - self.holdout else Split.SEARCH

    def divide(
        self, every: Iterable[T], cluster: Callable[[T], str], ident: Callable[[T], str]
    ) -> dict[Split, Sequence[T]]:
        """Both splits, each in an order that goes by digest too, so that its start is a sample.

        Where all would come to one split, the cluster that stands nearest goes to the other.

        Args:
            every: What there is.
            cluster: The key of those that must not be parted.
            ident: Its own key.
        """
        clusters: dict[str, list[T]] = {}
        for one in every:
            clusters.setdefault(cluster(one), []).append(one)
        keys = sorted(clusters, key=self.place)
        held = sum(self.split(key) is Split.HOLDOUT for key in keys)
        if len(keys) > 1:
            held = min(max(held, 1), len(keys) - 1)
        parts: dict[Split, list[T]] = {split: [] for split in Split}
        for index, key in enumerate(keys):
            split = Split.HOLDOUT if index >= len(keys) - held else Split.SEARCH
            parts[split] += clusters[key]
        counts = {Split.SEARCH: self.search_tasks, Split.HOLDOUT: self.holdout_tasks}
        return {
            split: sorted(part, key=lambda one: self.place(f"order/{ident(one)}"))[: counts[split]]
            for split, part in parts.items()
        }
