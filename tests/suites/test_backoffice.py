from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.core.message import ToolCall
from leanloop.core.task import Split, Task
from leanloop.suites.backoffice.families import FAMILIES, Draft
from leanloop.suites.backoffice.names import EXAMPLE, HOLDOUT, SEARCH
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from leanloop.suites.backoffice.tools import Backoffice
from leanloop.suites.backoffice.world import snapshot
from tests.suites.conformance import SuiteConformance

SUITE = BackofficeSuite(BackofficeOptions(seed=3, search_tasks=70, holdout_tasks=70))
EVERY = [t for split in Split for t in SUITE.tasks(split)]


class TestBackoffice(SuiteConformance):
    def make(self) -> BackofficeSuite:
        return BackofficeSuite(BackofficeOptions(seed=5))


@contextmanager
def opened(task: Task) -> Iterator[tuple[Backoffice, Draft]]:
    environment = SUITE.open(task)
    draft, _ = SUITE._draft(task.split, int(task.task_id.split("-")[1]))
    try:
        yield environment, draft
    finally:
        environment.close()


def of_family(name: str) -> list[Task]:
    return [t for t in EVERY if t.family == name]


@pytest.mark.parametrize("task", EVERY, ids=lambda t: t.task_id)
def test_every_task_is_solved_by_its_own_steps(task):
    with opened(task) as (environment, draft):
        for tool, arguments, fields in draft.steps:
            result = environment.carry_out(tool, arguments)
            first = result[0] if isinstance(result, list) and result else result
            assert set(fields) <= set(first)
        assert environment.verify(draft.answer) == 1
    with opened(task) as (environment, _):
        assert environment.verify("none of these") == 0


def test_values_are_checked_and_not_phrasing():
    with opened(of_family("total")[0]) as (environment, draft):
        assert environment.verify(f"O-1 and O-2 have {draft.answer} items.") == 1
        assert environment.verify(f"{int(draft.answer) + 1}") == 0
    hop = next(t for t in of_family("two_hops") if "city" in t.prompt)
    with opened(hop) as (environment, draft):
        assert environment.verify(f"They are in {draft.answer.upper()}.") == 1
        assert environment.verify(f"{draft.answer} or {draft.rivals[0]}") == 0
        assert environment.verify(f"x{draft.answer}y") == 0


def test_a_write_that_was_not_asked_for_is_a_failure():
    with opened(of_family("lookup")[0]) as (environment, draft):
        ticket = environment.database.execute("SELECT * FROM tickets").fetchone()
        status = "open" if ticket["status"] == "closed" else "closed"
        environment.carry_out(
            "set_ticket_status", {"ticket_id": ticket["ticket_id"], "status": status}
        )
        assert environment.verify(draft.answer) == 0


def test_an_update_is_judged_by_the_end_state_alone():
    with opened(of_family("update")[0]) as (environment, draft):
        assert environment.verify(draft.answer) == 0
        for tool, arguments, _ in draft.steps:
            environment.carry_out(tool, arguments)
        assert environment.verify(None) == 1


def test_pools_and_wordings_share_nothing():
    for attribute in ("first", "last", "teams", "cities", "products", "customers"):
        pools = [set(getattr(p, attribute)) for p in (SEARCH, HOLDOUT, EXAMPLE)]
        assert sum(map(len, pools)) == len(set.union(*pools)), attribute
    shapes = {split: {shape(t.prompt) for t in SUITE.tasks(split)} for split in Split}
    examples = {shape(e.prompt) for e in SUITE.examples}
    assert not shapes[Split.SEARCH] & shapes[Split.HOLDOUT]
    assert not examples & (shapes[Split.SEARCH] | shapes[Split.HOLDOUT])


def shape(prompt: str) -> str:
    """A prompt without its names and numbers."""
    words = [w for p in (SEARCH, HOLDOUT, EXAMPLE) for w in (*p.first, *p.last, *p.teams)]
    words += [w for p in (SEARCH, HOLDOUT, EXAMPLE) for w in p.products]
    return re.sub(rf"\b(?:{'|'.join(words)}|[OT]-\d+)\b", "_", prompt)


@given(
    tool=st.sampled_from([t.name for t in SUITE.tools if t.read_only]),
    value=st.one_of(st.text(max_size=9), st.integers(), st.none(), st.lists(st.integers())),
)
def test_read_only_tools_change_nothing(tool, value):
    environment = SUITE.open(EVERY[0])
    try:
        before = snapshot(environment.database)
        arguments = dict.fromkeys(("name", "order_id", "ticket_id", "assignee", "customer"), value)
        result = asyncio.run(environment.call(ToolCall("c", tool, arguments)))
        assert snapshot(environment.database) == before
        assert result.call_id == "c"
    finally:
        environment.close()


def test_knobs():
    plain = BackofficeSuite(BackofficeOptions(noise_fields=0, distractors=0))
    noisy = BackofficeSuite(BackofficeOptions(noise_fields=8, distractors=6))
    assert len(plain.tools) == 10
    assert len(noisy.tools) == 16
    few = BackofficeSuite(BackofficeOptions(families=("lookup",), distractors=5))
    assert len(few.tools) == 6
    assert [t.prompt for t in plain.tasks(Split.SEARCH)] == [
        t.prompt for t in noisy.tasks(Split.SEARCH)
    ]
    task = plain.tasks(Split.SEARCH)[0]
    name = re.findall(r"of (\w+ \w+) work|order (O-\d+)", task.prompt)[0]
    tool, key = ("get_person", "name") if name[0] else ("get_order", "order_id")
    sizes = []
    for suite in (plain, noisy):
        environment = suite.open(task)
        sizes.append(len(environment.carry_out(tool, {key: name[0] or name[1]})))
        environment.close()
    assert sizes[1] == sizes[0] + 8


@pytest.mark.parametrize(
    "options",
    [
        {"families": ("lookups",)},
        {"noise_fields": 9},
        {"distractors": -1},
        {"search_tasks": 0},
        {"holdout_tasks": -3},
    ],
)
def test_bad_options(options):
    with pytest.raises(BadInputError, match=next(iter(options))):
        BackofficeSuite(BackofficeOptions(**options))


def test_families_take_turns():
    assert [t.family for t in SUITE.tasks(Split.SEARCH)[:7]] == list(FAMILIES)
