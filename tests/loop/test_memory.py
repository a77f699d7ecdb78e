"""A run's view of a memory: lots, trust, and what is let go."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.memory import MOST_BYTES, Demote, Entry, Kind, Origin, Put, Trust, Used
from leanloop.core.run import Status
from leanloop.core.task import Split, Task
from leanloop.levers.protocol import Ended
from leanloop.loop.run_memory import RunMemory, is_harmful
from leanloop.loop.working_memory import WorkingMemory

GOOD = Entry(Kind.PLAN, "good", "good", "phone extension", {"a": 1})


def task(number: int) -> Task:
    return Task(f"t{number}", "phone extension", Split.SEARCH)


def live(
    memory: WorkingMemory, entry: Entry | None, number: int, with_it: float, without: float
) -> bool:
    """One run that would have the entry; whether it was withheld."""
    assert entry is not None
    view = RunMemory(memory, task(number), Origin())
    used = view.use(entry)
    memory.apply(view.changes(with_it if used else without))
    return not used


def test_a_poisoned_entry_is_demoted_and_not_found_any_more():
    memory = WorkingMemory([GOOD])
    for number in range(200):
        found = memory.find(Kind.PLAN, "phone extension", 3)
        if not found:
            break
        live(memory, found[0], number, with_it=0.0, without=1.0)
    assert number < 60, "an entry that spoils every run should not last"
    entry = memory.get(GOOD.entry_id)
    assert entry is not None
    assert entry.trust.demoted


def test_what_was_demoted_hides_nothing_that_is_as_like_the_text():
    bad = [Entry(Kind.PLAN, str(i), "bad", "phone extension", {}) for i in range(40)]
    memory = WorkingMemory(bad)
    memory.apply([Demote(e.entry_id) for e in bad])
    memory.apply([Put(GOOD)])
    assert [e.key for e in memory.find(Kind.PLAN, "phone extension", 3)] == ["good"]
    changed = Entry(Kind.PLAN, "3", "better", "phone extension", {"new": 1})
    memory.apply([Put(changed)])
    assert len(memory.find(Kind.PLAN, "phone extension", 3)) == 2, "another version starts anew"


def test_an_entry_that_helps_is_kept_and_seldom_withheld():
    memory = WorkingMemory([GOOD])
    withheld = [live(memory, memory.get(GOOD.entry_id), n, 1.0, 0.4) for n in range(400)]
    entry = memory.get(GOOD.entry_id)
    assert entry is not None
    assert not entry.trust.demoted
    assert 0.05 < sum(withheld) / 400 < 0.16


def test_harm_needs_pairs():
    assert not is_harmful(Trust(used=50, solved=0.0))
    assert not is_harmful(Trust(differences=(-1.0,) * 4))
    assert is_harmful(Trust(differences=(-1.0,) * 12))
    assert not is_harmful(Trust(differences=(-1.0, 1.0) * 40))


def test_the_lot_depends_on_entry_task_and_seed_alone():
    memory = WorkingMemory([GOOD])
    drawn = [RunMemory(memory, task(i), Origin()).use(GOOD) for i in range(60)]
    assert drawn == [RunMemory(memory, task(i), Origin()).use(GOOD) for i in range(60)]
    assert set(drawn) == {True, False}


def test_where_nothing_is_learned_nothing_is_withheld() -> None:
    memory = WorkingMemory([GOOD])
    learning = [RunMemory(memory, task(i), Origin()).use(GOOD) for i in range(60)]
    using = [RunMemory(memory, task(i), Origin(), 0, "nothing").use(GOOD) for i in range(60)]
    assert not all(learning)
    assert all(using)


def test_what_is_put_says_where_it_comes_from():
    view = RunMemory(WorkingMemory(), task(7), Origin(configuration_id="c"))
    assert view.may_learn(Ended(Status.FINISHED, 1.0, "a", ()))
    view.put(GOOD)
    (change,) = view.changes(1.0)
    assert isinstance(change, Put)
    origin = change.entry.origin
    assert (origin.task_id, origin.split, origin.configuration_id) == ("t7", "search", "c")
    assert origin.success == 1.0


def test_an_unverified_run_counts_for_nobody():
    view = RunMemory(WorkingMemory([GOOD]), task(1), Origin())
    view.use(GOOD)
    assert not view.may_learn(Ended(Status.FINISHED, None, "a", ()))
    assert view.changes(None) == ()
    assert [type(c) for c in view.changes(0.0)] == [Used]


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 8))
def test_a_memory_never_grows_past_its_bound(keys, bound):
    memory = WorkingMemory(bound=bound)
    for key in keys:
        entry = Entry(Kind.FACT, str(key), "n", f"word{key} shared", {"k": key})
        memory.apply([Put(entry)])
        assert len(memory) <= bound
        assert {e.entry_id for e in memory.find(Kind.FACT, "shared", 99)} == {
            e.entry_id for e in memory
        }


def test_the_least_worth_goes_first():
    memory = WorkingMemory(bound=2)
    bad = msgspec.structs.replace(GOOD, key="bad")
    other = msgspec.structs.replace(GOOD, key="other")
    memory.apply([Put(bad), Put(GOOD), Demote(bad.entry_id), Used(GOOD.entry_id, 1.0), Put(other)])
    assert {e.key for e in memory} == {"good", "other"}


def test_a_copy_is_its_own():
    memory = WorkingMemory([GOOD])
    copy = memory.copy()
    copy.set(GOOD.entry_id, None)
    assert len(memory) == 1
    assert len(copy) == 0


def test_what_is_too_long_to_be_sent_again_is_not_kept():
    view = RunMemory(WorkingMemory(), task(0), Origin())
    assert view.may_learn(Ended(Status.FINISHED, 1.0, "x", ()))
    view.put(msgspec.structs.replace(GOOD, body="w" * MOST_BYTES))
    view.put(GOOD)
    assert [c.entry.key for c in view.changes(1.0) if isinstance(c, Put)] == ["good"]
