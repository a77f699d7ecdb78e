"""The model of llama.cpp's prompt cache beside what llama.cpp itself says it read."""

from __future__ import annotations

import pytest

from leanloop.core.message import (
    AssistantMessage,
    Message,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.core.tokens import Tokens
from leanloop.models.embedded import EmbeddedModel, EmbeddedOptions
from leanloop.models.weights import obtain
from leanloop.pricing.prompt_cache import Block, PromptCache
from leanloop.pricing.prompt_cache_rules import RULES

TOOL = ToolSpec("get_order", "Find an order.", {"type": "object", "properties": {"id": {}}})
STEPS = 4
LONG = "order {0}: shipped to Oslo on the {0}th, paid by card, weight 2.5 kg, customer C{0}. " * 2


@pytest.fixture(scope="module")
def model():
    found = EmbeddedModel(
        "qwen2.5-coder-0.5b", obtain("qwen2.5-coder-0.5b"), EmbeddedOptions(context_tokens=3072)
    )
    yield found
    found._server = None


def messages(results: list[str]) -> list[tuple[Message, Message]]:
    """The conversation up to its last result; each pair of call and result is one part."""
    start: tuple[Message, Message] = (
        SystemMessage("Answer from the records."),
        UserMessage("Which orders were shipped?"),
    )
    pairs: list[tuple[Message, Message]] = [
        (
            AssistantMessage("", (ToolCall(f"c{i}", "get_order", {"id": i}),)),
            ToolMessage(f"c{i}", "get_order", text),
        )
        for i, text in enumerate(results)
    ]
    return [start, *pairs]


async def input_of(model: EmbeddedModel, parts: list[tuple[Message, Message]]) -> Tokens:
    request = Request("m", tuple(m for p in parts for m in p), (TOOL,), max_output_tokens=1)
    return (await model.complete(request)).tokens


async def test_what_is_read_is_within_two_per_cent(model):
    whole = [LONG.format(i) for i in range(STEPS)]
    edited = [*whole[:2], "[older observation left out]", *whole[3:]]
    asked = [messages(whole[:n]) for n in range(STEPS + 1)] + [messages(edited), messages(whole)]
    cache, sizes = PromptCache(RULES["llama.cpp"]), dict[int, int]()
    said = read = modelled = 0
    for at, parts in enumerate(asked):
        tokens = await input_of(model, parts)
        sent, taken = tokens.input_tokens, tokens.cache_read_tokens
        assert sent is not None
        assert taken is not None
        keys = [hash(tuple(map(repr, p))) for p in parts]
        known = sum(sizes.get(k, 0) for k in keys)
        new = [k for k in keys if k not in sizes]
        assert len(new) <= 1  # so that its size is what is left
        sizes |= dict.fromkeys(new, sent - known)
        found = cache.call([Block(k, sizes[k]) for k in keys], at)
        if at:  # what an earlier test left in the slot is not ours to know
            said += sent
            read += taken
            modelled += found.read_tokens
    assert read > 0.5 * said
    assert abs(modelled - read) < 0.02 * said


def task(prompt: str, shared: int) -> Request:
    messages = (SystemMessage("Answer from the records. " * 20), UserMessage(prompt))
    return Request("m", messages, (TOOL,), max_output_tokens=4, shared_messages=shared)


async def test_a_marked_prefix_is_warm_after_another_prompt_and_in_a_new_process(
    tmp_path, monkeypatch
):
    weights = obtain("qwen2.5-coder-0.5b")
    monkeypatch.setenv("LEANLOOP_CACHE", str(tmp_path))
    other = Request("m", (UserMessage("Something else entirely. " * 10),), max_output_tokens=4)
    reads = []
    for _ in range(2):
        model = EmbeddedModel("m", weights, EmbeddedOptions(context_tokens=1024))
        for prompt in ("Which order is late?", "Who paid by card?"):
            found = (await model.complete(task(prompt, 1))).tokens
            reads.append((found.uncached_input_tokens or 0, found.cache_read_tokens or 0))
            await model.complete(other)
        cold = (await model.complete(task("Where is order 3?", 0))).tokens
        await model.close()
    assert cold.cache_read_tokens is not None
    assert cold.cache_read_tokens < 20, "without the mark nothing is left of it"
    whole = sum(reads[0])
    assert reads[0][1] == 0, "what was read to save it is not called cached"
    for uncached, cached in reads[1:]:
        assert uncached < 25
        assert cached > whole - 40
    states = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(states) == 1
