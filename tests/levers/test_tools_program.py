"""tools.program and the sandbox that it runs programs in."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, Request, ToolCall, ToolMessage, ToolSpec
from leanloop.levers import sandbox
from leanloop.levers.protocol import Stage
from leanloop.levers.sandbox import (
    MAX_CHARS,
    CallError,
    ProgramError,
    run_program,
)
from leanloop.levers.tools import program
from leanloop.levers.tools.program import MAX_CALLS, TOOL
from tests.levers.conversations import TOOLS, run_context
from tests.loop.toy import bench, calls, opens, says

DASHED = ToolSpec("get-it.now", "Get it.", {"type": "object"}, read_only=True)


class Office:
    """Makes calls and keeps them; an order ``bad`` fails."""

    def __init__(self, text: str = "") -> None:
        self.made: list[ToolCall] = []
        self._text = text

    async def __call__(self, calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
        self.made += calls
        return [self._answer(c) for c in calls]

    def _answer(self, call: ToolCall) -> ToolMessage:
        if call.arguments.get("id") == "bad":
            return ToolMessage(call.call_id, call.name, "no such order", is_error=True)
        text = self._text or json.dumps({"given": call.arguments, "status": "new"})
        return ToolMessage(call.call_id, call.name, text)


async def stage_of(office: Office, tools: tuple[ToolSpec, ...] = (*TOOLS, DASHED)) -> Stage:
    context = replace(run_context(), tools=tools, make_calls=office)
    stage = program.LEVER.stage("on", context)
    await stage.on_request(Request("m", (), tools))
    return stage


async def run(code: object, office: Office | None = None) -> ToolMessage:
    stage = await stage_of(office or Office())
    result = await stage.on_tool_call(ToolCall("c1", "program", {"code": code}))
    assert isinstance(result, ToolMessage)
    assert (result.call_id, result.name) == ("c1", "program")
    return result


class TestProgram:
    async def test_calls_tools_and_shows_what_it_returns(self) -> None:
        office = Office()
        result = await run("return [get_order(id=str(i))['status'] for i in range(2)]", office)
        assert result == ToolMessage("c1", "program", '["new", "new"]')
        assert office.made == [
            ToolCall("c1-p0", "get_order", {"id": "0"}),
            ToolCall("c1-p1", "get_order", {"id": "1"}),
        ]

    @pytest.mark.parametrize(
        ("code", "arguments"),
        [
            ("get_order('7')", {"id": "7"}),
            ("add(1, b=2)", {"a": 1, "b": 2}),
            ("f = get_order\nf(id='7')", {"id": "7"}),
            ("get_it_now(**{'from': (1, {'s': {2, 1}})})", {"from": [1, {"s": [1, 2]}]}),
            ("get_order()", {}),
        ],
    )
    async def test_arguments(self, code: str, arguments: dict[str, Any]) -> None:
        office = Office()
        result = await run(code, office)
        assert not result.is_error, result.text
        assert [c.arguments for c in office.made] == [arguments]

    @pytest.mark.parametrize(
        "code", ["get_order('7', '8')", "get_order('7', id='8')", "get_order(id=b'7')"]
    )
    async def test_arguments_that_no_tool_takes(self, code: str) -> None:
        office = Office()
        result = await run(code, office)
        assert result.is_error
        assert "RuntimeError" in result.text
        assert office.made == []

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("[1, 2]", "list"), ("2", "int"), ("null", "NoneType"), ("two", "str"), ("{", "str"),
         ("\ud800", "str"), ("[" * 900 + "]" * 900, "list"), ("[" * 5000 + "]" * 5000, "str")],
    )  # fmt: skip
    async def test_results_are_values(self, text: str, kind: str) -> None:
        result = await run("return type(get_order(id='7')).__name__", Office(text))
        assert result.text == kind

    async def test_error_of_a_tool_is_an_exception(self) -> None:
        caught = "try:\n    get_order(id='bad')\nexcept Exception as e:\n    return f'got {e}'"
        assert (await run(caught)).text == "got get_order: no such order"
        result = await run("x = 1\nget_order(id='bad')")
        assert result.is_error
        assert "line 2" in result.text
        assert result.text.endswith("get_order: no such order")

    async def test_limit_of_calls(self) -> None:
        office = Office()
        loop = (
            "for i in range({}):\n    try:\n        get_order(id='7')\n    except Exception: pass"
        )
        assert not (await run(loop.format(MAX_CALLS), office)).is_error
        assert len(office.made) == MAX_CALLS
        result = await run(loop.format(MAX_CALLS + 1), Office())
        assert (result.is_error, result.text) == (True, "the program made more than 50 tool calls")

    async def test_only_tools_that_are_shown(self) -> None:
        office = Office()
        stage = await stage_of(office)
        await stage.on_request(Request("m", (), TOOLS[:1]))
        code = {"code": "cancel_order()"}
        result = await stage.on_tool_call(ToolCall("c1", "program", code))
        assert isinstance(result, ToolMessage)
        assert "NameError" in result.text
        assert office.made == []

    async def test_no_program_in_a_program(self) -> None:
        result = await run("return program(code='1')")
        assert result.is_error
        assert "NameError" in result.text

    @pytest.mark.parametrize("code", [None, "", "  ", 3, ["return 1"]])
    async def test_code_that_is_none(self, code: object) -> None:
        result = await run(code)
        assert result.is_error
        assert "code is missing" in result.text

    async def test_other_calls_pass(self) -> None:
        stage = await stage_of(Office())
        call = ToolCall("c1", "get_order", {"code": "return 1"})
        assert await stage.on_tool_call(call) is call


class TestShown:
    async def test_behind_the_others(self) -> None:
        stage = await stage_of(Office())
        sent = await stage.on_request(Request("m", (), TOOLS))
        assert sent.tools == (*TOOLS, TOOL)

    @pytest.mark.parametrize("tools", [(), (ToolSpec("program", "", {}),)])
    async def test_off_without_tools_or_with_one_of_its_name(
        self, tools: tuple[ToolSpec, ...]
    ) -> None:
        stage = await stage_of(Office(), tools)
        request = Request("m", (), tools)
        assert await stage.on_request(request) is request
        call = ToolCall("c1", "program", {"code": "return 1"})
        assert await stage.on_tool_call(call) is call

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pydantic_monty", None)
        monkeypatch.delitem(sys.modules, "leanloop.levers.sandbox")
        monkeypatch.delattr("leanloop.levers.sandbox")
        with pytest.raises(BadInputError, match=r"tools\.program: .*extra 'program'"):
            program.LEVER.stage("on", run_context())


class TestInARun:
    CODE = "return [open_box(box=b)['colour'] for b in (3, 4, 3)]"

    async def _run(self, *said: AssistantMessage, **more: str) -> Any:
        b = bench([*said, says("red")])
        run = await b.run({"tools.program": "on", **more})
        assert run.answer == "red", run.reason
        return b, run

    async def test_only_what_it_returns_enters_the_conversation(self) -> None:
        b, run = await self._run(calls(("program", {"code": self.CODE})))
        assert b.sent[1].messages[-1].text == '["red", "blue", "red"]'
        assert not any("nnnn" in m.text for m in b.sent[1].messages)
        uses = run.steps[0].tool_uses
        assert [(u.name, u.answered_by) for u in uses] == [
            ("open_box", "tool"),
            ("open_box", "tool"),
            ("open_box", "tool"),
            ("program", "tools.program"),
        ]
        assert run.usage.tool_calls == 3
        assert len({c.call_id for c in b.shelf.calls}) == 3

    async def test_its_calls_pass_the_other_levers(self) -> None:
        b, run = await self._run(
            opens(3), calls(("program", {"code": self.CODE})), **{"tools.result_cache": "on"}
        )
        assert [c.arguments["box"] for c in b.shelf.calls] == [3, 4]
        assert run.usage.tool_calls == 2

    async def test_with_projection_it_may_ask_for_fields(self) -> None:
        code = "return open_box(box=3, fields=['colour'])"
        b, _ = await self._run(calls(("program", {"code": code})), **{"tools.projection": "on"})
        assert b.sent[1].messages[-1].text == '{"colour": "red"}'
        assert b.shelf.calls[0].arguments == {"box": 3}

    async def test_tool_that_raises(self) -> None:
        b, _ = await self._run(calls(("program", {"code": "break_shelf()"})))
        shown = b.sent[1].messages[-1]
        assert shown.is_error
        assert "the shelf fell" in shown.text


async def echo(positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
    return [*positional, dict(named)]


async def fail(positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
    raise CallError("broken \ud800")


async def give_up(positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
    raise ProgramError("enough")


FUNCTIONS = {"echo": echo, "fail": fail, "give_up": give_up}


class TestSandbox:
    @pytest.mark.parametrize(
        ("code", "text"),
        [
            ("return 'as it is'", "as it is"),
            ("1 + 1", "2"),
            ("return {'a': (1, None, True), 'ü': 1.5}", '{"a": [1, null, true], "ü": 1.5}'),
            ("return {'c', 'a', 'b'}", '["a", "b", "c"]'),
            ("print('one')\nprint('two')", "one\ntwo\n"),
            ("print('no')\nreturn 'yes'", "yes"),
            ("x = 1", "The program returned nothing: end it with return."),
            ("return echo(1, a=2)", '[1, {"a": 2}]'),
            ("try:\n    fail()\nexcept RuntimeError as e:\n    return str(e)", "broken ?"),
            ("def f(x):\n    return echo(x)[0]\nreturn sum(f(i) for i in [1, 2])", "3"),
            ("import json\nreturn json.loads('[1]')", "[1]"),
            ("return '\ud800'", "?"),
        ],
    )
    async def test_result(self, code: str, text: str) -> None:
        assert await run_program(code, FUNCTIONS, 0) == text

    @pytest.mark.parametrize(
        ("code", "why"),
        [
            ("return (", "SyntaxError"),
            ("1 / 0", "ZeroDivisionError"),
            ("return nobody", "NameError"),
            ("nobody()", "no function nobody"),
            ("give_up()", "enough"),
            ("try:\n    give_up()\nexcept BaseException:\n    return 'on'", "enough"),
            ("x = 'a' * 10**9", "more than 64000000 bytes"),
            ("def f(n):\n    return f(n + 1)\nf(0)", "RecursionError"),
            ("while True:\n    echo()", "limit"),
            ("class A: pass\nreturn A()", "and nothing else"),
            ("return {(1, 2): 3}", "and nothing else"),
            (f"return 'a' * {MAX_CHARS + 1}", "return less"),
            (f"print('a' * {MAX_CHARS + 1})", "return less"),
            ("return open('/etc/passwd').read()", "PermissionError"),
            ("import os\nreturn os.environ['PATH']", "not supported"),
            ("import subprocess", "No module named"),
            ("import socket", "No module named"),
            ("return echo.__globals__", "AttributeError"),
        ],
    )
    async def test_failure(self, code: str, why: str) -> None:
        with pytest.raises(ProgramError, match=why) as caught:
            await run_program(code, FUNCTIONS, 0)
        assert len(str(caught.value)) <= 2000

    async def test_long_error_keeps_its_end(self) -> None:
        with pytest.raises(ProgramError) as caught:
            await run_program("raise ValueError('a' * 10**6 + 'end')", {}, 0)
        assert len(str(caught.value)) == 2000
        assert str(caught.value).endswith("end")

    async def test_same_each_time(self) -> None:
        code = (
            "import random, time, datetime\n"
            "return [random.random(), time.time(), str(datetime.datetime.now()), id(print) > 0]"
        )
        first, again, other = [await run_program(code, {}, seed) for seed in (1, 1, 2)]
        assert first == again
        assert json.loads(first)[0] != json.loads(other)[0]
        assert json.loads(first)[1:] == json.loads(other)[1:]

    async def test_sleep_takes_no_time(self) -> None:
        async with asyncio.timeout(5):
            assert await run_program("import time\ntime.sleep(60)\nreturn 1", {}, 0) == "1"

    async def test_can_be_cancelled(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await run_program("while True: pass", {}, 0)

    @pytest.mark.parametrize(
        "code",
        ["while True: pass", "try:\n    while True: pass\nexcept BaseException:\n    return 'on'"],
    )
    async def test_time(self, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.2)
        with pytest.raises(ProgramError) as caught:
            await run_program(code, {}, 0)
        assert str(caught.value) == "the program worked longer than 0.2 s"

    async def test_waiting_for_a_function_is_not_counted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.2)

        async def slow(positional: Sequence[Any], named: Mapping[str, Any]) -> Any:
            await asyncio.sleep(0.4)
            return 1

        assert await run_program("return slow()", {"slow": slow}, 0) == "1"

    async def test_programs_at_once_do_not_mix(self) -> None:
        runs = [run_program(f"x = {i}\nreturn echo(x)[0]", FUNCTIONS, 0) for i in range(4)]
        assert await asyncio.gather(*runs) == ["0", "1", "2", "3"]
