"""What an agent keeps from one task to the next: entries, and changes to them."""

from __future__ import annotations

import enum
import hashlib
from typing import TypeAlias

import msgspec

from leanloop.core.message import Json

MOST_BYTES = 64_000
"""What an entry takes as JSON, at most: it is sent with every task that it is like."""
MOST_DIFFERENCES = 256
"""Differences between runs with an entry and without that are kept; the oldest go first."""


class Kind(enum.StrEnum):
    """What an entry is for."""

    FACT = "fact"
    """A value that a tool returned."""
    SKILL = "skill"
    """How a task was solved, to be read by the model."""
    PLAN = "plan"
    """How a task was solved, to be carried out without the model."""


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an entry comes from.

    Attributes:
        task_id: The task of the run that it was learned in; empty for an import.
        split: The split of that task; ``import`` when a person brought it.
        configuration_id: The configuration of that run.
        learned_at: Unix seconds.
        success: What the verifier said of that run; None when nobody verified it.
    """

    task_id: str = ""
    split: str = ""
    configuration_id: str = ""
    learned_at: float = 0.0
    success: float | None = None


class Trust(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an entry has done, with it and without it.

    Now and then an entry that would be used is withheld, drawn by lot. Each run
    with it is paired with one without it, in the order in which they came, and
    the difference of success is kept.

    Attributes:
        used: Verified runs that had it.
        solved: Their success, summed.
        withheld: Verified runs from which it was withheld.
        solved_without: Their success, summed.
        differences: Success with it less success without it, pair by pair.
        waiting: Successes that have no partner yet, all of the kind that
            ``waiting_used`` says.
        waiting_used: Whether these are of runs that had it.
        last: Success of the last run that had it; None before the first.
        demoted: Whether it was shown to hurt, and is not used any more.
    """

    used: int = 0
    solved: float = 0.0
    withheld: int = 0
    solved_without: float = 0.0
    differences: tuple[float, ...] = ()
    waiting: tuple[float, ...] = ()
    waiting_used: bool = True
    last: float | None = None
    demoted: bool = False

    def after(self, success: float, *, withheld: bool) -> Trust:
        """The same after one more verified run."""
        waiting, differences = (*self.waiting, success), self.differences
        used = not withheld
        if self.waiting and self.waiting_used != used:
            partner, waiting = self.waiting[0], self.waiting[1:]
            differences = (*differences, success - partner if used else partner - success)
            used = self.waiting_used
        return Trust(
            used=self.used + (not withheld),
            solved=self.solved + (0.0 if withheld else success),
            withheld=self.withheld + withheld,
            solved_without=self.solved_without + (success if withheld else 0.0),
            differences=differences[-MOST_DIFFERENCES:],
            waiting=waiting[-MOST_DIFFERENCES:],
            waiting_used=used,
            last=self.last if withheld else success,
            demoted=self.demoted,
        )


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is remembered.

    Attributes:
        kind: What it is for.
        key: What it is about: a new entry of the same kind and key takes its place.
        name: What it is called where it is shown.
        cue: The text that it is looked up by.
        body: What it says.
        origin: Where it comes from.
        version: 1, and one more each time that it says something else.
        trust: How it has done.
    """

    kind: Kind
    key: str
    name: str
    cue: str
    body: Json
    origin: Origin = Origin()
    version: int = 1
    trust: Trust = Trust()

    @property
    def entry_id(self) -> str:
        """Kind and ten hexadecimal digits that depend on kind and key alone."""
        return f"{self.kind}-{hashlib.sha256(self.key.encode()).hexdigest()[:10]}"

    @property
    def worth(self) -> float:
        """What decides who goes first when a memory is full: less goes first."""
        if self.trust.demoted:
            return -1.0
        return self.trust.solved + self.origin.learned_at / 1e12


class Put(msgspec.Struct, frozen=True, tag="put"):
    """Something was learned; it takes the place of what the memory knew under that key."""

    entry: Entry


class Forget(msgspec.Struct, frozen=True, tag="forget"):
    """Something is not true any more, or a person wants it gone."""

    entry_id: str
    reason: str = ""


class Used(msgspec.Struct, frozen=True, tag="used"):
    """A verified run had an entry, or went without one that it would have had."""

    entry_id: str
    success: float
    withheld: bool = False


class Demote(msgspec.Struct, frozen=True, tag="demote"):
    """An entry was shown to hurt."""

    entry_id: str


MemoryChange: TypeAlias = Put | Forget | Used | Demote


def changed_id(change: MemoryChange) -> str:
    """The entry that a change is about."""
    return change.entry.entry_id if isinstance(change, Put) else change.entry_id


def after_change(known: Entry | None, change: MemoryChange) -> Entry | None:
    """An entry after a change to it; None when there is none then.

    Args:
        known: As it was; None when there was none.
        change: What happened.
    """
    if isinstance(change, Put):
        return _put(known, change.entry)
    if known is None or isinstance(change, Forget):
        return None
    if isinstance(change, Demote):
        trust = msgspec.structs.replace(known.trust, demoted=True)
    else:
        trust = known.trust.after(change.success, withheld=change.withheld)
    return msgspec.structs.replace(known, trust=trust)


def _put(known: Entry | None, new: Entry) -> Entry:
    """The same said again changes nothing; something else is a version of its own."""
    if known is None:
        return new
    if known.body == new.body:
        return known
    return msgspec.structs.replace(new, version=known.version + 1)
