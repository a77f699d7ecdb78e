"""tau-bench results."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanloop.traces.readers.tau_bench import READER
from leanloop.traces.trace import conversation
from tests.traces.chat_forms import CONVERSATION, SECRET, as_tau, tau_run, write
from tests.traces.conformance import ReaderConformance, check, runs_of

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "tau-bench-airline" / "gpt-4o.json.gz"


class TestTauBench(ReaderConformance):
    SECRET = SECRET

    @pytest.fixture
    def reader(self):
        return READER

    @pytest.fixture
    def sample(self, tmp_path):
        return as_tau(tmp_path / "in" / "tau.json")


@pytest.mark.parametrize(("reward", "success"), [(1.0, 1), (0.0, 0), (0.93, 0), (None, None)])
def test_solved_is_a_reward_of_one(tmp_path, reward, success):
    file = write(tmp_path / "x.json", [tau_run(7, CONVERSATION, reward)])
    (run,), _ = runs_of(READER, file)
    assert (run.success, run.task_id) == (success, "7")


def test_a_run_that_raised_failed_and_has_no_call(tmp_path):
    raised = {**tau_run(3, [], 0.0), "info": {"error": SECRET, "traceback": SECRET}}
    (run,), lost = runs_of(READER, write(tmp_path / "x.json", [raised]))
    assert (run.calls, run.success, run.ended, lost) == ((), 0, "error", 0)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published runs are not on this machine")
def test_the_published_runs_of_gpt_4o():
    runs, lost = runs_of(READER, PUBLISHED, contents=False)
    for run in runs:
        check(run)
    assert (len(runs), lost) == (100, 0)
    assert sum(r.success or 0 for r in runs) == 43
    assert len({r.task_id for r in runs}) == 50
    sent = fresh = first = 0
    seen: set[int] = set()
    for run in runs:
        for call, request in conversation(run):
            sent += sum(e.chars for e in request)
            fresh += sum(e.chars for e in request[call.kept :])
            first += sum(e.chars for e in call.added if e.digest not in seen)
            seen.update(e.digest for e in call.added)
    # Of what a run was sent, and of what all were sent, counting policies that all share once.
    assert 1 - fresh / sent == pytest.approx(0.919, abs=0.001)
    assert 1 - first / sent == pytest.approx(0.979, abs=0.001)
    names = {e.tool for r in runs for c in r.calls for e in c.added if e.call_id}
    assert "get_reservation_details" in names
    assert "" not in names
