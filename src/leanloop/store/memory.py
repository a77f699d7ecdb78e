"""Memories in a SQL store, for agents that live longer than a study."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from leanloop.core.memory import Entry, MemoryChange, after_change, changed_id
from leanloop.store.database import Database
from leanloop.store.protocol import News
from leanloop.store.tables import ENTRIES, MEMORIES

AT_ONCE = 500
"""Entries that are asked for at once: a database takes only so many values."""


class SqlMemory:
    """The entries of one memory. Several agents may write at once, and any may die at any moment.

    What one run changed is kept in one transaction, whole or not at all. An entry
    that was let go leaves its id behind, so that others hear of it; as many of these
    are kept as entries may be, and who missed more reads the whole memory again.

    Args:
        database: Where they are.
        name: The memory's name.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._engine, self._insert, self.name = database.engine, database.insert, name
        self._mine = ENTRIES.c.memory == name

    def apply(self, changes: Sequence[MemoryChange], bound: int) -> None:
        """Keep changes, and let go of the least worth where there are too many.

        Args:
            changes: In order.
            bound: Entries that the memory holds at most, inclusive.
        """
        with self._engine.begin() as connection:
            self.apply_in(connection, changes, bound)

    def apply_in(
        self, connection: sa.Connection, changes: Sequence[MemoryChange], bound: int
    ) -> None:
        """Keep changes in a transaction that somebody else has begun, as ``apply`` does."""
        if not changes:
            return
        number = self._numbered(connection, len(changes))
        entries = self._some(connection, [changed_id(c) for c in changes])
        for change in changes:
            entry_id = changed_id(change)
            entries[entry_id] = after_change(entries.get(entry_id), change)
        for at, (entry_id, entry) in enumerate(entries.items()):
            self._set(connection, entry_id, entry, number + at)
        self._let_go(connection, bound, number)

    def news(self, since: int = -1) -> News:
        """What has changed since a number that an earlier call gave.

        Args:
            since: That number; 0 for everything, what was let go included as far as it
                is known; -1 for everything that there is.
        """
        with self._engine.connect() as connection:
            known = sa.select(MEMORIES.c.number, MEMORIES.c.swept)
            row = connection.execute(known.where(MEMORIES.c.name == self.name)).first()
            number, swept = (0, 0) if row is None else row
            if number == since:
                return News(number, whole=False, entries={})
            whole = since < swept
            wanted = self._mine if whole else self._mine & (ENTRIES.c.number > since)
            query = sa.select(ENTRIES.c.entry_id, ENTRIES.c.entry_json).where(wanted)
            found = connection.execute(query.order_by(ENTRIES.c.number)).all()
        entries = {i: _read(raw) for i, raw in found if raw is not None or not whole}
        return News(number, whole=whole, entries=entries)

    def _numbered(self, connection: sa.Connection, count: int) -> int:
        """The first of the numbers that these changes have; whoever else writes waits."""
        insert = self._insert(MEMORIES).values(name=self.name, number=count, swept=0)
        upsert = insert.on_conflict_do_update(
            index_elements=["name"], set_={"number": MEMORIES.c.number + count}
        ).returning(MEMORIES.c.number)
        last: int = connection.execute(upsert).scalar_one()
        return last - count + 1

    def _some(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, Entry | None]:
        query = sa.select(ENTRIES.c.entry_id, ENTRIES.c.entry_json)
        wanted, found = list(dict.fromkeys(ids)), dict[str, Entry | None]()
        for at in range(0, len(wanted), AT_ONCE):
            some = self._mine & ENTRIES.c.entry_id.in_(wanted[at : at + AT_ONCE])
            found |= {i: _read(raw) for i, raw in connection.execute(query.where(some))}
        return found

    def _set(
        self, connection: sa.Connection, entry_id: str, entry: Entry | None, number: int
    ) -> None:
        row = {
            "memory": self.name,
            "entry_id": entry_id,
            "number": number,
            "worth": 0.0 if entry is None else entry.worth,
            "entry_json": None if entry is None else msgspec.json.encode(entry),
        }
        insert = self._insert(ENTRIES).values(**row)
        changed = {name: insert.excluded[name] for name in ("number", "worth", "entry_json")}
        connection.execute(
            insert.on_conflict_do_update(index_elements=["memory", "entry_id"], set_=changed)
        )

    def _let_go(self, connection: sa.Connection, bound: int, number: int) -> None:
        alive = self._mine & ENTRIES.c.entry_json.is_not(None)
        over = self._count(connection, alive) - bound
        if over > 0:
            worst = sa.select(ENTRIES.c.entry_id).where(alive)
            worst = worst.order_by(ENTRIES.c.worth, ENTRIES.c.number).limit(over)
            for entry_id in connection.scalars(worst).all():
                self._set(connection, entry_id, None, number)
        gone = self._mine & ENTRIES.c.entry_json.is_(None)
        if self._count(connection, gone) > 2 * bound:
            self._sweep(connection, gone, bound)

    def _sweep(self, connection: sa.Connection, gone: sa.ColumnElement[bool], kept: int) -> None:
        newest = sa.select(ENTRIES.c.number).where(gone).order_by(ENTRIES.c.number.desc())
        last = connection.scalar(newest.offset(kept).limit(1))
        connection.execute(sa.delete(ENTRIES).where(gone & (ENTRIES.c.number <= last)))
        mine = MEMORIES.c.name == self.name
        connection.execute(sa.update(MEMORIES).where(mine).values(swept=last))

    def _count(self, connection: sa.Connection, where: sa.ColumnElement[bool]) -> int:
        return connection.execute(sa.select(sa.func.count()).where(where)).scalar_one()


def _read(raw: bytes | None) -> Entry | None:
    return None if raw is None else msgspec.json.decode(raw, type=Entry)
