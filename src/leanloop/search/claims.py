"""Claims on runs, so that two programs on one study never make the same run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from leanloop.core.errors import BadInputError
from leanloop.core.run import Run, RunKey, Status
from leanloop.store.lease import Lease, new_owner
from leanloop.store.protocol import Store

LASTS_S = 60.0
"""Seconds that a lease lasts when its owner dies on another machine."""
BEAT_S = 15.0
"""Seconds between two renewals."""
LOOK_S = 0.2
"""Seconds between two looks at a run that another program is making."""


class Claims:
    """Leases of one program on a study's runs, renewed while it lives.

    Args:
        study: The study's name in the store.
        store: Where leases and runs are.
    """

    def __init__(self, study: str, store: Store) -> None:
        self._study, self._store = study, store
        self.owner = new_owner()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew the leases meanwhile, and give them up at the end."""
        beat = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beat.cancel()
            with suppress(BadInputError):
                self._store.release(self.owner)

    def take(self, keys: Sequence[RunKey]) -> set[RunKey]:
        """Those that are now this program's to make."""
        return set(self._store.lease(self._study, keys, self._lease()))

    async def wait(self, key: RunKey) -> Run | None:
        """The run that another program makes; None when it became this program's to make."""
        while True:
            found = self._store.find(self._study, key)
            if found is not None and found.status != Status.OUTAGE:
                return found
            if key in self.take([key]):
                return None
            await asyncio.sleep(LOOK_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            # A store that is away is told of where a run is recorded.
            with suppress(BadInputError):
                self._store.renew(self._lease())

    def _lease(self) -> Lease:
        return Lease(self.owner, time.time() + LASTS_S)
