"""planning.samples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from leanloop.core.configuration import Setting
from leanloop.core.message import (
    AssistantMessage,
    Request,
    Response,
    UserMessage,
)
from leanloop.core.run import Run, Status
from leanloop.core.tokens import Tokens
from leanloop.levers.model import escalate
from leanloop.levers.planning import samples
from leanloop.levers.protocol import Stage
from leanloop.loop.agent import Limits
from leanloop.models.scripted import ScriptedModel
from tests.levers.conversations import run_context
from tests.loop.toy import Bench, bench, calls, opens, says


class TestSamples:
    NAME = samples.NAME

    async def _run(
        self,
        count: int,
        *small: AssistantMessage,
        limits: Limits | None = None,
        settings: Mapping[str, Setting] | None = None,
    ) -> tuple[Run, Bench]:
        b = bench(list(small), limits=limits)
        return await b.run({self.NAME: count, **(settings or {})}, seed=2), b

    async def test_the_majority_answers(self) -> None:
        run, _ = await self._run(5, *map(says, ("blue", "red", "blue", "red", "red")))
        assert (run.answer, run.success) == ("red", 1.0)
        assert [c.purpose for c in run.model_calls] == ["act", *[self.NAME] * 4]

    async def test_other_seeds_and_a_temperature_for_the_same_request(self) -> None:
        _, b = await self._run(3, *map(says, ("blue", "red", "red")))
        first, *others = b.sent
        assert (first.seed, first.temperature) == (2, None)
        assert {r.temperature for r in others} == {samples.TEMPERATURE} == {0.7}
        assert len({first.seed, *(r.seed for r in others)}) == 3
        for request in others:
            assert replace(request, seed=first.seed, temperature=None) == first

    async def test_no_two_runs_share_a_sample(self) -> None:
        seeds = []
        for seed in range(4):
            b = bench([says(str(i)) for i in range(16)])
            await b.run({self.NAME: 16}, seed=seed)
            seeds += [r.seed for r in b.sent[1:]]
        assert len(set(seeds)) == len(seeds) == 4 * 15

    @pytest.mark.parametrize(
        ("count", "said", "answer"),
        [
            (3, ["blue", "red", "green"], "blue"),
            (4, ["blue", "red", "red", "blue"], "blue"),
            (5, ["green", "red", "blue", "blue", "red"], "red"),
            (2, ["blue", "red"], "blue"),
        ],
    )
    async def test_ties_go_to_what_came_first(
        self, count: int, said: list[str], answer: str
    ) -> None:
        run, _ = await self._run(count, *map(says, said))
        assert run.answer == answer

    async def test_how_an_answer_is_written_does_not_matter(self) -> None:
        run, _ = await self._run(3, *map(says, ("blue", "**Red**.", " RED ")))
        assert run.answer == "**Red**.", "the first of the majority, as it was written"

    @given(count=st.integers(2, 9), votes=st.lists(st.sampled_from("abc "), min_size=9, max_size=9))
    def test_stopping_early_changes_nothing(self, count: int, votes: list[str]) -> None:
        model = ScriptedModel([says(v) for v in votes[1:]], latency_s=0.0)
        stage = samples.LEVER.stage(count, run_context(model))
        request = Request("m", (UserMessage("task"),))
        response = asyncio.run(model_reply(stage, request, votes[0]))
        heard = [v for v in votes[:count] if v != " "]
        best = max(heard, key=heard.count) if heard else " "
        assert response.message.text == best
        assert len(model.requests) < count

    async def test_it_stops_once_the_vote_is_decided(self) -> None:
        _, b = await self._run(5, says("red"), says("Red"), says("red"))
        assert len(b.sent) == 3

    async def test_a_step_that_calls_is_not_voted_on(self) -> None:
        run, _ = await self._run(3, opens(3), says("red"), says("red"))
        assert [c.purpose for c in run.model_calls] == ["act", "act", self.NAME]

    async def test_the_majority_may_want_to_call_a_tool(self) -> None:
        run, b = await self._run(3, says("blue"), opens(3), opens(3), says("red"), says("red"))
        assert run.answer == "red"
        assert len(b.shelf.calls) == 1
        assert run.usage.steps == 2

    async def test_calls_are_one_ballot_by_name_and_arguments(self) -> None:
        run, b = await self._run(5, says("red"), opens(3), opens(4), opens(9), says("red"))
        assert (run.answer, b.shelf.calls) == ("red", [])

    async def test_calls_where_none_is_allowed_are_read_by_their_text(self) -> None:
        def small(request: Request) -> AssistantMessage:
            return says("red") if request.temperature else calls(("open_box", {}), text="blue")

        b = bench(lambda r: opens(3) if r.tools_allowed else small(r))
        run = await b.run({self.NAME: 3, "stopping.repeat_guard": 2})
        assert (run.status, run.answer) == (Status.FINISHED, "red")

    async def test_empty_and_cut_off_replies_do_not_vote(self) -> None:
        long = says("blue " * 99)
        run, _ = await self._run(
            4, says(""), long, long, says("red"), limits=Limits(max_output_tokens=40)
        )
        assert (run.answer, run.reason) == ("red", "")

    async def test_where_nobody_votes_the_first_reply_stays(self) -> None:
        run, _ = await self._run(2, says(""), says(" "))
        assert run.answer == ""

    async def test_what_the_provider_signed_is_kept(self) -> None:
        signed = AssistantMessage("red", verbatim=[{"type": "thinking", "signature": "s"}])
        model = ScriptedModel([signed, signed], latency_s=0.0)
        stage = samples.LEVER.stage(3, run_context(model))
        response = await model_reply(stage, Request("m", ()), "blue")
        assert response.message is signed

    async def test_the_check_before_escalating_sees_what_won(self) -> None:
        run, b = await self._run(
            3, opens(3), *map(says, ("blue", "red", "red", "yes")),
            settings={escalate.NAME: "large"},
        )  # fmt: skip
        assert run.answer == "red"
        assert b.sent[-1].messages[-2:] == (says("red"), UserMessage(escalate.CHECK))

    @pytest.mark.parametrize("bad", [1, 17, True, "3", 2.0])
    def test_settings(self, bad: object) -> None:
        assert not samples.LEVER.card.domain.accepts(bad)


async def model_reply(stage: Stage, request: Request, text: str) -> Response:
    """What the lever makes of a reply."""
    return await stage.on_response(request, Response(says(text), Tokens(), 0.0))
