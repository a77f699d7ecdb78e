"""memory.keep_observations and memory.summarise."""

from __future__ import annotations

import pytest

from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    Response,
    SystemMessage,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from leanloop.core.run import Status
from leanloop.core.tokens import Tokens
from leanloop.levers.memory.keep_observations import MASK, KeepObservations
from leanloop.levers.memory.summarise import ASK, HEADING, LEVER, NAME, Policy, read_policy
from leanloop.levers.protocol import Stage
from leanloop.loop.agent import LAST_STEP
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import run_context
from tests.loop.toy import bench, opens, says

LONG = "an observation that is longer than the mask"


def observations(request: Request) -> list[str]:
    return [m.text for m in request.messages if isinstance(m, ToolMessage)]


def rounds_of(*sizes: int) -> tuple[Message, ...]:
    """System, user, and a round with so many calls for each size."""
    messages: list[Message] = [SystemMessage("s"), UserMessage("task")]
    for i, size in enumerate(sizes):
        calls = tuple(ToolCall(f"{i}.{j}", "tool", {"n": i}) for j in range(size))
        messages.append(AssistantMessage(tool_calls=calls))
        messages += [ToolMessage(c.call_id, "tool", f"{LONG} {c.call_id}") for c in calls]
    return tuple(messages)


class TestKeepObservations:
    @pytest.mark.parametrize("keep", [1, 2, 3])
    async def test_last_n_stay_whole(self, keep: int) -> None:
        request = Request("m", rounds_of(1, 1, 1, 1))
        sent = await KeepObservations(keep).on_request(request)
        whole = observations(request)
        assert observations(sent) == [MASK] * (4 - keep) + whole[4 - keep :]
        assert len(sent.messages) == len(request.messages)

    async def test_counts_observations_not_rounds(self) -> None:
        sent = await KeepObservations(2).on_request(Request("m", rounds_of(1, 3)))
        assert [o == MASK for o in observations(sent)] == [True, True, False, False]

    async def test_never_makes_longer(self) -> None:
        messages = (*rounds_of(1)[:-1], ToolMessage("0.0", "tool", "ok"), *rounds_of(0, 1)[3:])
        request = Request("m", messages)
        assert await KeepObservations(1).on_request(request) is request

    async def test_nothing_to_mask_is_the_same_request(self) -> None:
        request = Request("m", rounds_of(1, 1))
        assert await KeepObservations(2).on_request(request) is request

    async def test_error_stays_an_error(self) -> None:
        error = ToolMessage("0.0", "tool", LONG, is_error=True)
        sent = await KeepObservations(1).on_request(
            Request("m", (*rounds_of(1)[:-1], error, *rounds_of(0, 1)[3:]))
        )
        assert sent.messages[3] == ToolMessage("0.0", "tool", MASK, is_error=True)

    async def test_in_a_run(self) -> None:
        b = bench([opens(3), opens(4), opens(3, n=2), says("red")])
        run = await b.run({"memory.keep_observations": 1})
        assert run.success == 1.0
        assert [o == MASK for o in observations(b.sent[-1])] == [True, True, False]
        assert MASK not in [u.observation for s in run.steps for u in s.tool_uses]


def used(tokens: int | None) -> Response:
    return Response(says("x"), Tokens(tokens, 0, 0, 0, 1, 0), 0.0)


class TestSummarise:
    @pytest.fixture
    def summariser(self) -> ScriptedModel:
        return ScriptedModel([says("first summary"), says("second summary")], latency_s=0.0)

    async def _after(self, stage: Stage, tokens: int | None, request: Request) -> Request:
        """The request after one that had so many input tokens."""
        await stage.on_response(request, used(tokens))
        return await stage.on_request(request)

    async def test_only_past_the_threshold(self, summariser: ScriptedModel) -> None:
        stage = LEVER.stage("100:1", run_context(summariser))
        request = Request("m", rounds_of(1, 1, 1))
        assert await stage.on_request(request) is request
        for tokens in (99, 100, None):
            assert await self._after(stage, tokens, request) is request
        assert summariser.requests == []
        await self._after(stage, 101, request)
        assert len(summariser.requests) == 1

    async def test_cached_input_counts_towards_the_threshold(
        self, summariser: ScriptedModel
    ) -> None:
        stage = LEVER.stage("100:1", run_context(summariser))
        request = Request("m", rounds_of(1, 1, 1))
        await stage.on_response(request, Response(says("x"), Tokens(60, 30, 10, 1, 1, 0), 0.0))
        assert await stage.on_request(request) is not request

    async def test_summary_stands_for_all_but_the_newest(self, summariser: ScriptedModel) -> None:
        stage = LEVER.stage("100:2", run_context(summariser))
        messages = rounds_of(1, 1, 1, 1)
        sent = await self._after(stage, 101, Request("m", messages))
        summary = UserMessage(HEADING + "first summary")
        assert sent.messages == (*messages[:2], summary, *messages[6:])
        question = summariser.requests[0]
        assert question.tools == ()
        (asked,) = question.messages
        assert asked.text.startswith(ASK)
        assert "task" in asked.text
        assert [f"{LONG} {i}.0" in asked.text for i in range(4)] == [True, True, False, False]

    async def test_second_summary_is_made_from_the_first(self, summariser: ScriptedModel) -> None:
        stage = LEVER.stage("100:1", run_context(summariser))
        await self._after(stage, 101, Request("m", rounds_of(1, 1, 1)))
        messages = rounds_of(1, 1, 1, 1)
        sent = await self._after(stage, 101, Request("m", messages))
        summary = UserMessage(HEADING + "second summary")
        assert sent.messages == (*messages[:2], summary, *messages[8:])
        asked = summariser.requests[1].messages[0].text
        assert "first summary" in asked
        assert [f"{LONG} {i}.0" in asked for i in range(4)] == [False, False, True, False]

    async def test_summary_stays_in_place_below_the_threshold(
        self, summariser: ScriptedModel
    ) -> None:
        stage = LEVER.stage("100:1", run_context(summariser))
        await self._after(stage, 101, Request("m", rounds_of(1, 1)))
        messages = rounds_of(1, 1, 1, 1)
        await stage.on_request(Request("m", messages))
        assert len(summariser.requests) == 1, "one reply past the threshold, one summary"
        sent = await self._after(stage, 50, Request("m", messages))
        assert sent.messages == (
            *messages[:2],
            UserMessage(HEADING + "first summary"),
            *messages[4:],
        )
        assert len(summariser.requests) == 1

    async def test_newest_round_is_never_split_nor_summarised(
        self, summariser: ScriptedModel
    ) -> None:
        stage = LEVER.stage("100:2", run_context(summariser))
        messages = rounds_of(1, 1, 3)
        sent = await self._after(stage, 101, Request("m", messages))
        assert sent.messages[3:] == messages[6:]

    async def test_nothing_old_enough(self, summariser: ScriptedModel) -> None:
        stage = LEVER.stage("100:2", run_context(summariser))
        for sizes in ((), (1,), (1, 1), (3,)):
            request = Request("m", rounds_of(*sizes))
            assert await self._after(stage, 101, request) is request
        assert summariser.requests == []

    async def test_user_text_between_the_steps_is_kept(self, summariser: ScriptedModel) -> None:
        stage = LEVER.stage("100:1", run_context(summariser))
        one = rounds_of(1, 1, 1)
        messages = (*one[:4], says("Anything else?"), UserMessage("Also box 4."), *one[4:])
        sent = await self._after(stage, 101, Request("m", messages))
        summary = UserMessage(HEADING + "first summary")
        assert sent.messages == (*one[:2], UserMessage("Also box 4."), summary, *one[6:])
        assert "Also box 4." in summariser.requests[0].messages[0].text

    async def test_last_word_of_the_user_does_not_hinder(self, summariser: ScriptedModel) -> None:
        stage = LEVER.stage("100:1", run_context(summariser))
        messages = (*rounds_of(1, 1), UserMessage(LAST_STEP))
        sent = await self._after(stage, 101, Request("m", messages))
        summary = UserMessage(HEADING + "first summary")
        assert sent.messages == (*messages[:2], summary, *messages[4:])

    async def test_empty_summary_replaces_nothing(self) -> None:
        stage = LEVER.stage("100:1", run_context(ScriptedModel([says("")])))
        request = Request("m", rounds_of(1, 1))
        assert await self._after(stage, 101, request) is request

    @pytest.mark.parametrize(
        ("setting", "policy"),
        [
            (800, Policy(800)),
            ("800", Policy(800)),
            ("800:3", Policy(800, 3)),
            ("800:3:qwen2.5-7b", Policy(800, 3, "qwen2.5-7b")),
        ],
    )
    def test_settings(self, setting: str | int, policy: Policy) -> None:
        assert check_setting(NAME, LEVER.card.domain, setting, "x") == setting
        assert read_policy(setting) == policy

    @pytest.mark.parametrize(
        "setting", [0, "0", "800:0", "800:00", "800:", ":2", "800:2:", "x", True, 1.5, "800:2:a b"]
    )
    def test_settings_it_refuses(self, setting: object) -> None:
        with pytest.raises(BadInputError, match=r"TOKENS\[:KEEP"):
            check_setting(NAME, LEVER.card.domain, setting, "x")

    async def test_cost_is_the_runs_and_the_model_is_the_one_named(self) -> None:
        b = bench(
            [opens(3), opens(4), opens(3, n=2), says("red")],
            large=[says("box 3 is red"), says("box 3 is red, 4 is blue")],
        )
        run = await b.run({NAME: "20:1:large"})
        assert run.status == Status.FINISHED
        extra = [c for c in run.model_calls if c.purpose == NAME]
        assert [c.model for c in extra] == ["large", "large"]
        assert {c.model_ref for c in extra} == {"scripted:large"}
        assert run.usage.model_calls == 6
        everything = [c.tokens.total_tokens or 0 for c in run.model_calls]
        assert run.usage.tokens.total_tokens == sum(everything)
        assert all((c.tokens.total_tokens or 0) > 0 for c in extra)
        assert HEADING + "box 3 is red, 4 is blue" in [m.text for m in b.sent[-1].messages]

    async def test_acting_model_summarises_when_none_is_named(self) -> None:
        acted = 0

        def script(request: Request) -> AssistantMessage:
            nonlocal acted
            if request.messages[0].text.startswith(ASK):
                return says("box 3 is red")
            acted += 1
            return opens(3, n=acted) if acted < 4 else says("red")

        b = bench([], large=script)
        run = await b.run({NAME: "20:1", "model.choice": "large"})
        assert run.status == Status.FINISHED
        assert {c.model for c in run.model_calls} == {"large"}
        assert NAME in {c.purpose for c in run.model_calls}
