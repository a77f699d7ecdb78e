"""What a store must do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from leanloop.core.memory import Entry, MemoryChange
from leanloop.core.run import Run, RunKey
from leanloop.store.lease import Lease


class StudyRecord(msgspec.Struct, frozen=True):
    """A study as a store keeps it.

    Attributes:
        name: Unique in the store.
        spec_json: The study's own description, whole.
        fingerprint: Hash of what decides how a run turns out.
    """

    name: str
    spec_json: str
    fingerprint: str


class Paid(msgspec.Struct, frozen=True):
    """What a study has paid, in this session and in those before it.

    Attributes:
        usd: Dollars of the calls whose price is known.
        unknown_calls: Calls whose price is unknown.
    """

    usd: Decimal = Decimal(0)
    unknown_calls: int = 0


class TaskRow(msgspec.Struct, frozen=True):
    """A task as a study keeps it.

    Attributes:
        task_id: Unique in the study.
        split: ``search`` or ``holdout``.
        digest: Of what it asks for.
        task_json: The task, whole.
    """

    task_id: str
    split: str
    digest: str
    task_json: bytes


Asked = Literal["run", "pause", "stop"]
"""What a study is asked to do: go on, begin no run, or end as with Ctrl-C."""


class Control(msgspec.Struct, frozen=True):
    """What was asked of a study from outside, while it runs or before it does.

    Attributes:
        state: What it is to do.
        max_usd: Dollars that its cap was raised to; None when it never was.
        max_runs: Runs of the search that its cap was raised to; None when it never was.
    """

    state: Asked = "run"
    max_usd: float | None = None
    max_runs: int | None = None


class CallRow(msgspec.Struct, frozen=True):
    """A call as it is kept.

    Attributes:
        call_id: Unique; a row that is there already is left as it is.
        session_id: The session that it is part of.
        key: A digest of the client's key.
        mark: Digest of the request's conversation.
        day: By UTC, ``2026-11-25``.
        nano_usd: Billionths of a dollar; None when unknown.
        tokens: All input and output; None when unknown.
        call_json: All that is known of it.
    """

    call_id: str
    session_id: str
    key: str
    mark: str
    day: str
    nano_usd: int | None
    tokens: int | None
    call_json: bytes


class Sum(msgspec.Struct, frozen=True):
    """What was spent by one session, key or day.

    Attributes:
        scope: ``session``, ``key`` or ``day``.
        name: Which one.
        nano_usd: Of the calls whose price is known.
        tokens: Of the calls whose tokens are known.
    """

    scope: str
    name: str
    nano_usd: int
    tokens: int


class Outcome(msgspec.Struct, frozen=True):
    """How a session ended.

    Attributes:
        session_id: Which one.
        configuration_id: The levers that it ran with.
        success: 0 to 1.
    """

    session_id: str
    configuration_id: str
    success: float


class CallLog(Protocol):
    """Keeps the calls of one gateway and the outcomes of its sessions."""

    @property
    def gateway(self) -> str:
        """The gateway's name."""

    def keep(self, rows: Sequence[CallRow], outcomes: Sequence[Outcome] = ()) -> None:
        """Keep calls and outcomes in one transaction; nothing is kept twice.

        A later outcome of a session takes the place of an earlier one.
        """

    def calls(self) -> Iterator[bytes]:
        """Every call, session by session, in the order in which they ended."""

    def outcomes(self) -> Sequence[Outcome]:
        """Outcomes of sessions."""

    def recorded_after(
        self, number: int, again: Collection[int] = (), most: int = 1000
    ) -> Sequence[tuple[int, bytes]]:
        """Calls with their numbers, which grow in the order in which they were kept.

        Args:
            number: Those with a greater one.
            again: And those with one of these, if they are there.
            most: How many of the former at most.
        """

    def sums(self) -> Sequence[Sum]:
        """What each session, key and day has spent."""

    def latest(self, sessions: int) -> Sequence[bytes]:
        """The last call that has a mark of each of the sessions that were heard of last.

        Args:
            sessions: How many; the one that was heard of last comes last.
        """


class News(msgspec.Struct, frozen=True):
    """What has happened to a memory since one looked.

    Attributes:
        number: What to ask from next time.
        whole: Whether ``entries`` is the whole memory: what is not there is gone.
        entries: Entry id to the entry; None where it was let go.
    """

    number: int
    whole: bool
    entries: dict[str, Entry | None]


class Carried(msgspec.Struct, frozen=True):
    """The memory that takes in what a run changed.

    Attributes:
        memory: Its name.
        bound: Entries that it holds at most, inclusive.
    """

    memory: str
    bound: int


class EntryLog(Protocol):
    """Keeps the entries of one memory, for several agents at once."""

    def apply(self, changes: Sequence[MemoryChange], bound: int) -> None:
        """Keep changes in one transaction; of more than ``bound`` the least worth are let go."""

    def news(self, since: int = -1) -> News:
        """What has changed since a number that an earlier call gave.

        Args:
            since: That number; 0 for everything, what was let go included as far as it
                is known; -1 for everything that there is.
        """


class Store(Protocol):
    """Keeps studies and finished runs. A run that was recorded is never lost nor kept twice.

    Several programs may use one store at once, and any of them may die at any moment.
    """

    @property
    def place(self) -> str:
        """Its file or address as it may be shown, without a password."""

    def open_study(self, study: StudyRecord) -> None:
        """Register a study, or find it again.

        Raises:
            BadInputError: A study of that name has another fingerprint.
        """

    def study(self, name: str) -> StudyRecord | None:
        """The study of that name, or None."""

    def studies(self) -> Sequence[str]:
        """Names of all studies, oldest first."""

    def keep_tasks(self, study: str, tasks: Sequence[TaskRow]) -> Mapping[str, TaskRow]:
        """Keep tasks of a study; one that is kept already is left as it is.

        Returns:
            Task id to what is kept, of every task of the study.
        """

    def record(self, study: str, run: Run, into: Carried | None = None) -> bool:
        """Keep a run and give up its lease.

        An outage is replaced by a later run of the same key, nothing else is.

        Args:
            study: Whose run it is.
            run: The run.
            into: Where what it changed is kept, in the same transaction; None for
                nowhere but with the run.

        Returns:
            Whether it was kept: False where another run of that key was there before.
        """

    def runs(self, study: str) -> Sequence[Run]:
        """Every run of a study, in the order in which they were recorded."""

    def recorded_after(
        self, study: str, number: int, again: Collection[int] = (), most: int = 1000
    ) -> Sequence[tuple[int, Run]]:
        """Runs with their numbers, which grow in the order in which they were recorded.

        A run that takes the place of an outage has the outage's number; and where several
        programs record at once, a lesser number may come a moment after a greater one.
        ``store.following`` allows for both.

        Args:
            study: Whose.
            number: Those with a greater one.
            again: And those with one of these, if they are there.
            most: How many of the former at most.
        """

    def find(self, study: str, key: RunKey) -> Run | None:
        """The run of that key, or None."""

    def lease(self, study: str, keys: Sequence[RunKey], lease: Lease) -> Sequence[RunKey]:
        """Set runs aside for one owner, so that nobody else makes them meanwhile.

        Leases that ran out, or whose owner is known to be dead, stand in nobody's way.

        Returns:
            Those that the owner may make: neither recorded nor leased to another.
        """

    def renew(self, lease: Lease) -> None:
        """Let all leases of the owner last as long as this one."""

    def release(self, owner: str) -> None:
        """Give up all leases of the owner."""

    def pay(self, study: str, usd: Decimal | None) -> Paid:
        """Count a call before anything else is done with it; None is an unknown price.

        Returns:
            What the study has paid with it, to a billionth of a dollar.
        """

    def paid(self, study: str) -> Paid:
        """What a study has paid."""

    def call_log(self, gateway: str) -> CallLog:
        """The calls that passed the gateway of that name."""

    def memory(self, name: str) -> EntryLog:
        """The memory of that name; empty where there is none."""

    def control(self, study: str) -> Control:
        """What was asked of a study; to run, where nothing was."""

    def ask(self, study: str, state: Asked) -> None:
        """Ask a study to go on, to pause or to stop.

        Raises:
            BadInputError: There is no such study.
        """

    def raise_caps(
        self, study: str, max_usd: float | None = None, max_runs: int | None = None
    ) -> Control:
        """Raise a study's caps; one that was raised higher before stays.

        Args:
            study: Whose.
            max_usd: Dollars; as it is when None.
            max_runs: Runs of the search; as it is when None.

        Returns:
            What is asked of it now.

        Raises:
            BadInputError: There is no such study.
        """

    def save_standing(self, study: str, standing_json: bytes) -> None:
        """Keep how a study stands, for those who watch it, in the place of how it stood.

        Raises:
            BadInputError: There is no such study.
        """

    def standing(self, study: str, after: int = 0) -> tuple[int, bytes] | None:
        """How a study stands, with a number that grows each time it is saved.

        Returns:
            None where nothing was saved, or nothing since the number ``after``.
        """

    def save_result(self, study: str, result_json: bytes) -> None:
        """Keep what a study found, in the place of what it found before."""

    def result(self, study: str) -> bytes | None:
        """What a study found last, or None."""

    def close(self) -> None:
        """Release what it holds."""
