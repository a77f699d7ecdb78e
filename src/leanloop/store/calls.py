"""The calls that passed a gateway, in a SQL database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from leanloop.store.database import Database
from leanloop.store.protocol import CallRow, Outcome, Sum
from leanloop.store.tables import CALLS, OUTCOMES

LONGEST_LIST = 500
"""Numbers in one query; databases have a bound."""


class SqlCallLog:
    """Keeps the calls of one gateway and the outcomes of its sessions.

    Args:
        database: Where they are.
        gateway: The gateway's name.
    """

    def __init__(self, database: Database, gateway: str) -> None:
        self._engine = database.engine
        self._insert = database.insert
        self.gateway = gateway

    def keep(self, rows: Sequence[CallRow], outcomes: Sequence[Outcome] = ()) -> None:
        """Keep calls and outcomes in one transaction; nothing is kept twice.

        A later outcome of a session takes the place of an earlier one.
        """
        with self._engine.begin() as connection:
            if rows:
                values = [{"gateway": self.gateway, **msgspec.structs.asdict(r)} for r in rows]
                connection.execute(self._insert(CALLS).on_conflict_do_nothing(), values)
            for outcome in outcomes:
                insert = self._insert(OUTCOMES).values(
                    gateway=self.gateway, **msgspec.structs.asdict(outcome)
                )
                upsert = insert.on_conflict_do_update(
                    index_elements=["gateway", "session_id"],
                    set_={"success": insert.excluded.success},
                )
                connection.execute(upsert)

    def calls(self) -> Iterator[bytes]:
        """Every call, session by session, in the order in which they ended."""
        found = sa.select(CALLS.c.call_json).where(CALLS.c.gateway == self.gateway)
        ordered = found.order_by(CALLS.c.session_id, CALLS.c.number)
        with self._engine.connect() as connection:
            yield from connection.execution_options(yield_per=500).scalars(ordered)

    def recorded_after(
        self, number: int, again: Collection[int] = (), most: int = 1000
    ) -> Sequence[tuple[int, bytes]]:
        """Calls with their numbers, which grow in the order in which they were kept.

        Args:
            number: Those with a greater one.
            again: And those with one of these, if they are there.
            most: How many of the former at most.
        """
        # Said so that no index on the gateway serves, by which all of its calls would be sorted.
        own = sa.func.coalesce(CALLS.c.gateway, "") == self.gateway
        query = sa.select(CALLS.c.number, CALLS.c.call_json).where(own)
        with self._engine.connect() as connection:
            return rows_after(connection, query, CALLS.c.number, (number, again, most))

    def outcomes(self) -> Sequence[Outcome]:
        """Outcomes of sessions."""
        columns = (OUTCOMES.c.session_id, OUTCOMES.c.configuration_id, OUTCOMES.c.success)
        query = sa.select(*columns).where(OUTCOMES.c.gateway == self.gateway)
        with self._engine.connect() as connection:
            return [Outcome(*row) for row in connection.execute(query)]

    def sums(self) -> Sequence[Sum]:
        """What each session, key and day has spent."""
        found = []
        with self._engine.connect() as connection:
            for scope, column in (
                ("session", CALLS.c.session_id),
                ("key", CALLS.c.key),
                ("day", CALLS.c.day),
            ):
                usd, tokens = (sa.func.sum(c) for c in (CALLS.c.nano_usd, CALLS.c.tokens))
                query = sa.select(column, usd, tokens).where(CALLS.c.gateway == self.gateway)
                for name, nano_usd, count in connection.execute(query.group_by(column)):
                    found.append(Sum(scope, name, int(nano_usd or 0), int(count or 0)))
        return found

    def latest(self, sessions: int) -> Sequence[bytes]:
        """The last call that has a mark of each of the sessions that were heard of last.

        Args:
            sessions: How many; the one that was heard of last comes last.
        """
        of = (CALLS.c.gateway == self.gateway) & (CALLS.c.mark != "")
        last = sa.select(sa.func.max(CALLS.c.number)).where(of).group_by(CALLS.c.session_id)
        query = sa.select(CALLS.c.call_json).where(CALLS.c.number.in_(last))
        newest = query.order_by(CALLS.c.number.desc()).limit(sessions)
        with self._engine.connect() as connection:
            return list(connection.scalars(newest))[::-1]


def rows_after(
    connection: sa.Connection,
    query: sa.Select[Any],
    column: sa.Column[Any],
    wanted: tuple[int, Collection[int], int],
) -> list[tuple[int, Any]]:
    """Rows by their number.

    Args:
        connection: To the database.
        query: For the rows.
        column: Their number.
        wanted: Those with a greater number; those with one of these too; how many of the
            former at most.
    """
    number, again, most = wanted
    newer = query.where(column > number).order_by(column).limit(most)
    rows = [(at, raw) for at, raw in connection.execute(newer)]
    if again:
        named = query.where(column.in_(sorted(again)[:LONGEST_LIST])).order_by(column)
        rows = [*((at, raw) for at, raw in connection.execute(named)), *rows]
    return rows
