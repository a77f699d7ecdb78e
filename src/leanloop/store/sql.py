"""A store in a SQL database, through SQLAlchemy: SQLite here, PostgreSQL for many machines."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec
import sqlalchemy as sa

from leanloop.core.errors import BadInputError
from leanloop.core.run import Run, RunKey, Status
from leanloop.store.calls import SqlCallLog, rows_after
from leanloop.store.database import Database
from leanloop.store.lease import Lease
from leanloop.store.memory import SqlMemory
from leanloop.store.payments import SqlPayments
from leanloop.store.protocol import Asked, Carried, Control, Paid, StudyRecord, TaskRow
from leanloop.store.run_leases import GIVE_UP, SqlRunLeases
from leanloop.store.tables import (
    CONTROLS,
    MEMORIES,
    RESULTS,
    RUNS,
    STANDINGS,
    STUDIES,
    TASKS,
    is_of,
    key_columns,
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
        self._database = Database(place)
        self.place = self._database.place
        """The file or address, without a password."""
        self.address = self._database.address
        """What opens the same store in another process; it may hold a password."""
        self._leases = SqlRunLeases(self._database)
        self._payments = SqlPayments(self._database)
        # Built once: building a statement takes longer than carrying it out.
        self._keep_run = self._keeping()

    def open_study(self, study: StudyRecord) -> None:
        """Register a study, or find it again.

        Raises:
            BadInputError: A study of that name has another fingerprint.
        """
        known = self.study(study.name)
        if known is None:
            row = {**msgspec.structs.asdict(study), "created_at": time.time()}
            insert = self._database.insert(STUDIES).values(**row).on_conflict_do_nothing()
            with self._database.writing() as connection:
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
        with self._database.engine.connect() as connection:
            row = connection.execute(sa.select(*columns).where(STUDIES.c.name == name)).first()
        return None if row is None else StudyRecord(*row)

    def studies(self) -> Sequence[str]:
        """Names of all studies, oldest first."""
        with self._database.engine.connect() as connection:
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
            with self._database.writing() as connection:
                connection.execute(self._database.insert(TASKS).on_conflict_do_nothing(), new)
            # Another program may have kept some in the same moment.
            known = self._tasks(study)
        return known

    def _tasks(self, study: str) -> dict[str, TaskRow]:
        columns = (TASKS.c[name] for name in TaskRow.__struct_fields__)
        with self._database.engine.connect() as connection:
            rows = connection.execute(sa.select(*columns).where(TASKS.c.study == study))
            return {row[0]: TaskRow(*row) for row in rows}

    def record(self, study: str, run: Run, into: Carried | None = None) -> bool:
        """Keep a run and give up its lease.

        Args:
            study: Whose run it is.
            run: The run.
            into: Where what it changed is kept, in the same transaction; None for
                nowhere but with the run.

        Returns:
            Whether it was kept: False where another run of that key was there before.
        """
        at = {"study": study, **msgspec.structs.asdict(run.key)}
        row = {
            **at,
            "status": str(run.status),
            "success": run.success,
            "run_json": msgspec.json.encode(run),
        }
        with self._database.writing() as connection:
            kept = connection.scalar(self._keep_run, row) is not None
            connection.execute(GIVE_UP, at)
            if kept and into is not None:
                memory = SqlMemory(self._database, into.memory)
                memory.apply_in(connection, run.memory, into.bound)
        return kept

    def find(self, study: str, key: RunKey) -> Run | None:
        """The run of that key, or None."""
        query = sa.select(RUNS.c.run_json).where(is_of(RUNS, study, key))
        with self._database.engine.connect() as connection:
            raw = connection.scalar(query)
        return None if raw is None else msgspec.json.decode(raw, type=Run)

    def lease(self, study: str, keys: Sequence[RunKey], lease: Lease) -> Sequence[RunKey]:
        """Set runs aside for one owner, so that nobody else makes them meanwhile.

        Returns:
            Those that the owner may make: neither recorded nor leased to another.
        """
        return self._leases.lease(study, keys, lease)

    def renew(self, lease: Lease) -> None:
        """Let all leases of the owner last as long as this one."""
        self._leases.renew(lease)

    def release(self, owner: str) -> None:
        """Give up all leases of the owner."""
        self._leases.release(owner)

    def pay(self, study: str, usd: Decimal | None) -> Paid:
        """Count a call before anything else is done with it; None is an unknown price.

        Returns:
            What the study has paid with it, to a billionth of a dollar.
        """
        return self._payments.pay(study, usd)

    def paid(self, study: str) -> Paid:
        """What a study has paid."""
        return self._payments.paid(study)

    def runs(self, study: str) -> Sequence[Run]:
        """Every run of a study, in the order in which they were recorded."""
        query = sa.select(RUNS.c.run_json).where(RUNS.c.study == study).order_by(RUNS.c.number)
        with self._database.engine.connect() as connection:
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
        with self._database.reading() as connection:
            rows = rows_after(connection, query, RUNS.c.number, (number, again, most))
        return [(at, msgspec.json.decode(raw, type=Run)) for at, raw in rows]

    def control(self, study: str) -> Control:
        """What was asked of a study; to run, where nothing was."""
        with self._database.reading() as connection:
            row = connection.execute(CONTROL, {"of": study}).first()
        return Control() if row is None else Control(*row)

    def ask(self, study: str, state: Asked) -> None:
        """Ask a study to go on, to pause or to stop.

        Raises:
            BadInputError: There is no such study.
        """
        insert = self._database.insert(CONTROLS).values(study=study, state=state)
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
        insert = self._database.insert(CONTROLS).values(study=study, **values)
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
        insert = self._database.insert(STANDINGS).values(
            study=study, number=1, standing_json=standing_json
        )
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
        with self._database.reading() as connection:
            row = connection.execute(STANDING, {"of": study, "after": after}).first()
        return None if row is None else (row[0], row[1])

    def save_result(self, study: str, result_json: bytes) -> None:
        """Keep what a study found, in the place of what it found before."""
        insert = self._database.insert(RESULTS).values(study=study, result_json=result_json)
        upsert = insert.on_conflict_do_update(
            index_elements=["study"], set_={"result_json": insert.excluded.result_json}
        )
        with self._database.writing() as connection:
            connection.execute(upsert)

    def result(self, study: str) -> bytes | None:
        """What a study found last, or None."""
        query = sa.select(RESULTS.c.result_json).where(RESULTS.c.study == study)
        with self._database.engine.connect() as connection:
            return connection.scalar(query)

    def call_log(self, gateway: str) -> SqlCallLog:
        """The calls that passed the gateway of that name, in the same database."""
        return SqlCallLog(self._database, gateway)

    def memory(self, name: str) -> SqlMemory:
        """The memory of that name, in the same database; empty where there is none."""
        return SqlMemory(self._database, name)

    def memories(self) -> Sequence[str]:
        """Names of all memories, by name."""
        query = sa.select(MEMORIES.c.name).order_by(MEMORIES.c.name)
        with self._database.engine.connect() as connection:
            return list(connection.scalars(query))

    def close(self) -> None:
        """Release what it holds."""
        self._database.close()

    def _keeping(self) -> sa.Executable:
        """Inserts a run, or puts it in the place of an outage; nothing where a run is there."""
        names = [c.name for c in RUNS.c if c.name != "number"]
        insert = self._database.insert(RUNS).values({name: sa.bindparam(name) for name in names})
        found: sa.Executable = insert.on_conflict_do_update(
            index_elements=["study", *(c.name for c in key_columns(RUNS))],
            set_={name: insert.excluded[name] for name in ("status", "success", "run_json")},
            where=RUNS.c.status == str(Status.OUTAGE),
        ).returning(RUNS.c.number)
        return found

    def _write_of(self, study: str, statement: sa.Executable) -> None:
        """Write something about a study that is there."""
        if self.study(study) is None:
            raise BadInputError(f"study {study!r}", "is not in the store")
        with self._database.writing() as connection:
            connection.execute(statement)


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
