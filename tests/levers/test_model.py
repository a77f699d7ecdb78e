"""model.choice and model.escalate."""

from __future__ import annotations

import pytest

from leanloop.core.message import AssistantMessage, Request, UserMessage
from leanloop.core.run import Run, Status
from leanloop.levers.model.escalate import CHECK, NAME
from leanloop.loop.agent import Limits
from tests.loop.toy import Bench, bench, calls, opens, says


class TestChoice:
    async def test_every_step_goes_to_it(self) -> None:
        b = bench([], large=[opens(3), says("red")])
        run = await b.run({"model.choice": "large"})
        assert run.success == 1.0
        assert [c.model for c in run.model_calls] == ["large", "large"]
        assert {c.model_ref for c in run.model_calls} == {"scripted:large"}
        assert b.sent == []

    async def test_off_is_the_default_model(self) -> None:
        run = await bench([says("red")]).run()
        assert [c.model for c in run.model_calls] == ["small"]


def asked_to_check(request: Request) -> bool:
    return request.messages[-1] == UserMessage(CHECK)


class TestEscalate:
    """``small`` acts until it is in trouble, ``large`` from then on."""

    async def _run(
        self,
        small: list[AssistantMessage],
        large: list[AssistantMessage],
        limits: Limits | None = None,
    ) -> tuple[Run, Bench]:
        b = bench(small, large=large, limits=limits)
        return await b.run({NAME: "large"}), b

    def _who(self, run: Run) -> list[tuple[str, str]]:
        return [(c.model, "act" if c.purpose == "act" else "lever") for c in run.model_calls]

    @pytest.mark.parametrize("verdict", ["yes", "Yes.", "They prove it."])
    async def test_proven_answer_stays(self, verdict: str) -> None:
        run, b = await self._run([opens(3), says("red"), says(verdict)], [])
        assert (run.answer, run.success) == ("red", 1.0)
        assert self._who(run) == [("small", "act"), ("small", "act"), ("small", "lever")]
        check = b.sent[-1]
        assert asked_to_check(check)
        assert check.messages[-2] == says("red")
        assert check.tools_allowed is False
        assert check.max_output_tokens == 16

    @pytest.mark.parametrize("verdict", ["no", "No.", "  NO, it was guessed"])
    async def test_answer_that_it_cannot_prove(self, verdict: str) -> None:
        run, b = await self._run([opens(3), says("blue"), says(verdict)], [says("red")])
        assert (run.answer, run.success) == ("red", 1.0)
        assert self._who(run)[-1] == ("large", "lever")
        (again,) = b.models["large"].requests
        assert again.messages == b.sent[1].messages, "the same request is asked again"
        assert again.tools_allowed

    async def test_answer_without_any_observation_is_not_even_checked(self) -> None:
        run, b = await self._run([says("blue")], [opens(3), says("red")])
        assert run.success == 1.0
        assert not any(asked_to_check(r) for r in b.sent)
        assert self._who(run) == [("small", "act"), ("large", "lever"), ("large", "act")]

    async def test_results_in_worked_examples_prove_nothing(self) -> None:
        b = bench([says("blue")], large=[opens(3), says("red")])
        run = await b.run({NAME: "large", "planning.examples": 1})
        assert run.success == 1.0
        assert not any(asked_to_check(r) for r in b.sent)

    async def test_observations_that_were_summarised_still_count(self) -> None:
        acting = iter([opens(3), opens(4), says("red"), says("yes")])

        def small(request: Request) -> AssistantMessage:
            return says("box 3 is red") if not request.tools else next(acting)

        run = await bench(small).run({NAME: "large", "memory.summarise": "20:1"})
        assert (run.answer, run.reason) == ("red", "")

    async def test_empty_reply(self) -> None:
        run, _ = await self._run([opens(3), says("")], [says("red")])
        assert self._who(run) == [("small", "act"), ("small", "act"), ("large", "lever")]

    async def test_cut_off_reply(self) -> None:
        run, _ = await self._run(
            [opens(3), says("red " * 99)], [says("red")], Limits(max_output_tokens=40)
        )
        assert (run.answer, run.reason) == ("red", "")
        assert self._who(run)[-1] == ("large", "lever")

    async def test_repeated_call(self) -> None:
        run, b = await self._run([opens(3), opens(3)], [says("red")])
        assert run.success == 1.0
        assert len(b.shelf.calls) == 1, "the repeat is not made"

    async def test_other_arguments_are_no_repeat(self) -> None:
        run, _ = await self._run([opens(3), opens(4), says("red"), says("yes")], [])
        assert {c.model for c in run.model_calls} == {"small"}

    async def test_second_error(self) -> None:
        run, _ = await self._run([opens(7), opens(8), opens(3)], [opens(3), says("red")])
        assert self._who(run) == [
            ("small", "act"),
            ("small", "act"),
            ("small", "act"),
            ("large", "lever"),
            ("large", "act"),
        ]

    async def test_first_error_is_forgiven(self) -> None:
        run, _ = await self._run([opens(7), opens(3), says("red"), says("yes")], [])
        assert {c.model for c in run.model_calls} == {"small"}

    async def test_larger_model_acts_to_the_end_and_is_not_checked(self) -> None:
        run, b = await self._run([says("")], [opens(3), opens(3), opens(7), opens(8), says("red")])
        assert (run.status, run.success) == (Status.FINISHED, 1.0)
        assert len(b.sent) == 1
        assert [c.purpose for c in run.model_calls] == ["act", NAME, "act", "act", "act", "act"]
        assert not any(asked_to_check(r) for r in b.models["large"].requests)

    async def test_larger_model_that_acts_already_is_not_checked(self) -> None:
        b = bench([], large=[says("red")])
        run = await b.run({NAME: "large", "model.choice": "large"})
        assert (run.answer, run.usage.model_calls) == ("red", 1)

    async def test_parallel_calls_are_remembered(self) -> None:
        both = calls(("open_box", {"box": 3}), ("open_box", {"box": 4}))
        run, _ = await self._run([both, opens(4)], [says("red")])
        assert self._who(run)[-1] == ("large", "lever")
