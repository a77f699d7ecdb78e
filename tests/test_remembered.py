"""What was recorded of a model stands for the model."""

from __future__ import annotations

from pathlib import Path

from benchmarks.remembered import Book, Remembered, digest

from leanloop.core.message import (
    AssistantMessage,
    Request,
    Response,
    SystemMessage,
    ToolMessage,
    ToolSpec,
    UserMessage,
    with_messages,
)
from leanloop.core.tokens import Tokens

TOOL = ToolSpec("find", "Finds.", {"type": "object", "properties": {"what": {"type": "string"}}})
ASKED = Request("m", (SystemMessage("You find."), UserMessage("Find it.")), tools=(TOOL,))
CALL = '{"tool": "find", "args": {"what": "it"}}'


class Inner:
    """Calls its tool once, then answers; counts what it was asked."""

    ref = "embedded:inner"
    concurrency = 4

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def complete(self, request: Request) -> Response:
        self.asked.append(request)
        done = isinstance(request.messages[-1], ToolMessage)
        text = '{"answer": "here"}' if done else CALL
        tokens = Tokens(7, 11, 0, 0, len(self.asked), 0)
        return Response(AssistantMessage(text=text, verbatim=text), tokens, 0.5)

    async def close(self) -> None:
        pass


def remembered(folder: Path) -> tuple[Inner, Remembered]:
    inner = Inner()
    return inner, Remembered(inner, Book(folder / "c.jsonl", "here, today", folder / "kept.gz"))


def after(response: Response) -> Request:
    (call,) = response.message.tool_calls
    result = ToolMessage(call.call_id, call.name, "it is here")
    return with_messages(ASKED, (*ASKED.messages, response.message, result))


async def test_a_request_is_made_once_and_its_answer_stands_for_it(tmp_path: Path) -> None:
    inner, model = remembered(tmp_path)
    await model.complete(ASKED)
    again = await model.complete(ASKED)
    assert len(inner.asked) == 1
    (call,) = again.message.tool_calls
    assert (call.name, call.arguments) == ("find", {"what": "it"})
    assert again.tokens == Tokens(7, 11, 0, 0, 1, 0)
    assert (model.made, model.recalled) == (1, 1)


async def test_seconds_are_those_that_a_core_worked(tmp_path: Path) -> None:
    _, model = remembered(tmp_path)
    made = await model.complete(ASKED)
    assert 0 <= made.latency_s < 0.4, "the inner model said 0.5, and worked for none of it"
    assert abs((await model.complete(ASKED)).latency_s - made.latency_s) <= 1e-4


async def test_another_program_goes_on_from_the_file_whole_lines_alone(tmp_path: Path) -> None:
    _, first = remembered(tmp_path)
    await first.complete(ASKED)
    with (tmp_path / "c.jsonl").open("ab") as file:
        file.write(b'{"key":"cut o')
    inner, second = remembered(tmp_path)
    new = after(await second.complete(ASKED))
    assert inner.asked == []
    await second.complete(new)
    inner, third = remembered(tmp_path)
    await third.complete(new)
    assert inner.asked == []


async def test_what_is_kept_is_the_same_bytes_and_enough(tmp_path: Path) -> None:
    _, first = remembered(tmp_path)
    await first.complete(ASKED)
    first.book.keep()
    kept = (tmp_path / "kept.gz").read_bytes()
    (tmp_path / "c.jsonl").unlink()
    inner, second = remembered(tmp_path)
    await second.complete(ASKED)
    second.book.keep()
    assert inner.asked == []
    assert (tmp_path / "kept.gz").read_bytes() == kept


async def test_before_something_new_the_last_that_was_recalled_is_made_again(
    tmp_path: Path,
) -> None:
    _, first = remembered(tmp_path)
    await first.complete(ASKED)
    inner, second = remembered(tmp_path)
    new = after(await second.complete(ASKED))
    await second.complete(new)
    assert inner.asked == [ASKED, new]
    assert (second.made, second.again, second.same) == (1, 1, 1)


def test_what_decides_is_what_the_model_is_sent() -> None:
    key = digest("a", ASKED)
    assert key != digest("b", ASKED)
    assert key != digest("a", with_messages(ASKED, ASKED.messages[:1]))
    named = [with_messages(ASKED, (*ASKED.messages, ToolMessage(i, "find", "x"))) for i in "12"]
    assert digest("a", named[0]) == digest("a", named[1])
