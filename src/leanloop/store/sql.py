"""A store in a SQL database, through SQLAlchemy: SQLite here, PostgreSQL for many machines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from leanloop.core.errors import BadInputError
from leanloop.core.run import Run, Status
from leanloop.store.protocol import StudyRecord

METADATA = sa.MetaData()
STUDIES = sa.Table(
    "studies",
    METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("spec_json", sa.String, nullable=False),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)
RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("study", sa.ForeignKey("studies.name"), nullable=False),
    sa.Column("configuration_id", sa.String, nullable=False),
    sa.Column("task_id", sa.String, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("success", sa.Float),
    sa.Column("run_json", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("study", "configuration_id", "task_id", "seed"),
)
RESULTS = sa.Table(
    "results",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("result_json", sa.LargeBinary, nullable=False),
)


class SqlStore:
    """Keeps each run in one transaction of its own, on disk before it is counted.

    Args:
        place: A SQLite file, made with its folder when it is not there; or the
            address of a PostgreSQL database, ``postgresql://user:password@host/name``.

    Raises:
        BadInputError: It cannot be opened. A password is never in the message.
    """

    def __init__(self, place: Path | str) -> None:
        self.place = shown_place(place)
        """The file or address, without a password."""
        try:
            self._engine = _engine(place)
            METADATA.create_all(self._engine)
        except ModuleNotFoundError:
            remedy = "needs psycopg: install leanloop with the extra 'postgres'"
            raise BadInputError(self.place, remedy) from None
        except (sa.exc.DatabaseError, OSError):
            # What the driver says can hold the whole address.
            raise BadInputError(self.place, "not a store that can be opened") from None

    def open_study(self, study: StudyRecord) -> None:
        """Register a study, or find it again.

        Raises:
            BadInputError: A study of that name has another fingerprint.
        """
        known = self.study(study.name)
        if known is None:
            row = {**msgspec.structs.asdict(study), "created_at": time.time()}
            with self._engine.begin() as connection:
                connection.execute(sa.insert(STUDIES).values(**row))
        elif known.fingerprint != study.fingerprint:
            raise BadInputError(
                f"study {study.name!r} in {self.place}",
                "it was started with another suite, other models or limits; "
                "give the new one another name",
            )

    def study(self, name: str) -> StudyRecord | None:
        """The study of that name, or None."""
        columns = (STUDIES.c.name, STUDIES.c.spec_json, STUDIES.c.fingerprint)
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(*columns).where(STUDIES.c.name == name)).first()
        return None if row is None else StudyRecord(*row)

    def studies(self) -> Sequence[str]:
        """Names of all studies, oldest first."""
        with self._engine.connect() as connection:
            return list(
                connection.scalars(sa.select(STUDIES.c.name).order_by(STUDIES.c.created_at))
            )

    def record(self, study: str, run: Run) -> None:
        """Keep a run; an outage is replaced by a later run of the same key, nothing else is."""
        where = (
            (RUNS.c.study == study)
            & (RUNS.c.configuration_id == run.key.configuration_id)
            & (RUNS.c.task_id == run.key.task_id)
            & (RUNS.c.seed == run.key.seed)
        )
        row = {
            "study": study,
            **msgspec.structs.asdict(run.key),
            "status": str(run.status),
            "success": run.success,
            "run_json": msgspec.json.encode(run),
        }
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.delete(RUNS).where(where & (RUNS.c.status == Status.OUTAGE)))
                connection.execute(sa.insert(RUNS).values(**row))
        except sa.exc.OperationalError:
            raise BadInputError(
                self.place,
                "the store went away; finished runs are kept, run it again to go on",
            ) from None

    def runs(self, study: str) -> Sequence[Run]:
        """Every run of a study, in the order in which they were recorded."""
        query = sa.select(RUNS.c.run_json).where(RUNS.c.study == study).order_by(RUNS.c.number)
        with self._engine.connect() as connection:
            return [msgspec.json.decode(raw, type=Run) for raw in connection.scalars(query)]

    def save_result(self, study: str, result_json: bytes) -> None:
        """Keep what a study found, in the place of what it found before."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(RESULTS).where(RESULTS.c.study == study))
            connection.execute(sa.insert(RESULTS).values(study=study, result_json=result_json))

    def result(self, study: str) -> bytes | None:
        """What a study found last, or None."""
        query = sa.select(RESULTS.c.result_json).where(RESULTS.c.study == study)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def close(self) -> None:
        """Release what it holds."""
        self._engine.dispose()


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
    engine = sa.create_engine(f"sqlite:///{place}", poolclass=NullPool)
    sa.event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own types
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()
