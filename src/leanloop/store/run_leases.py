"""Leases of runs, in a SQL database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from leanloop.core.run import RunKey, Status
from leanloop.store.database import Database
from leanloop.store.lease import Lease, is_gone
from leanloop.store.tables import LEASES, RUNS, is_of, key_columns

LEASE_KEY = ("study", "configuration_id", "task_id", "seed")
GIVE_UP = sa.delete(LEASES).where(
    sa.and_(*(LEASES.c[name] == sa.bindparam(name) for name in LEASE_KEY))
)
"""Takes the lease of a run away."""


class SqlRunLeases:
    """Says which runs an owner may make, so that no two programs make one.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, study: str, keys: Sequence[RunKey], lease: Lease) -> Sequence[RunKey]:
        """Set runs aside for one owner, so that nobody else makes them meanwhile.

        Returns:
            Those that the owner may make: neither recorded nor leased to another.
        """
        if not keys:
            return []
        rows = [
            {"study": study, **msgspec.structs.asdict(k), **msgspec.structs.asdict(lease)}
            for k in keys
        ]
        own = (LEASES.c.study == study) & (LEASES.c.owner == lease.owner)
        with self._database.writing() as connection:
            self._sweep(connection, study)
            connection.execute(self._database.insert(LEASES).on_conflict_do_nothing(), rows)
            held = _keys(connection, LEASES, own)
            some = RUNS.c.configuration_id.in_({k.configuration_id for k in keys})
            there = (RUNS.c.study == study) & some & (RUNS.c.status != Status.OUTAGE)
            done = _keys(connection, RUNS, there)
            for key in keys:
                if msgspec.structs.astuple(key) in held & done:
                    connection.execute(sa.delete(LEASES).where(is_of(LEASES, study, key)))
        return [k for k in keys if msgspec.structs.astuple(k) in held - done]

    def renew(self, lease: Lease) -> None:
        """Let all leases of the owner last as long as this one."""
        with self._database.writing() as connection:
            where = LEASES.c.owner == lease.owner
            connection.execute(sa.update(LEASES).where(where).values(until=lease.until))

    def release(self, owner: str) -> None:
        """Give up all leases of the owner."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(LEASES).where(LEASES.c.owner == owner))

    def _sweep(self, connection: sa.Connection, study: str) -> None:
        """Take away leases that ran out or whose owner is dead."""
        mine = LEASES.c.study == study
        owners = connection.scalars(sa.select(LEASES.c.owner).where(mine).distinct()).all()
        gone = [o for o in owners if is_gone(o)]
        over = (LEASES.c.until < time.time()) | LEASES.c.owner.in_(gone)
        connection.execute(sa.delete(LEASES).where(mine & over))


def _keys(
    connection: sa.Connection, table: sa.Table, where: sa.ColumnElement[bool]
) -> set[tuple[Any, ...]]:
    return {tuple(r) for r in connection.execute(sa.select(*key_columns(table)).where(where))}
