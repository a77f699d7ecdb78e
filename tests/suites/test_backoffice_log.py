"""The free text that pads a record."""

from __future__ import annotations

import re

import pytest

from leanloop.suites.backoffice.families_long import IMPOSSIBLE
from leanloop.suites.backoffice.history import history_log
from leanloop.suites.backoffice.names import EXAMPLE, HOLDOUT, SEARCH


@pytest.mark.parametrize("characters", [100, 600, 4000, 20_000])
def test_a_log_is_about_as_long_as_asked_for(characters):
    logs = [history_log("seed", f"key {i}", characters) for i in range(30)]
    assert len(set(logs)) == 30
    longest_line = max(len(line) + 1 for log in logs for line in log.splitlines())
    for log in logs:
        assert characters <= len(log) <= characters + 2 * longest_line
        days = [line.split()[0] for line in log.splitlines()]
        assert days == sorted(days)
    assert history_log("seed", "key 0", characters) == logs[0]


def test_a_log_says_nothing_that_a_task_could_ask_for():
    log = history_log("seed", "key", 20_000)
    pools = (SEARCH, HOLDOUT, EXAMPLE)
    words = {w for p in pools for w in (*p.first, *p.last, *p.teams, *p.cities, *p.products)}
    words |= {"open", "closed", "shipped", "pending", "cancelled", IMPOSSIBLE}
    assert not words & set(re.findall(r"\w+", log))
