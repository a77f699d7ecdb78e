"""Entries of a memory, and what changes do to them."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.memory import (
    Demote,
    Entry,
    Forget,
    Kind,
    MemoryChange,
    Put,
    Trust,
    Used,
    after_change,
    changed_id,
)

ENTRY = Entry(Kind.FACT, "key", "name", "cue", {"a": 1})
_uses = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.booleans()), max_size=40)


@given(_uses)
def test_every_difference_is_of_a_run_with_and_a_run_without_in_order(uses):
    trust = Trust()
    for success, withheld in uses:
        trust = trust.after(success, withheld=withheld)
    used = [s for s, w in uses if not w]
    without = [s for s, w in uses if w]
    pairs = min(len(used), len(without))
    assert trust.differences == tuple(u - w for u, w in zip(used, without, strict=False))
    assert (trust.used, trust.withheld) == (len(used), len(without))
    assert (trust.solved, trust.solved_without) == (sum(used), sum(without))
    assert len(trust.waiting) == max(len(used), len(without)) - pairs
    assert trust.last == (used[-1] if used else None)


def test_what_is_said_again_changes_nothing_and_something_else_is_a_new_version():
    known = after_change(None, Put(ENTRY))
    used = after_change(known, Used(ENTRY.entry_id, 1.0))
    assert used is not None
    assert after_change(used, Put(ENTRY)) is used
    new = after_change(used, Put(msgspec.structs.replace(ENTRY, body={"a": 2})))
    assert new is not None
    assert (new.version, new.trust) == (2, Trust())


def test_a_demoted_entry_is_kept_and_worth_least():
    demoted = after_change(ENTRY, Demote(ENTRY.entry_id))
    assert demoted is not None
    assert demoted.trust.demoted
    assert demoted.worth < ENTRY.worth
    assert after_change(demoted, Forget(ENTRY.entry_id)) is None
    assert after_change(None, Used(ENTRY.entry_id, 1.0)) is None


def test_changes_are_the_same_after_they_were_written_and_read():
    changes: tuple[MemoryChange, ...] = (
        Put(ENTRY), Used("x", 0.5, withheld=True), Demote("x"), Forget("x", "why"),
    )  # fmt: skip
    raw = msgspec.json.encode(changes)
    assert msgspec.json.decode(raw, type=tuple[MemoryChange, ...]) == changes
    assert [changed_id(c) for c in changes] == [ENTRY.entry_id, "x", "x", "x"]
