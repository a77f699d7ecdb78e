"""memory.stable_prefix: what it holds back, and what that saves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
    with_messages,
)
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.memory.keep_observations import MASK, KeepObservations
from leanloop.levers.memory.keep_turns import KeepTurns
from leanloop.levers.memory.stable_prefix import LEVER, READ_RATIO, StablePrefix
from leanloop.levers.protocol import Stage
from tests.levers.conversations import run_context
from tests.loop.toy import Shelves, bench, opens, says

Size = tuple[int, int]
"""Characters that a round's assistant says, and of its observation."""


def history(system: int, sizes: Sequence[Size]) -> list[tuple[Message, ...]]:
    """A conversation after each of its rounds, from the start."""
    messages: list[Message] = [SystemMessage("s" * system), UserMessage("task")]
    grown = [tuple(messages)]
    for i, (said, seen) in enumerate(sizes):
        call = ToolCall(f"c{i}", "look", {})
        text = f"{i} {'o' * seen}"
        messages += [AssistantMessage("a" * said, (call,)), ToolMessage(f"c{i}", "look", text)]
        grown.append(tuple(messages))
    return grown


class MaskAt(Stage):
    """Masks each observation once the conversation has so many of them."""

    def __init__(self, when: Sequence[int]) -> None:
        self._when = when

    async def on_request(self, request: Request) -> Request:
        """Mask what is due."""
        seen = [m for m in request.messages if isinstance(m, ToolMessage)]
        due = {m.call_id for m, at in zip(seen, self._when, strict=False) if at <= len(seen)}
        return with_messages(
            request,
            [
                msgspec.structs.replace(m, text="-")
                if isinstance(m, ToolMessage) and m.call_id in due
                else m
                for m in request.messages
            ],
        )


@dataclass(frozen=True)
class Sent:
    """What three ways of sending one conversation sent."""

    raw: list[Request]
    edited: list[Request]
    held: list[Request]


def send(grown: Sequence[tuple[Message, ...]], lever: Stage, stable: StablePrefix) -> Sent:
    """Send a conversation as it grows."""

    async def all_of_it() -> Sent:
        out = Sent([], [], [])
        for messages in grown:
            raw = Request("m", messages)
            edited = await lever.on_request(raw)
            out.raw.append(raw)
            out.edited.append(edited)
            out.held.append(stable.on_edit(raw, edited))
        return out

    return asyncio.run(all_of_it())


def is_prefix(one: Request, other: Request) -> bool:
    return other.messages[: len(one.messages)] == one.messages


def price(requests: Sequence[Request], read_ratio: float) -> float:
    """Characters at the price of input, where what starts like the request before is cached."""
    total = 0.0
    last: tuple[Message, ...] = ()
    for request in requests:
        alike = True
        for i, message in enumerate(request.messages):
            alike = alike and i < len(last) and last[i] == message
            words = message.text + "look{}" * isinstance(message, AssistantMessage)
            total += len(words) * (read_ratio if alike else 1)
        last = request.messages
    return total


def breaks(requests: Sequence[Request]) -> int:
    return sum(not is_prefix(a, b) for a, b in pairwise(requests))


class TestHolding:
    def test_small_edits_are_batched(self) -> None:
        sent = send(history(1000, [(40, 300)] * 40), KeepObservations(8), StablePrefix())
        assert breaks(sent.edited) == 32
        assert 1 <= breaks(sent.held) <= 10

    def test_batches_can_be_cheaper_than_either_way(self) -> None:
        sent = send(history(1000, [(40, 300)] * 40), KeepTurns(3), StablePrefix())
        raw, edited, held = (price(r, READ_RATIO) for r in (sent.raw, sent.edited, sent.held))
        assert held < 0.95 * min(raw, edited)

    def test_an_edit_that_pays_is_made_at_once_and_kept(self) -> None:
        grown = history(10, [(10, 20)] * 9 + [(10, 50_000), (10, 20), (10, 20), (10, 20)])
        sent = send(grown, MaskAt([99] * 9 + [11, 99, 99, 99]), StablePrefix())
        assert sent.held == sent.edited

    def test_an_edit_that_does_not_pay_is_held_back(self) -> None:
        grown = history(10, [(10, 100), (10, 5000), (10, 20)])
        sent = send(grown, MaskAt([3, 99, 99]), StablePrefix())
        assert sent.held == sent.raw
        assert sent.edited[3] != sent.raw[3]

    @pytest.mark.parametrize(("ratio", "held"), [(0.0, True), (1.0, False)])
    def test_the_ratio_decides(self, ratio: float, held: bool) -> None:
        sent = send(history(10, [(10, 300)] * 20), KeepObservations(3), StablePrefix(ratio))
        assert (sent.held == (sent.raw if held else sent.edited)) is True

    def test_without_an_edit_it_is_the_very_same_request(self) -> None:
        stable = StablePrefix()
        for messages in history(10, [(5, 50)] * 5):
            request = Request("m", messages)
            assert stable.on_edit(request, request) is request

    def test_an_edit_that_leaves_what_was_sent_passes(self) -> None:
        sent = send(history(10, [(5, 900)] * 5), MaskAt(range(1, 6)), StablePrefix())
        assert all(a is b for a, b in zip(sent.held, sent.edited, strict=True))

    def test_new_messages_are_sent_as_edited_and_with_what_was_put_before_them(self) -> None:
        grown = history(10, [(10, 3000), (10, 4000)])
        first, second = grown[1], grown[2]
        doubt = (AssistantMessage("red"), UserMessage("Are you sure?"))
        cut = ToolMessage("c1", "look", "cut")
        stable = StablePrefix()
        stable.on_edit(Request("m", grown[0]), Request("m", grown[0]))
        stable.on_edit(Request("m", first), Request("m", first))
        edited = (UserMessage("t"), *first[1:], *doubt, second[4], cut)
        sent = stable.on_edit(Request("m", second), Request("m", edited))
        assert sent.messages == (*first, *doubt, second[4], cut)

    def test_another_conversation_is_not_continued(self) -> None:
        stable = StablePrefix(0.0)
        grown = history(10, [(10, 300)] * 2)
        stable.on_edit(Request("m", grown[2]), Request("m", grown[2]))
        other = (SystemMessage("other"), *grown[2][1:])
        edited = Request("m", (*other[:3], ToolMessage("c0", "look", MASK), *other[4:]))
        assert stable.on_edit(Request("m", other), edited) is edited

    def test_other_tools_or_model_make_edits_free(self) -> None:
        tool = ToolSpec("look", "Look.", {})
        grown = history(10, [(10, 300)] * 3)
        for change in ({"model": "large"}, {"tools": (tool,)}):
            stable, mask = StablePrefix(0.0), [Request("m", grown[2]), Request("m", grown[3])]
            stable.on_edit(mask[0], mask[0])
            masked = asyncio.run(MaskAt([3]).on_request(mask[1]))
            assert stable.on_edit(mask[1], masked) is not masked
            stable = StablePrefix(0.0)
            stable.on_edit(mask[0], mask[0])
            changed = msgspec.structs.replace(masked, **change)
            assert stable.on_edit(mask[1], changed) is changed

    def test_fields_other_than_messages_are_the_new_ones(self) -> None:
        grown = history(10, [(10, 100), (10, 5000), (10, 20)])
        stable = StablePrefix()
        for messages in grown[1:3]:
            stable.on_edit(Request("m", messages), Request("m", messages))
        raw = Request("m", grown[3], tools_allowed=False, seed=3)
        edited = asyncio.run(MaskAt([1]).on_request(raw))
        assert stable.on_edit(raw, edited) == raw

    @pytest.mark.parametrize("setting", [-0.1, 1.1, float("nan"), True, "0.1", "yes"])
    def test_settings_it_refuses(self, setting: object) -> None:
        with pytest.raises(BadInputError, match="0 to 1"):
            check_setting("memory.stable_prefix", LEVER.card.domain, setting, "x")

    @pytest.mark.parametrize("setting", ["on", 0, 0.05, 1])
    def test_settings(self, setting: str | float) -> None:
        assert LEVER.card.domain.accepts(setting)
        assert isinstance(LEVER.stage(setting, run_context()), StablePrefix)

    async def test_in_a_run(self) -> None:
        script = [*(opens(3 + n % 2, n=n) for n in range(12)), says("red")]
        used = {}
        for stable in ("off", "on"):
            b = bench(script, suite=Shelves(note="n" * 400))
            run = await b.run({"memory.keep_observations": 3, "memory.stable_prefix": stable})
            assert run.success == 1.0
            assert b.sent[-1].messages[-1].text != MASK
            used[stable] = breaks(b.sent)
        assert used["on"] < used["off"] / 2


sizes = st.tuples(st.integers(0, 300), st.sampled_from((0, 30, 300, 3000)) | st.integers(0, 20_000))
rounds = st.lists(sizes, min_size=1, max_size=25)
ratios = st.sampled_from((0.0, 0.025, 0.1, 0.25, 0.5, 1.0))
levers = st.builds(KeepObservations, st.integers(1, 5)) | st.builds(KeepTurns, st.integers(1, 5))
masks = st.builds(MaskAt, st.lists(st.integers(1, 30), max_size=25))


@settings(deadline=None, max_examples=80)
@given(st.sampled_from((0, 100, 5000)), rounds, levers | masks, ratios)
def test_never_twice_as_dear_as_the_better_way(
    system: int, grown: list[Size], lever: Stage, ratio: float
) -> None:
    sent = send(history(system, grown), lever, StablePrefix(ratio))
    best = min(price(sent.raw, ratio), price(sent.edited, ratio))
    assert price(sent.held, ratio) <= 2 * best


@settings(deadline=None, max_examples=40)
@given(st.integers(10, 40), st.integers(50, 300), st.integers(4, 8))
def test_most_requests_extend_the_one_before(steps: int, size: int, keep: int) -> None:
    sent = send(history(1000, [(40, size)] * steps), KeepObservations(keep), StablePrefix())
    assert breaks(sent.held) <= steps / 2
    assert breaks(sent.held) <= breaks(sent.edited)


def test_what_changes_at_every_step_stands_behind_it() -> None:
    """What was appended to a held request would stand in its middle, and stale."""
    order = [n.split(".")[1] for n in BUILT_IN]
    at = order.index("stable_prefix")
    assert {"summarise", "keep_turns", "keep_observations", "self_check"} <= set(order[:at])
    assert {"notes", "budget_aware", "dedupe", "fold", "plan_first"} <= set(order[at:])
    assert order.index("fold") < order.index("truncate_observation")
    assert order.index("result_cache") < min(order.index("fold"), order.index("notes"))
