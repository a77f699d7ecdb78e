"""A store in a SQL database, through SQLAlchemy: SQLite here, PostgreSQL for many machines."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from leanloop.core.errors import BadInputError
from leanloop.core.run import Run, RunKey, Status
from leanloop.store.calls import SqlCallLog, rows_after
from leanloop.store.lease import Lease, is_gone
from leanloop.store.memory import SqlMemory
from leanloop.store.protocol import Asked, Control, Paid, StudyRecord, TaskRow
from leanloop.store.tables import (
    CONTROLS,
    LEASES,
    MEMORIES,
    METADATA,
    PAYMENTS,
    RESULTS,
    RUNS,
    STANDINGS,
    STUDIES,
    TASKS,
)

TRIES = 20
"""Tries to make the tables while another program does."""
WENT_AWAY = "the store went away; finished runs are kept, run it again to go on"
NANO = 10**9
"""Payments are kept in billionths of a dollar: both databases add whole numbers exactly."""


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
        self.address = str(place.resolve()) if isinstance(place, Path) else place
        """What opens the same store in another process; it may hold a password."""
        try:
            self._engine = _engine(place)
            self._set_up_tables()
            # Built once: building a statement takes longer than carrying it out.
            self._keep_run = self._keeping()
            self._add_payment = self._paying()
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
            insert = self._insert(STUDIES).values(**row).on_conflict_do_nothing()
            with self._writing() as connection:
                connection.execute(insert)
            # Another may have opened it in the same moment.
            known = self.study(study.name)
        if known is not None and known.fingerprint != study.fingerprint:
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

    def keep_tasks(self, study: str, tasks: Sequence[TaskRow]) -> Mapping[str, TaskRow]:
        """Keep tasks of a study; one that is kept already is left as it is.

        Returns:
            Task id to what is kept, of every task of the study.
        """
        known = self._tasks(study)
        new = [
            {"study": study, **msgspec.structs.asdict(t)} for t in tasks if t.task_id not in known
        ]
        if new:
            with self._writing() as connection:
                connection.execute(self._insert(TASKS).on_conflict_do_nothing(), new)
            # Another program may have kept some in the same moment.
            known = self._tasks(study)
        return known

    def _tasks(self, study: str) -> dict[str, TaskRow]:
        columns = (TASKS.c[name] for name in TaskRow.__struct_fields__)
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(*columns).where(TASKS.c.study == study))
            return {row[0]: TaskRow(*row) for row in rows}

    def record(self, study: str, run: Run) -> bool:
        """Keep a run and give up its lease.

        Returns:
            Whether it was kept: False where another run of that key was there before.
        """
        row = {
            "study": study,
            **msgspec.structs.asdict(run.key),
            "status": str(run.status),
            "success": run.success,
            "run_json": msgspec.json.encode(run),
        }
        with self._writing() as connection:
            kept = connection.scalar(self._keep_run, row) is not None
            connection.execute(GIVE_UP, {name: row[name] for name in LEASE_KEY})
        return kept

    def find(self, study: str, key: RunKey) -> Run | None:
        """The run of that key, or None."""
        query = sa.select(RUNS.c.run_json).where(_of(RUNS, study, key))
        with self._engine.connect() as connection:
            raw = connection.scalar(query)
        return None if raw is None else msgspec.json.decode(raw, type=Run)

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
        with self._writing() as connection:
            self._sweep(connection, study)
            connection.execute(self._insert(LEASES).on_conflict_do_nothing(), rows)
            held = {tuple(r) for r in connection.execute(sa.select(*_key(LEASES)).where(own))}
            some = RUNS.c.configuration_id.in_({k.configuration_id for k in keys})
            there = (RUNS.c.study == study) & some & (RUNS.c.status != Status.OUTAGE)
            done = {tuple(r) for r in connection.execute(sa.select(*_key(RUNS)).where(there))}
            for key in keys:
                if msgspec.structs.astuple(key) in held & done:
                    connection.execute(sa.delete(LEASES).where(_of(LEASES, study, key)))
        return [k for k in keys if msgspec.structs.astuple(k) in held - done]

    def renew(self, lease: Lease) -> None:
        """Let all leases of the owner last as long as this one."""
        with self._writing() as connection:
            where = LEASES.c.owner == lease.owner
            connection.execute(sa.update(LEASES).where(where).values(until=lease.until))

    def release(self, owner: str) -> None:
        """Give up all leases of the owner."""
        with self._writing() as connection:
            connection.execute(sa.delete(LEASES).where(LEASES.c.owner == owner))

    def pay(self, study: str, usd: Decimal | None) -> Paid:
        """Count a call before anything else is done with it; None is an unknown price.

        Returns:
            What the study has paid with it, to a billionth of a dollar.
        """
        row = {
            "study": study,
            "nano_usd": round((usd or 0) * NANO),
            "unknown_calls": int(usd is None),
        }
        with self._writing() as connection:
            total = connection.execute(self._add_payment, row).one()
        return Paid(Decimal(total[0]) / NANO, total[1])

    def paid(self, study: str) -> Paid:
        """What a study has paid."""
        with self._engine.connect() as connection:
            total = connection.execute(PAID, {"of": study}).first()
        return Paid() if total is None else Paid(Decimal(total[0]) / NANO, total[1])

    def runs(self, study: str) -> Sequence[Run]:
        """Every run of a study, in the order in which they were recorded."""
        query = sa.select(RUNS.c.run_json).where(RUNS.c.study == study).order_by(RUNS.c.number)
        with self._engine.connect() as connection:
            return [msgspec.json.decode(raw, type=Run) for raw in connection.scalars(query)]

    def recorded_after(
        self, study: str, number: int, again: Collection[int] = (), most: int = 1000
    ) -> Sequence[tuple[int, Run]]:
        """Runs with their numbers, which grow in the order in which they were recorded.

        Args:
            study: Whose.
            number: Those with a greater one.
            again: And those with one of these, if they are there.
            most: How many of the former at most.
        """
        # Said so that no index on the study serves, by which all of its runs would be sorted.
        own = sa.func.coalesce(RUNS.c.study, "") == study
        query = sa.select(RUNS.c.number, RUNS.c.run_json).where(own)
        with self._reading() as connection:
            rows = rows_after(connection, query, RUNS.c.number, (number, again, most))
        return [(at, msgspec.json.decode(raw, type=Run)) for at, raw in rows]

    def control(self, study: str) -> Control:
        """What was asked of a study; to run, where nothing was."""
        with self._reading() as connection:
            row = connection.execute(CONTROL, {"of": study}).first()
        return Control() if row is None else Control(*row)

    def ask(self, study: str, state: Asked) -> None:
        """Ask a study to go on, to pause or to stop.

        Raises:
            BadInputError: There is no such study.
        """
        insert = self._insert(CONTROLS).values(study=study, state=state)
        upsert = insert.on_conflict_do_update(
            index_elements=["study"], set_={"state": insert.excluded.state}
        )
        self._write_of(study, upsert)

    def raise_caps(
        self, study: str, max_usd: float | None = None, max_runs: int | None = None
    ) -> Control:
        """Raise a study's caps; one that was raised higher before stays.

        Returns:
            What is asked of it now.

        Raises:
            BadInputError: There is no such study.
        """
        values = {"state": "run", "max_usd": max_usd, "max_runs": max_runs}
        insert = self._insert(CONTROLS).values(study=study, **values)
        raised = {}
        for name in ("max_usd", "max_runs"):
            old, new = CONTROLS.c[name], insert.excluded[name]
            # Where either is null, neither is greater.
            raised[name] = sa.case((old > new, old), else_=sa.func.coalesce(new, old))
        upsert = insert.on_conflict_do_update(index_elements=["study"], set_=raised)
        self._write_of(study, upsert)
        return self.control(study)

    def save_standing(self, study: str, standing_json: bytes) -> None:
        """Keep how a study stands, for those who watch it, in the place of how it stood.

        Raises:
            BadInputError: There is no such study.
        """
        insert = self._insert(STANDINGS).values(study=study, number=1, standing_json=standing_json)
        changed = {
            "number": STANDINGS.c.number + 1,
            "standing_json": insert.excluded.standing_json,
        }
        self._write_of(study, insert.on_conflict_do_update(index_elements=["study"], set_=changed))

    def standing(self, study: str, after: int = 0) -> tuple[int, bytes] | None:
        """How a study stands, with a number that grows each time it is saved.

        Returns:
            None where nothing was saved, or nothing since the number ``after``.
        """
        with self._reading() as connection:
            row = connection.execute(STANDING, {"of": study, "after": after}).first()
        return None if row is None else (row[0], row[1])

    def save_result(self, study: str, result_json: bytes) -> None:
        """Keep what a study found, in the place of what it found before."""
        insert = self._insert(RESULTS).values(study=study, result_json=result_json)
        upsert = insert.on_conflict_do_update(
            index_elements=["study"], set_={"result_json": insert.excluded.result_json}
        )
        with self._writing() as connection:
            connection.execute(upsert)

    def result(self, study: str) -> bytes | None:
        """What a study found last, or None."""
        query = sa.select(RESULTS.c.result_json).where(RESULTS.c.study == study)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def call_log(self, gateway: str) -> SqlCallLog:
        """The calls that passed the gateway of that name, in the same database."""
        return SqlCallLog(self._engine, self._insert, gateway)

    def memory(self, name: str) -> SqlMemory:
        """The memory of that name, in the same database; empty where there is none."""
        return SqlMemory(self._engine, self._insert, name)

    def memories(self) -> Sequence[str]:
        """Names of all memories, by name."""
        query = sa.select(MEMORIES.c.name).order_by(MEMORIES.c.name)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def close(self) -> None:
        """Release what it holds."""
        self._engine.dispose()

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
        with self._engine.begin() as connection:
            missing = set(METADATA.tables) - set(sa.inspect(connection).get_table_names())
            for table in METADATA.sorted_tables:
                if table.name in missing:
                    connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
                    for index in table.indexes:
                        connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))

    def _keeping(self) -> sa.Executable:
        """Inserts a run, or puts it in the place of an outage; nothing where a run is there."""
        names = [c.name for c in RUNS.c if c.name != "number"]
        insert = self._insert(RUNS).values({name: sa.bindparam(name) for name in names})
        found: sa.Executable = insert.on_conflict_do_update(
            index_elements=["study", *(c.name for c in _key(RUNS))],
            set_={name: insert.excluded[name] for name in ("status", "success", "run_json")},
            where=RUNS.c.status == str(Status.OUTAGE),
        ).returning(RUNS.c.number)
        return found

    def _paying(self) -> sa.Executable:
        """Adds a payment, and says what was paid in all."""
        names = ("nano_usd", "unknown_calls")
        values: dict[str, Any] = {name: sa.bindparam(name) for name in ("study", *names)}
        insert = self._insert(PAYMENTS).values(values)
        added = {name: PAYMENTS.c[name] + insert.excluded[name] for name in names}
        upsert = insert.on_conflict_do_update(index_elements=["study"], set_=added)
        found: sa.Executable = upsert.returning(*_totals())
        return found

    def _insert(self, table: sa.Table) -> Any:  # noqa: ANN401 - a type for each database
        """An insert that may name what to do when the row is there already."""
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        return dialect.insert(table)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.OperationalError:
            raise BadInputError(self.place, WENT_AWAY) from None

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except sa.exc.OperationalError:
            raise BadInputError(self.place, WENT_AWAY) from None

    def _write_of(self, study: str, statement: sa.Executable) -> None:
        """Write something about a study that is there."""
        if self.study(study) is None:
            raise BadInputError(f"study {study!r}", "is not in the store")
        with self._writing() as connection:
            connection.execute(statement)

    def _sweep(self, connection: sa.Connection, study: str) -> None:
        """Take away leases that ran out or whose owner is dead."""
        mine = LEASES.c.study == study
        owners = connection.scalars(sa.select(LEASES.c.owner).where(mine).distinct()).all()
        gone = [o for o in owners if is_gone(o)]
        over = (LEASES.c.until < time.time()) | LEASES.c.owner.in_(gone)
        connection.execute(sa.delete(LEASES).where(mine & over))


def _key(table: sa.Table) -> tuple[sa.Column[Any], ...]:
    return table.c.configuration_id, table.c.task_id, table.c.seed


def _of(table: sa.Table, study: str, key: RunKey) -> sa.ColumnElement[bool]:
    same = zip(_key(table), msgspec.structs.astuple(key), strict=True)
    return sa.and_(table.c.study == study, *(column == value for column, value in same))


LEASE_KEY = ("study", "configuration_id", "task_id", "seed")
GIVE_UP = sa.delete(LEASES).where(
    sa.and_(*(LEASES.c[name] == sa.bindparam(name) for name in LEASE_KEY))
)
"""Takes the lease of a run away."""


def _totals() -> tuple[sa.Column[Any], ...]:
    return PAYMENTS.c.nano_usd, PAYMENTS.c.unknown_calls


PAID = sa.select(*_totals()).where(PAYMENTS.c.study == sa.bindparam("of"))
"""What a study has paid."""


CONTROL = sa.select(CONTROLS.c.state, CONTROLS.c.max_usd, CONTROLS.c.max_runs).where(
    CONTROLS.c.study == sa.bindparam("of")
)
"""What was asked of a study."""

STANDING = sa.select(STANDINGS.c.number, STANDINGS.c.standing_json).where(
    (STANDINGS.c.study == sa.bindparam("of")) & (STANDINGS.c.number > sa.bindparam("after"))
)
"""How a study stands, if that is newer."""


def open_store(address: str) -> SqlStore:
    """The store of a ``SqlStore.address``.

    Raises:
        BadInputError: It cannot be opened.
    """
    return SqlStore(address if "://" in address else Path(address))


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
