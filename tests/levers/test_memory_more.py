"""memory.keep_turns, truncate_observation, fold, dedupe and notes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.message import (
    AssistantMessage,
    Json,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.levers.memory import fold, notes, truncate_observation
from leanloop.levers.memory.dedupe import Dedupe
from leanloop.levers.memory.fold import Fold, places_of
from leanloop.levers.memory.keep_observations import MASK, KeepObservations
from leanloop.levers.memory.keep_turns import KeepTurns
from leanloop.levers.memory.notes import HEADING, NOTED
from leanloop.levers.memory.truncate_observation import TruncateObservation, truncate
from leanloop.levers.protocol import Stage
from tests.levers.conversations import run_context
from tests.loop.toy import Shelves, bench, calls, opens, says

START: tuple[Message, ...] = (SystemMessage("s"), UserMessage("task"))
ANY = ToolSpec("look", "Look.", {"type": "object"})


def one_round(i: int, *texts: str, is_error: bool = False) -> tuple[Message, ...]:
    """A round with a call of ``look`` for each text."""
    made = tuple(ToolCall(f"c{i}.{j}", "look", {"n": i}) for j in range(len(texts)))
    results = (
        ToolMessage(c.call_id, "look", t, is_error) for c, t in zip(made, texts, strict=True)
    )
    return (AssistantMessage(tool_calls=made), *results)


def request_of(*parts: Sequence[Message], tools: tuple[ToolSpec, ...] = (ANY,)) -> Request:
    return Request("m", (*START, *(m for part in parts for m in part)), tools)


def observations(request: Request) -> list[str]:
    return [m.text for m in request.messages if isinstance(m, ToolMessage)]


async def ask(stage: Stage, tool: str, **arguments: Json) -> ToolMessage:
    """What the lever answers to a call of its tool."""
    answer = await stage.on_tool_call(ToolCall("q", tool, arguments))
    assert isinstance(answer, ToolMessage)
    assert (answer.call_id, answer.name) == ("q", tool)
    return answer


class TestKeepTurns:
    async def test_newest_rounds_stay_and_older_ones_go_whole(self) -> None:
        rounds = [one_round(0, "a"), one_round(1, "b", "c"), one_round(2, "d", "e", "f")]
        request = request_of(*rounds)
        assert await KeepTurns(2).on_request(request) == request_of(*rounds[1:])
        assert await KeepTurns(1).on_request(request) == request_of(rounds[2])

    async def test_words_without_calls_are_a_round(self) -> None:
        talk = (says("Which box?"), UserMessage("Box 3."))
        request = request_of(one_round(0, "a"), talk, one_round(1, "b"))
        sent = await KeepTurns(2).on_request(request)
        assert sent == request_of(talk, one_round(1, "b"))

    async def test_what_system_and_user_said_stays_in_its_place(self) -> None:
        said = (SystemMessage("new rule"), UserMessage("also box 4"))
        last = (*one_round(1, "b"), UserMessage("now answer"))
        sent = await KeepTurns(1).on_request(request_of(one_round(0, "a"), said, last))
        assert sent == request_of(said, last)

    async def test_nothing_to_leave_out_is_the_same_request(self) -> None:
        for request in (request_of(), request_of(one_round(0, "a"), one_round(1, "b"))):
            assert await KeepTurns(2).on_request(request) is request

    async def test_in_a_run(self) -> None:
        b = bench([opens(3), opens(4), opens(3, n=2), says("red")])
        assert (await b.run({"memory.keep_turns": 1})).success == 1.0
        assert [len(r.messages) for r in b.sent] == [2, 4, 4, 4]


class TestTruncate:
    @given(st.text("xyz\n", min_size=401, max_size=3000), st.integers(200, 400))
    def test_head_and_tail_stay_and_the_mark_counts_the_rest(self, text: str, limit: int) -> None:
        cut = truncate(text, limit)
        head, left_out, tail = re.split(r"\n\[(\d+) characters left out\]\n", cut)
        assert limit - 1 <= len(cut) <= limit
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + int(left_out) + len(tail) == len(text)
        assert 0 <= len(head) - len(tail) <= 1

    async def test_only_what_is_longer(self) -> None:
        stage = TruncateObservation(200)
        short = request_of(one_round(0, "x" * 200), (UserMessage("u" * 999),))
        assert await stage.on_request(short) is short
        long = request_of(one_round(0, "x" * 200, "y" * 201))
        kept, cut = observations(await stage.on_request(long))
        assert kept == "x" * 200
        assert "characters left out" in cut

    async def test_an_error_is_cut_and_stays_an_error(self) -> None:
        request = request_of(one_round(0, "e" * 500 + "the reason", is_error=True))
        message = (await TruncateObservation(200).on_request(request)).messages[-1]
        assert isinstance(message, ToolMessage)
        assert message.is_error
        assert message.text.endswith("the reason")

    async def test_a_recalled_part_is_whole_unless_the_tool_is_the_tasks_own(self) -> None:
        recalled = ToolMessage("c", fold.TOOL.name, "x" * 500)
        request = Request("m", (*START, recalled))
        own = replace(run_context(), tools=(fold.TOOL,))
        for context, is_cut in ((run_context(), False), (own, True)):
            sent = await truncate_observation.LEVER.stage(200, context).on_request(request)
            assert (sent is not request) == is_cut


LONG = "".join(f"line {i} of many\n" for i in range(100))


class TestFold:
    @pytest.fixture
    def stage(self) -> Fold:
        return Fold(400, run_context())

    async def test_long_ones_become_a_head_with_a_handle(self, stage: Fold) -> None:
        sent = await stage.on_request(
            request_of(one_round(0, "short", LONG), one_round(1, "x" * 400))
        )
        short, folded, other = observations(sent)
        assert (short, other) == ("short", "x" * 400)
        assert folded.startswith(LONG[:200] + "\n[")
        assert str(len(LONG)) in folded
        assert "obs-1" in folded
        assert len(folded) < 400
        assert sent.tools == (ANY, fold.TOOL)

    async def test_it_is_the_same_at_every_step(self, stage: Fold) -> None:
        rounds = [one_round(i, f"{i}{LONG}") for i in range(4)]
        before: tuple[Message, ...] = ()
        for n in range(1, 5):
            sent = await stage.on_request(request_of(*rounds[:n]))
            assert sent.messages[: len(before)] == before
            before = sent.messages
        assert ["obs-" + str(i) in t for i, t in enumerate(observations(sent), 1)] == [True] * 4

    async def test_equal_observations_have_one_handle(self, stage: Fold) -> None:
        sent = await stage.on_request(
            request_of(one_round(0, LONG), one_round(1, LONG, LONG + "!"))
        )
        first, second, other = observations(sent)
        assert first == second
        assert "obs-2" in other

    async def test_errors_examples_and_what_was_recalled_pass_whole(self, stage: Fold) -> None:
        example = ToolMessage("example-0-0", "list_orders", LONG)
        recalled = ToolMessage("r", fold.TOOL.name, LONG)
        request = request_of(one_round(0, LONG, is_error=True), (example, recalled))
        assert observations(await stage.on_request(request)) == [LONG] * 3

    @settings(deadline=None)
    @given(st.text(min_size=1, max_size=80).map(lambda t: t * 40), st.integers(400, 700))
    def test_the_parts_are_the_whole_text(self, text: str, limit: int) -> None:
        async def whole() -> str:
            stage = Fold(limit, run_context())
            request = request_of(one_round(0, text))
            if await stage.on_request(request) == msgspec.structs.replace(
                request, tools=(ANY, fold.TOOL)
            ):
                return text
            read, part, count = "", 1, 1
            while part <= count:
                answer = (await ask(stage, "recall", handle="obs-1", part=part)).text
                head, _, page = answer.partition("\n")
                count = int(head.rstrip("]").split(" ")[-1])
                assert len(page) <= limit
                read, part = read + page, part + 1
            assert (await ask(stage, "recall", handle="obs-1", part=part)).is_error
            return read

        assert asyncio.run(whole()) == text

    async def test_find_shows_the_lines_with_the_text(self, stage: Fold) -> None:
        await stage.on_request(request_of(one_round(0, LONG)))
        answer = await ask(stage, "recall", handle="obs-1", find="LINE 42")
        assert answer.text.split("\n")[1:] == ["line 42 of many"]
        answer = await ask(stage, "recall", handle="obs-1", find="no such thing")
        assert not answer.is_error
        assert "does not contain" in answer.text

    def test_find_shows_windows_of_a_long_line(self) -> None:
        text = "a" * 500 + "KEY=7" + "b" * 500 + "key=8, key=9" + "c" * 500
        one, two = places_of(text, "key=")
        assert one == "a" * 100 + "KEY=7" + "b" * 99
        assert two == "b" * 100 + "key=8, key=9" + "c" * 99

    async def test_what_was_found_has_parts_too(self, stage: Fold) -> None:
        await stage.on_request(request_of(one_round(0, LONG)))
        first = (await ask(stage, "recall", handle="obs-1", find="line")).text
        last = (await ask(stage, "recall", handle="obs-1", find="line", part="4")).text
        assert "part 1 of 4" in first
        assert last.endswith("line 99 of many")

    @pytest.mark.parametrize(
        ("arguments", "says_so"),
        [
            ({}, "handles so far: obs-1"),
            ({"handle": "obs-2"}, "handles so far: obs-1"),
            ({"handle": ["obs-1"]}, "handles so far: obs-1"),
            ({"handle": "obs-1", "find": 7}, "find"),
            *(
                ({"handle": "obs-1", "part": p}, "parts are 1 to 4")
                for p in (0, -1, 5, True, "x", [1])
            ),
        ],
    )
    async def test_bad_calls_say_what_to_do(
        self, stage: Fold, arguments: dict[str, Json], says_so: str
    ) -> None:
        await stage.on_request(request_of(one_round(0, LONG)))
        answer = await ask(stage, "recall", **arguments)
        assert answer.is_error
        assert says_so in answer.text

    async def test_off_without_tools_or_where_the_name_is_taken(self) -> None:
        taken = ToolSpec("recall", "The task's own.", {"type": "object"})
        owning = replace(run_context(), tools=(taken,))
        for context, tools in ((run_context(), ()), (run_context(), (taken,)), (owning, (ANY,))):
            stage = Fold(400, context)
            request = request_of(one_round(0, LONG), tools=tools)
            assert await stage.on_request(request) is request
            call = ToolCall("q", "recall", {"handle": "obs-1"})
            assert await stage.on_tool_call(call) is call

    async def test_in_a_run_with_other_levers(self) -> None:
        recall = calls(("recall", {"handle": "obs-1", "part": 2}))
        b = bench([opens(3), recall, opens(3), says("red")], suite=Shelves(note="n" * 600))
        run = await b.run(
            {
                "memory.fold": 400,
                "tools.result_cache": "on",
                "tools.shortlist": 1,
                "memory.dedupe": "on",
            }
        )
        assert run.success == 1.0
        assert [u.answered_by for s in run.steps for u in s.tool_uses] == [
            "tool",
            "memory.fold",
            "tools.result_cache",
        ]
        folded, page, again = observations(b.sent[-1])
        assert "obs-1" in folded
        assert page.startswith("[obs-1, part 2 of 2]\n")
        assert again == '[same as the result of open_box({"box": 3}) above]'
        assert b.sent[0].tools == b.sent[-1].tools


class TestDedupe:
    async def test_a_copy_refers_to_the_first(self) -> None:
        text = "the very same result " * 5
        request = request_of(
            one_round(0, text), one_round(1, "other " * 20, text), one_round(2, text)
        )
        sent = await Dedupe().on_request(request)
        reference = '[same as the result of look({"n": 0}) above]'
        assert observations(sent) == [text, "other " * 20, reference, reference]
        assert [m for m in sent.messages if not isinstance(m, ToolMessage)] == [
            m for m in request.messages if not isinstance(m, ToolMessage)
        ]

    async def test_never_makes_longer_and_keeps_errors_apart(self) -> None:
        short, text = "x" * 44, "y" * 60
        for request in (
            request_of(one_round(0, short), one_round(1, short)),
            request_of(one_round(0, text), one_round(1, text, is_error=True)),
            request_of(one_round(0, text + "a"), one_round(1, text + "b")),
        ):
            assert await Dedupe().on_request(request) is request

    async def test_a_copy_whose_first_was_masked_is_whole_again(self) -> None:
        text = "t" * 100
        rounds = [one_round(0, text), one_round(1, text), one_round(2, "z" * 100)]
        mask, stage = KeepObservations(2), Dedupe()
        sent = await stage.on_request(await mask.on_request(request_of(*rounds[:2])))
        assert observations(sent)[1].startswith("[same as")
        sent = await stage.on_request(await mask.on_request(request_of(*rounds)))
        assert observations(sent) == [MASK, text, "z" * 100]

    async def test_in_a_run_the_masks_come_first(self) -> None:
        b = bench([opens(3), opens(3), opens(3), says("red")])
        await b.run({"memory.keep_observations": 2, "memory.dedupe": "on"})
        masked, whole, copy = observations(b.sent[-1])
        assert masked == MASK
        assert json.loads(whole)["colour"] == "red"
        assert copy.startswith("[same as the result of open_box")


class TestNotes:
    async def test_notes_stand_at_the_end_and_survive(self) -> None:
        note = calls(("note", {"text": "box 3 is red"}))
        b = bench([opens(3), note, opens(4), opens(4, n=2), says("red")])
        run = await b.run({"memory.notes": "on", "memory.keep_turns": 1, "tools.shortlist": 1})
        shown = UserMessage(f"{HEADING}\n- box 3 is red")
        assert [shown in r.messages for r in b.sent] == [False, False, True, True, True]
        assert all(r.messages[-1] == shown for r in b.sent[2:])
        assert all(r.tools == b.sent[0].tools and r.tools[-1] is notes.TOOL for r in b.sent)
        assert note not in b.sent[-1].messages
        use = run.steps[1].tool_uses[0]
        assert (use.observation, use.answered_by) == (NOTED, "memory.notes")
        assert run.usage.tool_calls == 3

    async def test_a_note_stands_once_and_an_empty_one_is_refused(self) -> None:
        stage = notes.LEVER.stage("on", run_context())
        await stage.on_request(request_of())
        for text in ("a", " b\n", "a"):
            assert (await ask(stage, "note", text=text)).text == NOTED
        for arguments in ({}, {"text": " "}, {"text": 7}):
            assert (await ask(stage, "note", **arguments)).is_error
        assert (await stage.on_request(request_of())).messages[-1].text == f"{HEADING}\n- a\n- b"

    async def test_off_without_tools_or_where_the_name_is_taken(self) -> None:
        taken = ToolSpec("note", "The task's own.", {"type": "object"})
        owning = replace(run_context(), tools=(taken,))
        for context, tools in ((run_context(), ()), (run_context(), (taken,)), (owning, (ANY,))):
            stage = notes.LEVER.stage("on", context)
            request = request_of(tools=tools)
            assert await stage.on_request(request) is request
            call = ToolCall("q", "note", {"text": "x"})
            assert await stage.on_tool_call(call) is call
