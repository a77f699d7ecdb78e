from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolCall
from leanloop.core.task import Split, Task
from leanloop.suites.backoffice.distractors import DISTRACTORS
from leanloop.suites.backoffice.families import FAMILIES, Draft
from leanloop.suites.backoffice.names import EXAMPLE, HOLDOUT, SEARCH
from leanloop.suites.backoffice.noise import NOISE_FIELDS
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from leanloop.suites.backoffice.tools import Backoffice
from leanloop.suites.backoffice.world import TABLES, snapshot
from leanloop.suites.builtin import build_suite
from tests.suites.conformance import SuiteConformance

SUITE = BackofficeSuite(BackofficeOptions(seed=3, search_tasks=70, holdout_tasks=70))
EVERY = [t for split in Split for t in SUITE.tasks(split)]


class TestBackoffice(SuiteConformance):
    def make(self) -> BackofficeSuite:
        return BackofficeSuite(BackofficeOptions(seed=5))

    def solution(self, task: Task) -> list[ToolCall]:
        draft, _ = self.make()._draft(task.split, int(task.task_id.split("-")[1]))
        return [ToolCall(f"c{i}", tool, a) for i, (tool, a, _) in enumerate(draft.steps)]


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


@pytest.mark.parametrize("task", EVERY, ids=lambda t: t.task_id)
def test_the_next_best_answer_is_wrong(task):
    with opened(task) as (environment, draft):
        if draft.answer.isdigit():
            near: tuple[str, ...] = (str(int(draft.answer) + 1), str(int(draft.answer) - 1))
        else:
            near = (*draft.rivals, f"{draft.answer} or {(draft.rivals or ('both',))[0]}")
        assert near
        assert [environment.verify(wrong) for wrong in near] == [0] * len(near)
        assert environment.verify("") == 0


def test_a_number_may_have_commas_and_words_around_it():
    with opened(of_family("lookup")[0]) as (environment, draft):
        number = int(draft.answer)
        for said in (f"{number:,}", f"The extension is {number:,}.", f"**{number}**"):
            assert environment.verify(said) == 1, said
        for said in (f"{number:,}1", f"{number}.5", f"{number} floors up is {number + 1}"):
            assert environment.verify(said) == 0, said


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
        assert environment.verify("I could not do it") == 1
        other = environment.database.execute(
            "SELECT ticket_id FROM tickets WHERE ticket_id != ? AND assignee != ?",
            (draft.steps[1][1]["ticket_id"], draft.steps[1][1]["name"]),
        ).fetchone()
        environment.carry_out("assign_ticket", draft.steps[1][1] | dict(other))
        assert environment.verify(draft.answer) == 0


def test_an_update_to_the_wrong_person_is_a_failure():
    with opened(of_family("update")[0]) as (environment, draft):
        right = draft.steps[1][1]
        people = environment.database.execute("SELECT name FROM people").fetchall()
        wrong = next(row["name"] for row in people if row["name"] != right["name"])
        environment.carry_out("assign_ticket", right | {"name": wrong})
        assert environment.verify(draft.answer) == 0


def test_pools_and_wordings_share_nothing():
    for attribute in ("first", "last", "teams", "cities", "products", "customers"):
        pools = [set(getattr(p, attribute)) for p in (SEARCH, HOLDOUT, EXAMPLE)]
        assert sum(map(len, pools)) == len(set.union(*pools)), attribute
    shapes = {split: {shape(t.prompt) for t in SUITE.tasks(split)} for split in Split}
    examples = {shape(e.prompt) for e in SUITE.examples}
    assert not shapes[Split.SEARCH] & shapes[Split.HOLDOUT]
    assert not examples & (shapes[Split.SEARCH] | shapes[Split.HOLDOUT])


def numbers_of(split: Split) -> set[str]:
    worlds = [SUITE._draft(split, i)[1] for i in range(70)]
    return {
        n
        for w in worlds
        for n in (*w.values("orders", "order_id"), *w.values("tickets", "ticket_id"))
    }


def numbers_of_examples() -> set[str]:
    """Every number that a worked example shows, over some seeds."""
    suites = [BackofficeSuite(BackofficeOptions(seed=seed)) for seed in range(20)]
    return {n for s in suites for e in s.examples for n in re.findall(r"[OT]-\d+", repr(e))}


def test_numbers_of_the_holdout_are_seen_nowhere_else():
    assert not numbers_of(Split.HOLDOUT) & (numbers_of(Split.SEARCH) | numbers_of_examples())


def test_numbers_of_examples_are_not_those_of_the_search():
    assert not numbers_of(Split.SEARCH) & numbers_of_examples()


def shape(prompt: str) -> str:
    """A prompt without its names and numbers."""
    words = [w for p in (SEARCH, HOLDOUT, EXAMPLE) for w in (*p.first, *p.last, *p.teams)]
    words += [w for p in (SEARCH, HOLDOUT, EXAMPLE) for w in p.products]
    return re.sub(rf"\b(?:{'|'.join(words)}|[OT]-\d+)\b", "_", prompt)


def rows_of(task: Task) -> list[tuple[object, ...]]:
    with opened(task) as (environment, _):
        return [row for rows in snapshot(environment.database).values() for row in rows]


def test_tools_that_write_do_not_say_that_they_only_read():
    writers = {"set_ticket_status", "assign_ticket", "set_order_status"}
    assert {t.name for t in SUITE.tools if not t.read_only and t not in DISTRACTORS} == writers


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("get_person", {}, "'name' is missing"),
        ("get_person", {"name": "Nobody At All"}, "Nobody At All"),
        ("get_person", {"name": "\ud800"}, "surrogates"),
        ("set_ticket_status", {"ticket_id": "T-1", "status": "closed"}, "T-1"),
        ("set_order_status", {"order_id": None, "status": "lost"}, "pending, shipped, cancelled"),
        ("assign_ticket", {"ticket_id": None, "name": "Nobody At All"}, "Nobody At All"),
    ],
)
async def test_a_wrong_call_is_an_error_result_and_changes_nothing(tool, arguments, says):
    with opened(EVERY[0]) as (environment, _):
        before = snapshot(environment.database)
        if "order_id" in arguments:
            (ident,) = environment.database.execute("SELECT order_id FROM orders").fetchone()
            arguments = {**arguments, "order_id": ident}
        result = await environment.call(ToolCall("c", tool, arguments))
        assert result.is_error
        assert says in result.text
        assert snapshot(environment.database) == before


async def test_distractors_answer_and_change_nothing():
    suite = BackofficeSuite(BackofficeOptions(distractors=len(DISTRACTORS)))
    environment = suite.open(suite.tasks(Split.SEARCH)[0])
    before = snapshot(environment.database)
    for tool in DISTRACTORS:
        result = await environment.call(ToolCall("c", tool.name, {}))
        assert not result.is_error
    assert snapshot(environment.database) == before
    environment.close()


@given(
    tool=st.sampled_from([t.name for t in SUITE.tools if t.read_only]),
    value=st.one_of(
        st.sampled_from([v for row in rows_of(EVERY[0]) for v in row]),
        st.text(st.characters(), max_size=9),
        st.integers(),
        st.none(),
        st.lists(st.integers()),
    ),
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


def test_noise_adds_fields_and_never_changes_an_answer():
    assert not set(NOISE_FIELDS) & {c for columns in TABLES.values() for c in columns}
    suites = [BackofficeSuite(BackofficeOptions(seed=3, noise_fields=n)) for n in (0, 8)]
    for index, task in enumerate(suites[0].tasks(Split.SEARCH)):
        (draft, _), (noisy_draft, _) = (s._draft(Split.SEARCH, index) for s in suites)
        assert noisy_draft == draft
        plain, noisy = (s.open(task) for s in suites)
        for tool, arguments, _ in draft.steps:
            bare, full = (e.carry_out(tool, arguments) for e in (plain, noisy))
            if tool == "assign_ticket":
                assert full == bare
            for one, more in zip(as_records(bare), as_records(full), strict=True):
                assert more == one | {f: more[f] for f in NOISE_FIELDS if f in more}
                assert (len(more) == len(one) + 8) == (tool != "assign_ticket")
        assert plain.verify(draft.answer) == noisy.verify(draft.answer) == 1
        plain.close()
        noisy.close()


def as_records(result: Json) -> list[dict[str, Json]]:
    return result if isinstance(result, list) else [result]


def test_another_seed_is_other_tasks():
    prompts = [
        {t.prompt for t in BackofficeSuite(BackofficeOptions(seed=s)).tasks(Split.SEARCH)}
        for s in (1, 2)
    ]
    assert len(prompts[0] & prompts[1]) < 10


@pytest.mark.parametrize(
    "options", [{"no_such_knob": 1}, {"noise_fields": "many"}, {"families": "lookup"}]
)
def test_options_of_a_study_are_checked(options):
    with pytest.raises(BadInputError, match=r"suite\.options"):
        build_suite("backoffice", options)


@pytest.mark.parametrize(
    "options",
    [
        {"families": ("lookups",)},
        {"noise_fields": 9},
        {"distractors": -1},
        {"distractors": 41},
        {"noise_characters": -1},
        {"noise_characters": 100_001},
        {"search_tasks": 0},
        {"holdout_tasks": -3},
    ],
)
def test_bad_options(options):
    with pytest.raises(BadInputError, match=next(iter(options))):
        BackofficeSuite(BackofficeOptions(**options))


def test_families_take_turns():
    assert [t.family for t in SUITE.tasks(Split.SEARCH)[:7]] == list(FAMILIES)
