"""What others ask of a study while it runs: to pause, to stop, or to spend more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from leanloop.core.errors import StoppedError
from leanloop.store.protocol import Control, Store

LOOK_S = 1.0
"""Seconds between two looks at the store, at least."""
WAIT_S = 0.25
"""Seconds between two looks while a study is paused."""


class Orders:
    """Looks now and then at what is asked of a study.

    Caps are only ever raised: the greater of the study's own and what was asked holds.

    Args:
        study: Its name in the store.
        store: Where it is asked.
        max_usd: The study's own cap in dollars; None for none.
        max_runs: The study's own cap on runs of the search; None for none.
    """

    def __init__(
        self, study: str, store: Store, max_usd: float | None = None, max_runs: int | None = None
    ) -> None:
        self._study, self._store = study, store
        self._own = max_usd, max_runs
        self._looked_at = -LOOK_S
        self._control = Control()
        self._paused_at: float | None = None
        self._paused_s = 0.0
        self.told: Callable[[str], None] = lambda _: None
        """Says what a user should know."""

    @property
    def paused_s(self) -> float:
        """Seconds for which the study was paused, or is."""
        since = self._paused_at
        return self._paused_s + (0.0 if since is None else time.monotonic() - since)

    def begin(self) -> None:
        """Begin a session: what an earlier one was asked to end with is no order to this one."""
        control = self._look()
        if control.state != "run":
            what = {"pause": "paused", "stop": "stopped"}[control.state]
            self.told(f"it was {what} from the dashboard before: it goes on now")
            self._store.ask(self._study, "run")
            self._look()
        for said in self._raised(control):
            self.told(said)

    def max_usd(self, *, now: bool = False) -> float | None:
        """The cap in dollars.

        Args:
            now: Whether to look at the store at once; else as it was a moment ago.
        """
        own = self._own[0]
        if own is None:
            return None
        return max(own, (self._look() if now else self._recent()).max_usd or 0.0)

    def max_runs(self, *, now: bool = False) -> int | None:
        """The cap on runs of the search, as ``max_usd``."""
        own = self._own[1]
        if own is None:
            return None
        return max(own, (self._look() if now else self._recent()).max_runs or 0)

    async def may_begin(self) -> bool:
        """Whether a run may begin: waits while the study is paused; False once it is stopped."""
        control = self._recent()
        try:
            while control.state == "pause":
                if self._paused_at is None:
                    self._paused_at = time.monotonic()
                    self.told("paused from the dashboard: no run begins until it is resumed")
                await asyncio.sleep(WAIT_S)
                control = self._recent()
        finally:
            self._end_pause()
        return control.state != "stop"

    async def check(self) -> None:
        """Wait while the study is paused.

        Raises:
            StoppedError: It is stopped.
        """
        if not await self.may_begin():
            raise StoppedError("stopped from the dashboard")

    def _end_pause(self) -> None:
        if self._paused_at is None:
            return
        self._paused_s, self._paused_at = self.paused_s, None
        if self._control.state == "run":
            self.told("resumed from the dashboard")

    def _raised(self, control: Control) -> list[str]:
        """What has to be said of caps that were raised above the study's own."""
        usd, runs = self._own
        said = []
        if usd is not None and (control.max_usd or 0.0) > usd:
            said.append(f"the cap of ${usd:g} was raised to ${control.max_usd:g}")
        if runs is not None and (control.max_runs or 0) > runs:
            said.append(f"the cap of {runs:,} runs was raised to {control.max_runs:,}")
        return said

    def _recent(self) -> Control:
        if time.monotonic() - self._looked_at < (LOOK_S if self._paused_at is None else WAIT_S):
            return self._control
        return self._look()

    def _look(self) -> Control:
        before, self._control = self._control, self._store.control(self._study)
        first = self._looked_at == -LOOK_S
        self._looked_at = time.monotonic()
        if not first:
            old = set(self._raised(before))
            for said in self._raised(self._control):
                if said not in old:
                    self.told(said)
        return self._control
