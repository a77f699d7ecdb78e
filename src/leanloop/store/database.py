"""A SQL database with the tables of a store: a SQLite file, or PostgreSQL for many machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from leanloop.core.errors import BadInputError
from leanloop.store.tables import METADATA

TRIES = 20
"""Tries to make the tables while another program does."""
WENT_AWAY = "the store went away; finished runs are kept, run it again to go on"


class Database:
    """Opens a database, makes the tables that it lacks, and reads and writes in transactions.

    Args:
        place: A SQLite file, made with its folder when it is not there; or the
            address of a PostgreSQL database, ``postgresql://user:password@host/name``.

    Raises:
        BadInputError: It cannot be opened. A password is never in the message.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = shown_place(place)
        """The file or address, without a password."""
        self.address = str(place.resolve()) if isinstance(place, Path) else place
        """What opens the same database in another process; it may hold a password."""
        try:
            self.engine = _engine(place)
            self._set_up_tables()
        except ModuleNotFoundError:
            remedy = "needs psycopg: install leanloop with the extra 'postgres'"
            raise BadInputError(self.place, remedy) from None
        except (sa.exc.DatabaseError, OSError):
            # What the driver says can hold the whole address.
            raise BadInputError(self.place, "not a store that can be opened") from None

    def insert(self, table: sa.Table) -> Any:  # noqa: ANN401 - a type for each database
        """An insert that may name what to do when the row is there already."""
        dialect = sqlite if self.engine.dialect.name == "sqlite" else postgresql
        return dialect.insert(table)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is kept whole or not at all.

        Raises:
            BadInputError: The database went away.
        """
        with self._there(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read by.

        Raises:
            BadInputError: The database went away.
        """
        with self._there(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def _there(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.OperationalError:
            raise BadInputError(self.place, WENT_AWAY) from None

    def close(self) -> None:
        """Release what it holds."""
        self.engine.dispose()

    def _set_up_tables(self) -> None:
        for attempt in range(TRIES):
            try:
                self._make_tables()
            except sa.exc.DatabaseError:
                # Another program may be making them in this moment.
                if attempt + 1 == TRIES:
                    raise
                time.sleep(0.05)
            else:
                return

    def _make_tables(self) -> None:
        with self.engine.begin() as connection:
            missing = set(METADATA.tables) - set(sa.inspect(connection).get_table_names())
            for table in METADATA.sorted_tables:
                if table.name in missing:
                    connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
                    for index in table.indexes:
                        connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def shown_place(place: Path | str) -> str:
    """A store's file or address as it may be shown: without a password.

    Raises:
        BadInputError: It is no address.
    """
    return str(place) if isinstance(place, Path) else _url(place).render_as_string()


def _url(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
    except (sa.exc.ArgumentError, ValueError):
        raise BadInputError("--store", "is no address of a database") from None
    if url.get_backend_name() != "postgresql":
        raise BadInputError("--store", "takes a file or the address of a PostgreSQL database")
    return url.set(drivername="postgresql+psycopg")


def _engine(place: Path | str) -> sa.Engine:
    if isinstance(place, str):
        # A pool that looks first: a server may have been away since the last run.
        return sa.create_engine(_url(place), pool_pre_ping=True, hide_parameters=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(f"sqlite:///{place}")
    sa.event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
