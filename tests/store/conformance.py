"""What every store must do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.run import ModelCall, Run, RunKey, Status, Step
from leanloop.core.task import Split
from leanloop.core.tokens import Tokens
from leanloop.store.protocol import Store, StudyRecord


def make_run(task: str, status: Status = Status.FINISHED, success: float | None = 1.0) -> Run:
    call = ModelCall("m", "p:m", "act", Tokens(1, 2, None, 0, 5, 0), 0.25, 1.5)
    return Run(
        RunKey("c", task), Split.SEARCH, status, success, (Step((call,)),), 1.25, 1.0, 3.0, "ünï"
    )


class StoreConformance:
    """Subclasses give a fixture ``reopen``: each call opens the same store anew."""

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
        with pytest.raises(Exception, match=r"(?i)unique"):
            store.record("s", make_run("t1", Status.ERROR, 0.0))
        assert [r.status for r in store.runs("s")] == [Status.FINISHED]
        store.close()

    def test_an_outage_is_replaced(self, reopen: Callable[[], Store]) -> None:
        store = reopen()
        store.open_study(StudyRecord("s", "{}", "f"))
        store.record("s", make_run("t1", Status.OUTAGE, None))
        store.record("s", make_run("t1"))
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
