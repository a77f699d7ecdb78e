"""The further families, long noise and many distractors; and that the usual suite is untouched."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolCall
from leanloop.core.task import Split, Task
from leanloop.suites.backoffice.distractors import DISTRACTORS
from leanloop.suites.backoffice.families import FAMILIES, Draft
from leanloop.suites.backoffice.families_long import (
    AT_LEAST,
    EXTRA_FAMILIES,
    EXTRA_FAMILY_TOOLS,
    IMPOSSIBLE,
)
from leanloop.suites.backoffice.history import FIELD, badge_number
from leanloop.suites.backoffice.names import EXAMPLE, HOLDOUT, SEARCH
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from leanloop.suites.backoffice.tools import EXTRA_TOOLS, TOOLS, Backoffice
from leanloop.suites.backoffice.world import TABLES, World, snapshot
from tests.suites.conformance import SuiteConformance

EXTRA = tuple(EXTRA_FAMILIES)
OPTIONS = BackofficeOptions(
    seed=3, search_tasks=72, holdout_tasks=72, families=EXTRA, noise_characters=600
)
SUITE = BackofficeSuite(OPTIONS)
EVERY = [t for split in Split for t in SUITE.tasks(split)]


class TestExtraFamilies(SuiteConformance):
    def make(self) -> BackofficeSuite:
        return BackofficeSuite(OPTIONS)

    def solution(self, task: Task) -> list[ToolCall]:
        return calls_of(drawn(task)[0])


def drawn(task: Task, suite: BackofficeSuite = SUITE) -> tuple[Draft, World]:
    return suite._draft(task.split, int(task.task_id.split("-")[1]))


def calls_of(draft: Draft) -> list[ToolCall]:
    return [ToolCall(f"c{i}", tool, a) for i, (tool, a, _) in enumerate(draft.steps)]


@contextmanager
def opened(task: Task, suite: BackofficeSuite = SUITE) -> Iterator[Backoffice]:
    environment = suite.open(task)
    try:
        yield environment
    finally:
        environment.close()


async def observed(task: Task, suite: BackofficeSuite = SUITE) -> list[Json]:
    """What a solver that follows the steps sees; None where a call fails."""
    seen: list[Json] = []
    with opened(task, suite) as environment:
        for call in calls_of(drawn(task, suite)[0]):
            result = await environment.call(call)
            seen.append(None if result.is_error else json.loads(result.text))
        assert environment.verify(drawn(task, suite)[0].answer) == 1
    return seen


def of_family(name: str) -> list[Task]:
    found = [t for t in EVERY if t.family == name]
    assert len(found) == 24
    return found


def fingerprint(options: BackofficeOptions) -> str:
    """Hash of all that a run of any task of the suite can see on its right way."""
    suite = BackofficeSuite(options)
    digest = hashlib.sha256(suite.instructions.encode())
    # As they were before tools had contracts, which nobody is shown.
    tools = [re.sub(r", contract=.*\)$", ")", repr(t), flags=re.DOTALL) for t in suite.tools]
    digest.update(f"({', '.join(tools)})".encode())
    digest.update(repr(suite.examples).encode())
    for task in (t for split in Split for t in suite.tasks(split)):
        parts = (task.task_id, task.prompt, str(task.split), task.family)
        digest.update(repr(parts).encode())
        draft, _ = drawn(task, suite)
        with opened(task, suite) as environment:
            said = [(tool, a, environment.carry_out(tool, a)) for tool, a, _ in draft.steps]
        digest.update(repr(said).encode())
        digest.update(repr((draft.answer, draft.rivals, draft.change)).encode())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            BackofficeOptions(),
            "908cabdbc5c27637db69b13d972f6a6b911bdee4fa97eba34c8b72fd671c83ed",
        ),
        (
            BackofficeOptions(seed=5, noise_fields=8, distractors=6),
            "efb1bed215f35fe35a831bb147c8c6e4f036f80fda81ec8b1129622d67e5d4d4",
        ),
        (
            BackofficeOptions(families=("lookup", "count"), noise_fields=0),
            "b6353eaf19f425152a4f17b5ba4b846b1b09f12150937fd88b7d6a71708cb30e",
        ),
    ],
)
def test_the_usual_suite_is_what_it_was_before_there_was_more(options, expected):
    """The hashes were taken from the suite of seven families, six distractors and no log."""
    assert fingerprint(options) == expected


def test_further_families_come_only_when_they_are_named():
    usual = BackofficeSuite(BackofficeOptions())
    assert {t.family for s in Split for t in usual.tasks(s)} == set(FAMILIES)
    assert not {t.name for t in usual.tools} & set(EXTRA_TOOLS)
    assert not set(FAMILIES) & set(EXTRA_FAMILIES)
    assert set(EXTRA_FAMILIES) == set(EXTRA_FAMILY_TOOLS)


def test_all_families_together_have_every_tool_once():
    suite = BackofficeSuite(
        BackofficeOptions(families=(*FAMILIES, *EXTRA), noise_characters=200, distractors=40)
    )
    names = [t.name for t in suite.tools]
    assert names == [*TOOLS, *EXTRA_TOOLS, *(t.name for t in DISTRACTORS)]


def test_seven_families_are_not_all_families():
    few = BackofficeSuite(
        BackofficeOptions(families=(*EXTRA, "lookup"), noise_characters=200, distractors=0)
    )
    assert {t.name for t in few.tools} == {t for f in EXTRA for t in EXTRA_FAMILY_TOOLS[f]}


@pytest.mark.parametrize("task", EVERY, ids=lambda t: t.task_id)
async def test_steps_see_the_fields_they_need_and_solve_the_task(task):
    draft, _ = drawn(task)
    for (tool, _, fields), seen in zip(draft.steps, await observed(task), strict=True):
        assert tool in EXTRA_FAMILY_TOOLS[task.family]
        if seen is None:
            assert task.family == "unsolvable"
            continue
        first = seen[0] if isinstance(seen, list) else seen
        assert set(fields) <= set(first)


@pytest.mark.parametrize("task", EVERY, ids=lambda t: t.task_id)
def test_another_answer_is_wrong(task):
    draft, _ = drawn(task)
    if draft.answer.isdigit():
        near: tuple[str, ...] = (str(int(draft.answer) + 1), str(int(draft.answer) - 1))
    else:
        near = (*draft.rivals, f"{draft.answer} or {draft.rivals[0]}")
    with opened(task) as environment:
        assert [environment.verify(wrong) for wrong in (*near, "")] == [0] * (len(near) + 1)


def test_wordings_of_the_splits_and_the_examples_differ():
    shapes = {split: {shape(t.prompt) for t in SUITE.tasks(split)} for split in Split}
    examples = {shape(e.prompt) for e in SUITE.examples}
    # Two kinds of audit and three ways to be unsolvable.
    assert [len(shapes[split]) for split in Split] == [9, 9]
    assert not shapes[Split.SEARCH] & shapes[Split.HOLDOUT]
    assert not examples & (shapes[Split.SEARCH] | shapes[Split.HOLDOUT])


def shape(prompt: str) -> str:
    """A prompt without its names and numbers."""
    pools = (SEARCH, HOLDOUT, EXAMPLE)
    words = [w for p in pools for w in (*p.first, *p.last, *p.teams, *p.products)]
    return re.sub(rf"\b(?:{'|'.join(words)}|[OT]-\d+)\b", "_", prompt)


async def test_an_audit_reads_every_record_of_its_group_and_no_other():
    kinds = Counter[str]()
    for task in of_family("audit"):
        draft, world = drawn(task)
        listed, *read = await observed(task)
        tool, arguments, _ = draft.steps[0]
        kinds[tool] += 1
        table, column = (
            ("tickets", "team") if tool == "list_team_tickets" else ("orders", "product")
        )
        key = TABLES[table][0]
        group = [r for r in world.rows[table] if r[column] == arguments[column]]
        assert AT_LEAST <= len(group) == len(read)
        assert {r[key] for r in listed} == {r[key] for r in group} == {r[key] for r in read}
        assert all(set(r) == {key} for r in listed), "a list that tells all makes reading needless"
        if table == "tickets":
            assert int(draft.answer) == sum(r["status"] == "open" for r in read)
        else:
            assert int(draft.answer) == sum(r["quantity"] for r in read if r["status"] == "shipped")
    assert min(kinds["list_team_tickets"], kinds["list_product_orders"]) > 3


async def test_a_recheck_reads_the_same_people_again_and_has_one_answer():
    for task in of_family("recheck"):
        draft, _ = drawn(task)
        seen = await observed(task)
        assert len(set(map(repr, draft.steps))) <= 5 + 2
        assert len(draft.steps) == 10
        managers = Counter(record["manager"] for record in seen[1::2])
        (most, times), *rest = managers.most_common()
        assert most == draft.answer
        assert all(times > fewer for _, fewer in rest)


async def test_a_parallel_task_is_four_chains_that_do_not_meet():
    for task in of_family("parallel"):
        draft, _ = drawn(task)
        seen = await observed(task)
        people = [a["name"] for tool, a, _ in draft.steps if tool == "get_person"]
        assert len(set(people)) == 4
        assert all(name in task.prompt for name in people)
        for person, team in zip(seen[::2], seen[1::2], strict=True):
            assert person["team"] == team["name"]
        assert int(draft.answer) == sum(team["floor"] for team in seen[1::2])


async def test_a_long_chain_follows_what_was_read_and_has_no_short_way():
    short = 0
    for task in of_family("long"):
        draft, _ = drawn(task)
        seen = await observed(task)
        assert len(seen) == 6
        named = [next(iter(a.values())) for _, a, _ in draft.steps]
        for record, (_, _, fields), following in zip(seen, draft.steps, named[1:], strict=False):
            assert record[fields[0]] == following
        assert seen[-1]["phone_extension"] == int(draft.answer)
        short += named[2] == named[5]
    assert short == 0


async def test_what_is_unsolvable_cannot_be_done_and_says_how_to_say_so():
    kinds = Counter[str]()
    for task in of_family("unsolvable"):
        assert IMPOSSIBLE in task.prompt
        (seen,) = await observed(task)
        kinds["no record" if seen is None else "address" if "name" in seen else "delete"] += 1
        with opened(task) as environment:
            assert environment.verify("That is impossible.") == 1
            assert environment.verify("I could not find it.") == 0
    assert set(kinds) == {"no record", "address", "delete"}
    offered = " ".join(f"{t.name} {t.description}" for t in (*SUITE.tools, *DISTRACTORS)).lower()
    assert not re.search(r"home|delete|remove|erase|archive", offered)


def test_an_order_that_there_is_not_is_in_no_company_of_its_task():
    suite = BackofficeSuite(BackofficeOptions(families=("unsolvable",), search_tasks=600))
    for draft, world in (drawn(task, suite) for task in suite.tasks(Split.SEARCH)):
        ((tool, arguments, _),) = draft.steps
        known = {str(v) for rows in world.rows.values() for r in rows for v in r.values()}
        assert (next(iter(arguments.values())) in known) == (tool != "get_order")


def test_trying_to_do_the_impossible_by_another_change_is_a_failure():
    task = next(
        t
        for t in of_family("unsolvable")
        if re.search(r"delete", t.prompt, re.IGNORECASE)
        and drawn(t)[1].one("tickets", drawn(t)[0].steps[0][1]["ticket_id"])["status"] == "open"
    )
    with opened(task) as environment:
        environment.carry_out(
            "set_ticket_status", drawn(task)[0].steps[0][1] | {"status": "closed"}
        )
        assert environment.verify(IMPOSSIBLE) == 0


def test_examples_show_how_to_give_up():
    shown = [e for e in SUITE.examples if e.answer == IMPOSSIBLE]
    assert len(shown) == 3
    steps = [s for e in SUITE.examples for s in e.steps]
    refused = [s for s in steps if isinstance(s.result, str)]
    assert all("orders has no order_id" in s.result for s in refused)
    seeds = (BackofficeSuite(BackofficeOptions(seed=s, families=("unsolvable",))) for s in range(9))
    assert any(isinstance(e.steps[0].result, str) for s in seeds for e in s.examples)


def test_history_can_be_asked_for_by_a_lever_that_narrows_results():
    tools = {t.name: t for t in SUITE.tools}
    assert FIELD in tools["get_person"].result_fields
    assert FIELD not in tools["get_team"].result_fields
    plain = BackofficeSuite(BackofficeOptions(noise_characters=600))
    assert all(FIELD not in t.result_fields for t in plain.tools)


def test_history_without_a_log_is_refused():
    with pytest.raises(BadInputError, match="noise_characters"):
        BackofficeSuite(BackofficeOptions(families=("history",)))


async def test_the_badge_stands_in_the_log_once_and_nowhere_else():
    for task in of_family("history"):
        draft, world = drawn(task)
        (record,) = await observed(task)
        assert re.findall(r"B-\d{5}", record.pop(FIELD)) == [draft.answer]
        assert draft.answer not in repr(record)
        badges = {badge_number(world.seed, p["name"]) for p in world.rows["people"]}
        assert set(draft.rivals) == badges - {draft.answer}


def test_noise_characters_pad_every_record_and_change_no_task():
    plain, noisy = (
        BackofficeSuite(BackofficeOptions(seed=3, noise_characters=n)) for n in (0, 3000)
    )
    assert plain.tools == noisy.tools
    assert plain.tasks(Split.SEARCH) == noisy.tasks(Split.SEARCH)
    for task in plain.tasks(Split.SEARCH):
        draft, _ = drawn(task, plain)
        assert drawn(task, noisy)[0] == draft
        with opened(task, plain) as bare, opened(task, noisy) as full:
            for tool, arguments, _ in draft.steps:
                one, more = (e.carry_out(tool, arguments) for e in (bare, full))
                if tool == "assign_ticket":
                    assert one == more
                    continue
                for a, b in zip(rows(one), rows(more), strict=True):
                    assert len(b.pop(FIELD)) >= 3000
                    assert a == b
            assert full.verify(draft.answer) == 1


def rows(result: Json) -> list[dict[str, Json]]:
    return result if isinstance(result, list) else [result]


def test_forty_distractors_are_no_other_tool():
    assert len(DISTRACTORS) == 40
    names = [*TOOLS, *EXTRA_TOOLS, *(t.name for t in DISTRACTORS)]
    assert len(set(names)) == len(names)
    assert len({t.description for t in DISTRACTORS}) == 40
    properties = [t.parameters["properties"] for t in DISTRACTORS]
    kinds = {s.get("type", "enum") for p in properties for s in p.values()}
    assert kinds == {"string", "number", "integer", "boolean", "array", "enum"}
    assert {len(p) for p in properties} == {0, 1, 2, 3}
    stems = {tuple(n.split("_")[:2]) for n in TOOLS}
    assert sum(tuple(t.name.split("_")[:2]) in stems for t in DISTRACTORS) >= 7, "some sound alike"


@pytest.mark.parametrize("family", [*FAMILIES, *EXTRA])
async def test_distractors_change_nothing(family):
    few, many = (
        BackofficeSuite(BackofficeOptions(families=(family,), noise_characters=300, distractors=n))
        for n in (0, 40)
    )
    assert few.tasks(Split.HOLDOUT) == many.tasks(Split.HOLDOUT)
    assert few.examples == many.examples
    task = many.tasks(Split.HOLDOUT)[0]
    assert await observed(task, few) == await observed(task, many)
    with opened(task, many) as environment:
        before = snapshot(environment.database)
        for tool in DISTRACTORS:
            result = await environment.call(ToolCall("c", tool.name, {}))
            assert not result.is_error
        assert snapshot(environment.database) == before
    with opened(task, few) as environment:
        assert (await environment.call(ToolCall("c", DISTRACTORS[-1].name, {}))).is_error


def test_the_instructions_can_allow_calls_at_once():
    one, many = (BackofficeSuite(BackofficeOptions(one_call=v)).instructions for v in (True, False))
    assert "one tool at a time" in one
    assert "one tool at a time" not in many
    assert "{" not in one + many


async def test_a_list_of_an_unknown_group_is_empty():
    with opened(of_family("audit")[0]) as environment:
        for tool, argument in (("list_team_tickets", "team"), ("list_product_orders", "product")):
            result = await environment.call(ToolCall("c", tool, {argument: "Nobody"}))
            assert (result.text, result.is_error) == ("[]", False)
            result = await environment.call(ToolCall("c", tool, {}))
            assert result.is_error
