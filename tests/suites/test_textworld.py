from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import msgspec
import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Json, Request, ToolCall, ToolMessage
from leanloop.core.run import Status
from leanloop.core.task import Split, Task
from leanloop.suites.builtin import build_suite
from leanloop.suites.textworld import games
from leanloop.suites.textworld.commands import meant
from leanloop.suites.textworld.environment import TextworldRun
from leanloop.suites.textworld.games import Shape, make_game
from leanloop.suites.textworld.suite import TextworldOptions, TextworldSuite
from tests.suites.conformance import SuiteConformance
from tests.suites.playing import calls, play, says

pytest.importorskip("textworld")

SMALL = TextworldOptions(search_tasks=4, holdout_tasks=3, rooms=3, objects=6, quest_length=4)


@cache
def suite(fraction: bool = False) -> TextworldSuite:
    """Games are made once for all tests."""
    if not fraction:
        return TextworldSuite(SMALL)
    shape: dict[str, Any] = {"rooms": 3, "objects": 6, "quest_length": 2, "quests": 2}
    return TextworldSuite(TextworldOptions(search_tasks=2, score="fraction", **shape))


def walkthrough(environment: TextworldRun) -> list[str]:
    return list(environment._game.metadata["walkthrough"])


def act(command: str, ident: str = "c") -> ToolCall:
    return ToolCall(ident, "act", {"command": command})


async def told(environment: TextworldRun, tool: str, **arguments: Json) -> ToolMessage:
    return await environment.call(ToolCall("c", tool, arguments))


class TestTextworld(SuiteConformance):
    def make(self) -> TextworldSuite:
        return suite()

    def solution(self, task: Task) -> list[ToolCall]:
        environment = self.make().open(task)
        return [act(c, f"c{i}") for i, c in enumerate(walkthrough(environment))]


@pytest.mark.parametrize("split", list(Split))
async def test_the_walkthrough_wins_and_a_step_less_does_not(split):
    for task in suite().tasks(split):
        whole, short = suite().open(task), suite().open(task)
        steps = walkthrough(whole)
        results = [await whole.call(act(c)) for c in steps]
        assert whole.verify(None) == 1
        assert "You have won." in results[-1].text
        for command in steps[:-1]:
            await short.call(act(command))
        assert short.verify("I have won") == 0
        after = await whole.call(act("go north"))
        assert (after.is_error, after.text) == (True, "The game is over.")


async def test_a_game_is_played_through_the_agent():
    task = suite().tasks(Split.SEARCH)[1]
    steps = walkthrough(suite().open(task))
    script = [calls([("goal", {}), ("look", {})])]
    script += [calls([("act", {"command": c})], f"s{i}-") for i, c in enumerate(steps)]
    run, model = await play(suite(), task, [*script, says("Won.")])
    assert (run.success, run.status) == (1, Status.FINISHED), run.reason
    seen = [m.text for m in model.requests[-1].messages if isinstance(m, ToolMessage)]
    assert seen[1].startswith("You are in the ")
    assert len(seen) == len(steps) + 2
    lost, _ = await play(suite(), task, [*script[:-1], says("Won.")])
    assert lost.success == 0


async def test_who_sees_only_what_is_told_can_find_the_way():
    """A player without the walkthrough wins a game of one room by what the texts say."""
    shape: dict[str, Any] = {"rooms": 1, "objects": 4, "quest_length": 2}
    small = TextworldSuite(TextworldOptions(search_tasks=1, **shape))

    def script(request: Request) -> AssistantMessage:
        seen = [m.text for m in request.messages if isinstance(m, ToolMessage)]
        if not seen:
            return calls([("goal", {}), ("look", {}), ("inventory", {})])
        if "You have won." in seen[-1]:
            return says("Won.")
        return calls([("act", {"command": tries.pop(0)})], f"a{len(tries)}-")

    environment = small.open(small.tasks(Split.SEARCH)[0])
    tries = walkthrough(environment)
    texts = " ".join([(await told(environment, t)).text for t in ("goal", "look", "inventory")])
    for word in {w for c in tries for w in c.split()[1:]} - {"from", "with", "on", "into"}:
        assert word in texts
    run, _ = await play(small, small.tasks(Split.SEARCH)[0], script)
    assert run.success == 1


async def test_looking_changes_nothing_and_says_where_one_is():
    task = suite().tasks(Split.SEARCH)[0]
    environment = suite().open(task)
    first = [(await told(environment, t)).text for t in ("look", "inventory", "goal")]
    typed = [(await told(environment, "act", command=c)).text for c in ("look", "i")]
    assert first[:2] == typed
    assert [(await told(environment, t)).text for t in ("look", "inventory", "goal")] == first
    assert first[2] == environment._game.objective


async def test_the_text_goes_by_the_state():
    for task in (*suite().tasks(Split.SEARCH), *suite().tasks(Split.HOLDOUT)):
        environment = suite().open(task)
        for command in walkthrough(environment):
            result = await environment.call(act(command))
            carried = (await told(environment, "inventory")).text
            room = (await told(environment, "look")).text
            verb, _, rest = command.partition(" ")
            if verb == "go":
                assert result.text.startswith(room)
            if verb == "take":
                assert rest.split(" from ")[0] in carried
            if verb == "drop":
                assert f"{rest}" in room.split("On the floor: ")[1]
            if verb == "open":
                assert f"{rest}, open." in room


async def test_what_cannot_be_done_is_an_error_result():
    environment = suite().open(suite().tasks(Split.SEARCH)[0])
    before = (await told(environment, "look")).text
    for command in ("fly", "", "take moon", "go", 7, None):
        result = await told(environment, "act", command=command)
        assert result.is_error, command
    assert (await told(environment, "act")).is_error
    assert (await told(environment, "look")).text == before


def test_a_command_may_be_put_in_other_words():
    possible = ["take key from box", "take keycard from box", "go north", "inventory", "look"]
    for typed in ("take key from box", "Take the KEY from the box.", "take  key", "take key from"):
        assert meant(typed, possible) == ["take key from box"], typed
    assert meant("n", possible) == meant("North", possible) == ["go north"]
    assert meant("take", possible) == possible[:2]
    assert meant("take k", possible) == []
    assert meant("the", possible) == []


async def test_points_may_count():
    task = suite(fraction=True).tasks(Split.SEARCH)[0]
    environment = suite(fraction=True).open(task)
    scores = []
    for command in walkthrough(environment):
        await environment.call(act(command))
        scores.append(environment.verify(None))
    assert scores[-1] == 1
    assert 0.5 in scores
    strict = TextworldRun(environment._game, fraction=False)
    for command in walkthrough(environment)[:-1]:
        await strict.call(act(command))
    assert strict.verify(None) == 0


async def test_runs_of_a_game_at_once_do_not_meet():
    task = suite().tasks(Split.SEARCH)[2]
    steps = walkthrough(suite().open(task))
    script = [*(calls([("act", {"command": c})], f"s{i}-") for i, c in enumerate(steps)), says("x")]
    runs = await asyncio.gather(*(play(suite(), task, s) for s in (script, script, [says("x")])))
    assert [run.success for run, _ in runs] == [1, 1, 0]


def test_the_same_seed_is_the_same_game_in_every_process():
    code = (
        "import json; from leanloop.suites.textworld.games import Shape, make_game; "
        "print(json.dumps(make_game(Shape(2, 4, 2, 1, 'steps'), '7/search-0000').serialize()))"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "1"},
    )
    here = make_game(Shape(2, 4, 2, 1, "steps"), "7/search-0000")
    assert json.loads(there.stdout) == json.loads(json.dumps(here.serialize()))
    other = make_game(Shape(2, 4, 2, 1, "steps"), "8/search-0000")
    assert other.serialize() != here.serialize()


def test_more_games_leave_those_that_there_are():
    more = TextworldSuite(TextworldOptions(search_tasks=9, rooms=3, objects=6, quest_length=4))
    assert list(more.tasks(Split.SEARCH)[:4]) == list(suite().tasks(Split.SEARCH))
    task = suite().tasks(Split.SEARCH)[3]
    assert more.open(task)._game == suite().open(task)._game


def test_no_game_is_made_before_it_is_played(monkeypatch):
    monkeypatch.setattr(games, "make_game", None)
    fresh = TextworldSuite(TextworldOptions())
    assert [len(fresh.tasks(split)) for split in Split] == [20, 12]
    assert fresh._games == {}


def test_a_goal_may_leave_the_way_open():
    shape: dict[str, Any] = {"rooms": 3, "objects": 6, "quest_length": 4, "search_tasks": 1}
    brief = TextworldSuite(TextworldOptions(goal="last", **shape))
    task = suite().tasks(Split.SEARCH)[0]
    long, short = (s.open(task)._game.objective for s in (suite(), brief))
    assert short.count(".") < long.count(".")


def test_what_cannot_be_made_is_said():
    with pytest.raises(BadInputError, match="makes no game"):
        make_game(Shape(0, 1, 1, 1, "steps"), "x")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rooms": 0}, "rooms must be from 1 to 12"),
        ({"quests": 5}, "quests"),
        ({"search_tasks": 0}, "search_tasks must be at least 1"),
        ({"goal": "all"}, "goal"),
        ({"goal": "last", "quests": 2}, "quests = 1"),
        ({"world_size": 3}, "world_size"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(BadInputError, match=said) as caught:
        build_suite("textworld", options)
    assert caught.value.where.startswith("suite.options")


def test_the_extra_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "textworld", None)
    with pytest.raises(BadInputError, match=r"leanloop\[textworld\]"):
        build_suite("textworld", {})


async def test_a_game_may_say_what_can_be_done_and_then_it_can():
    told = TextworldSuite(msgspec.structs.replace(SMALL, commands=True))
    task = told.tasks(Split.SEARCH)[0]
    said = (await told.open(task).call(ToolCall("c", "look", {}))).text
    possible = said.split("You can: ")[1].rstrip(".").split("; ")
    assert len(possible) > 2
    for command in possible:
        done = await told.open(task).call(ToolCall("c", "act", {"command": command}))
        assert not done.is_error, command
    wrong = await told.open(task).call(ToolCall("c", "act", {"command": "fly away"}))
    assert wrong.is_error
    assert "You can: " in wrong.text
    silent = TextworldSuite(SMALL).open(task)
    assert "You can" not in (await silent.call(ToolCall("c", "look", {}))).text


def test_worked_examples_win_games_that_are_no_tasks():
    made = TextworldSuite(SMALL)
    prompts = {t.prompt for split in Split for t in made.tasks(split)}
    assert len(made.examples) == 3
    for example in made.examples:
        assert example.prompt not in prompts
        assert "You have won." in example.steps[-1].result
        assert {s.tool for s in example.steps} == {"goal", "look", "act"}
