"""What every store must do."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.memory import Entry, Forget, Kind, Put, Used
from leanloop.core.run import ModelCall, Run, RunKey, Status, Step
from leanloop.core.task import Split
from leanloop.core.tokens import Tokens
from leanloop.search.kept_memory import KeptMemory
from leanloop.store.following import follow_calls, follow_runs
from leanloop.store.lease import Lease, is_gone, new_owner
from leanloop.store.protocol import (
    CallRow,
    Carried,
    Control,
    Outcome,
    Paid,
    Store,
    StudyRecord,
    Sum,
    TaskRow,
)


def make_run(task: str, status: Status = Status.FINISHED, success: float | None = 1.0) -> Run:
    call = ModelCall("m", "p:m", "act", Tokens(1, 2, None, 0, 5, 0), 0.25, 1.5)
    return Run(
        RunKey("c", task), Split.SEARCH, status, success, (Step((call,)),), 1.25, 1.0, 3.0, "ünï"
    )


def make_call(call_id: str, session: str, nano_usd: int | None) -> CallRow:
    return CallRow(call_id, session, "k", "m", "2026-11-25", nano_usd, 7, call_id.encode())


class StoreConformance:
    """Subclasses give a fixture ``reopen``: each call opens the same store anew."""

    def test_a_memory_comes_back_and_keeps_to_its_bound(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        entries = [Entry(Kind.FACT, str(i), "n", f"cue {i}", {"i": i}) for i in range(30)]
        for entry in entries:
            store.memory("m").apply([Put(entry), Used(entry.entry_id, 0.0)], 4)
        store.memory("m").apply([Used(entries[-1].entry_id, 1.0)], 4)
        store.memory("m").apply([Forget(entries[-2].entry_id)], 4)
        store.close()
        again = reopen()
        kept = KeptMemory(again.memory("m"), 4)  # type: ignore[arg-type]
        assert len(kept) == 3
        best = kept.get(entries[-1].entry_id)
        assert best is not None
        assert (best.trust.used, best.trust.solved) == (2, 1.0)
        again.close()

    def test_what_a_run_changed_is_kept_with_it_once_or_not_at_all(
        self, reopen: Callable[[], Store]
    ) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        entry = Entry(Kind.FACT, "k", "n", "cue", {})
        learned = msgspec.structs.replace(make_run("t1"), memory=(Put(entry),))
        used = msgspec.structs.replace(make_run("t2"), memory=(Used(entry.entry_id, 1.0),))
        broken = msgspec.structs.replace(make_run("t3"), memory=("no change",))
        into = Carried("m", 10)
        assert [store.record("s", r, into) for r in (learned, used, used)] == [True, True, False]
        with pytest.raises(AttributeError):
            store.record("s", broken, into)
        store.close()
        again = reopen()
        assert {r.key.task_id for r in again.runs("s")} == {"t1", "t2"}
        (known,) = again.memory("m").news().entries.values()
        assert known is not None
        assert known.trust.used == 1
        again.close()

    def test_tasks_stay_as_they_were_first(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        first = TaskRow("t1", "search", "d1", b"{}")
        assert store.keep_tasks("s", [first]) == {"t1": first}
        second = TaskRow("t2", "holdout", "d2", b"{}")
        store.close()
        again = reopen()
        kept = again.keep_tasks("s", [TaskRow("t1", "holdout", "dx", b"{}"), second])
        assert kept == {"t1": first, "t2": second}
        assert again.keep_tasks("s", []) == kept
        again.close()

    def test_a_run_comes_back_as_it_was(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        store.record("s", make_run("t1"))
        store.close()
        again = reopen()
        assert list(again.runs("s")) == [make_run("t1")]
        assert again.runs("other") == []
        again.close()

    def test_a_finished_run_is_never_kept_twice(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        store.record("s", make_run("t1"))
        assert not store.record("s", make_run("t1", Status.ERROR, 0.0))
        assert [r.status for r in store.runs("s")] == [Status.FINISHED]
        store.close()

    def test_an_outage_is_replaced(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        assert store.record("s", make_run("t1", Status.OUTAGE, None))
        assert store.record("s", make_run("t1"))
        assert store.find("s", RunKey("c", "t1")) == make_run("t1")
        assert store.find("s", RunKey("c", "t2")) is None
        assert [r.status for r in store.runs("s")] == [Status.FINISHED]
        store.close()

    def test_a_study_is_found_again_or_refused(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        store.open_study(StudyRecord("s", "{1}", "f"))
        with pytest.raises(BadInputError, match="another suite"):
            store.open_study(StudyRecord("s", "{}", "g"))
        assert store.studies() == ["s"]
        store.close()

    def test_a_result_replaces_the_one_before(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        assert store.result("s") is None
        store.save_result("s", b"1")
        store.save_result("s", b"2")
        assert store.result("s") == b"2"
        store.close()

    def test_a_run_is_leased_to_one_owner(self, reopen: Callable[[], Store]) -> None:
        store, other = reopen(), reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        keys = [RunKey("c", f"t{i}") for i in range(4)]
        late = time.time() + 60
        assert list(store.lease("s", keys[:2], Lease("m/1/a", late))) == keys[:2]
        assert list(other.lease("s", keys, Lease("m/1/b", late))) == keys[2:]
        assert list(store.lease("s", keys, Lease("m/1/a", late))) == keys[:2]
        store.release("m/1/a")
        assert list(other.lease("s", keys, Lease("m/1/b", late))) == keys
        store.close()
        other.close()

    def test_a_recorded_run_is_leased_to_nobody(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        keys = [RunKey("c", "t1"), RunKey("c", "t2"), RunKey("c", "t3")]
        mine, late = Lease("m/1/a", time.time() + 60), Lease("m/1/b", time.time() + 60)
        assert list(store.lease("s", keys, mine)) == keys
        store.record("s", make_run("t1"))
        store.record("s", make_run("t2", Status.OUTAGE, None))
        assert list(store.lease("s", keys, late)) == [RunKey("c", "t2")]
        store.close()

    def test_a_lease_runs_out_unless_it_is_renewed(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        key = RunKey("c", "t1")
        late = time.time() + 60
        assert store.lease("s", [key], Lease("m/1/a", time.time() - 1))
        assert store.lease("s", [key], Lease("m/1/b", time.time() - 1))
        store.renew(Lease("m/1/b", late))
        assert not store.lease("s", [key], Lease("m/1/a", late))
        store.close()

    def test_a_dead_process_of_this_machine_holds_nothing(
        self, reopen: Callable[[], Store]
    ) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        key, late = RunKey("c", "t1"), time.time() + 60
        machine, _, rest = new_owner().rsplit("/", 2)
        gone = f"{machine}/{2**22 - 1}/{rest}"
        assert is_gone(gone)
        assert not is_gone(new_owner())
        assert store.lease("s", [key], Lease(gone, late))
        assert store.lease("s", [key], Lease(new_owner(), late))
        store.close()

    def test_what_was_paid_is_never_forgotten(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        assert store.paid("s") == Paid()
        assert store.pay("s", Decimal("0.1")) == Paid(Decimal("0.1"))
        assert store.pay("s", None) == Paid(Decimal("0.1"), 1)
        store.close()
        again = reopen()
        assert again.pay("s", Decimal("0.000000002")) == Paid(Decimal("0.100000002"), 1)
        assert again.paid("s") == Paid(Decimal("0.100000002"), 1)
        again.close()

    def test_calls_are_kept_once_and_summed(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        log = store.call_log("g")
        rows = [make_call(f"c{i}", f"s{i % 2}", 10**9 if i else None) for i in range(4)]
        log.keep(rows[:3])
        log.keep(rows)
        store.call_log("other").keep([make_call("c9", "s1", 5)])
        store.close()
        again = reopen()
        log = again.call_log("g")
        assert list(log.calls()) == [b"c0", b"c2", b"c1", b"c3"]
        assert set(log.sums()) == {
            Sum("session", "s0", 10**9, 14),
            Sum("session", "s1", 2 * 10**9, 14),
            Sum("key", "k", 3 * 10**9, 28),
            Sum("day", "2026-11-25", 3 * 10**9, 28),
        }
        assert log.latest(9) == [b"c2", b"c3"]
        assert log.latest(1) == [b"c3"]
        again.close()

    def test_a_later_outcome_replaces_an_earlier_one(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        log = store.call_log("g")
        log.keep([], [Outcome("s", "c", 0.0), Outcome("t", "c", 0.5)])
        log.keep([], [Outcome("s", "c", 1.0)])
        assert set(log.outcomes()) == {Outcome("s", "c", 1.0), Outcome("t", "c", 0.5)}
        assert store.call_log("other").outcomes() == []
        store.close()

    def test_what_is_asked_of_a_study_comes_back(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        assert store.control("s") == Control()
        assert store.control("other") == Control()
        store.ask("s", "pause")
        store.raise_caps("s", max_usd=2.5)
        store.close()
        again = reopen()
        assert again.control("s") == Control("pause", 2.5, None)
        again.ask("s", "run")
        assert again.raise_caps("s", max_runs=70) == Control("run", 2.5, 70)
        for missing in (lambda: again.ask("t", "stop"), lambda: again.raise_caps("t", 1.0)):
            with pytest.raises(BadInputError, match="study 't': is not in the store"):
                missing()
        again.close()

    def test_a_cap_is_only_ever_raised(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        assert store.raise_caps("s", 3.0, 10) == Control("run", 3.0, 10)
        assert store.raise_caps("s", 2.0, 30) == Control("run", 3.0, 30)
        assert store.raise_caps("s", 4.0, 20) == Control("run", 4.0, 30)
        assert store.raise_caps("s") == Control("run", 4.0, 30)
        store.close()

    def test_a_standing_is_read_only_when_it_is_newer(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        assert store.standing("s") is None
        store.save_standing("s", b"a")
        assert store.standing("s") == (1, b"a")
        assert store.standing("s", 1) is None
        store.close()
        again = reopen()
        again.save_standing("s", b"b")
        assert again.standing("s", 1) == (2, b"b")
        with pytest.raises(BadInputError, match="is not in the store"):
            again.save_standing("t", b"c")
        again.close()

    def test_runs_are_followed_and_none_comes_twice(self, reopen: Callable[[], Store]) -> None:
        store, other = reopen(), reopen()
        for name in ("s", "t"):
            store.open_study(StudyRecord(name, "{}", "f"))
        following = follow_runs(other, "s")
        assert following.new() == []
        store.record("s", make_run("t1"))
        store.record("t", make_run("t1"))
        store.record("s", make_run("t2", Status.OUTAGE, None))
        assert following.new(1) == [make_run("t1")]
        assert following.new() == [make_run("t2", Status.OUTAGE, None)]
        assert following.new() == []
        store.record("s", make_run("t3"))
        store.record("s", make_run("t2"))
        assert [r.key.task_id for r in following.new()] == ["t2", "t3"]
        assert following.new() == []
        store.close()
        other.close()

    def test_calls_are_followed(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        log = store.call_log("g")
        following = follow_calls(store.call_log("g"))
        log.keep([make_call(f"c{i}", "s", 1) for i in range(3)])
        store.call_log("other").keep([make_call("c9", "s", 1)])
        assert following.new(2) == [b"c0", b"c1"]
        assert following.new(2) == [b"c2"]
        log.keep([make_call("c4", "s", 1)])
        assert following.new() == [b"c4"]
        store.close()
