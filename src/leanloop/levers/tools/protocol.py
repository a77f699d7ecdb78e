"""Hold calls to contracts outside the model: mend what can be mended, refuse the rest clearly."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping

import msgspec

from leanloop.core.configuration import Setting
from leanloop.core.domain import Choice
from leanloop.core.message import Contract, Json, ToolCall, ToolMessage, ToolSpec
from leanloop.levers.plan import result_value
from leanloop.levers.protocol import Card, RunContext, SimpleLever, Stage

NAME = "tools.protocol"
ALIKE = 0.8
"""How alike two names or values must be for one to be a slip of the other (difflib's ratio)."""
NOTHING = Contract()


class _Refused(Exception):  # noqa: N818 - an observation, not an error
    """A call that cannot be mended; the text is for the model."""


class ToolProtocol(Stage):
    """Checks each call against its tool's schema and contract before it is made.

    Mended without a turn of the model: a name that is a slip of one that there is, an
    argument under another name when one is missing, a value of another type or case
    than the schema has, a required argument left out of which the state knows exactly
    one value, a value that is a part or a slip of one known, and a thing of the wrong
    kind whose record names exactly one of the right kind. Refused with an observation
    that says what to do: what cannot be mended, a value made up where it must be
    known, a change that changes nothing, and a call before the one that it has to come
    after.

    The state is the task's text and what this run's calls have returned.

    Args:
        tools: The tools there are.
        prompt: The task.
    """

    def __init__(self, tools: Iterable[ToolSpec], prompt: str) -> None:
        self._tools = {t.name: t for t in tools}
        self._prompt = prompt
        self._said = prompt.casefold()
        self._kinds: dict[str, dict[str, str]] = {}
        self._records: dict[str, dict[str, dict[str, None]]] = {}
        self._fields: dict[str, dict[str, Json]] = {}
        self._made: set[str] = set()
        self._calls: dict[str, ToolCall] = {}
        contracts = [t.contract for t in self._tools.values() if t.contract is not None]
        self._looks = {k: re.compile(p) for c in contracts for k, p in c.looks.items()}

    async def on_tool_call(self, call: ToolCall) -> ToolCall | ToolMessage:
        """Mend the call, or say what is wrong with it."""
        try:
            tool = self._tool(call.name)
            if tool is None:
                return call
            mended = self._mended(tool, call.arguments)
            self._check(tool, mended)
        except _Refused as problem:
            return ToolMessage(call.call_id, call.name, str(problem), is_error=True)
        made = call
        if tool.name != call.name or mended != call.arguments:
            made = msgspec.structs.replace(call, name=tool.name, arguments=mended)
        self._calls[call.call_id] = made
        return made

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """Take in what was returned."""
        made = self._calls.pop(call.call_id, call)
        tool = self._tools.get(made.name)
        if tool is not None and not result.is_error:
            self._made.add(tool.name)
            self._take_in(tool.contract or NOTHING, made, result_value(result.text))
            self._said += "\n" + result.text.casefold()
        return result

    def _tool(self, name: str) -> ToolSpec | None:
        """The tool that is meant; None for one that may be another lever's."""
        if name in self._tools:
            return self._tools[name]
        close = difflib.get_close_matches(name, self._tools, n=2, cutoff=ALIKE)
        return self._tools[close[0]] if len(close) == 1 else None

    def _mended(self, tool: ToolSpec, arguments: Mapping[str, Json]) -> dict[str, Json]:
        properties: dict[str, Json] = tool.parameters.get("properties", {})
        contract = tool.contract or NOTHING
        found = _renamed(arguments, properties, tool.parameters.get("required", ()))
        if not properties or tool.parameters.get("additionalProperties"):
            # What the schema leaves open is the tool's to take.
            taken = {str(v) for n, v in found.items() if n not in arguments}
            found |= {n: v for n, v in arguments.items() if str(v) not in taken}
        for name in tool.parameters.get("required", ()):
            if name not in found:
                found[name] = self._completed(tool.name, name, contract, found)
        for name, value in found.items():
            if name in properties:
                found[name] = self._value(tool, name, value)
        return found

    def _completed(
        self, tool: str, name: str, contract: Contract, given: Mapping[str, Json]
    ) -> str:
        """The only value that is known of the kind that is missing."""
        kind = contract.arguments.get(name, "")
        taken = {str(v).casefold() for v in given.values()}
        known = [v for low, v in self._kinds.get(kind, {}).items() if low not in taken]
        if len(known) == 1:
            return known[0]
        raise _Refused(f"{tool} needs {name}{f', a {kind}' if kind else ''}")

    def _value(self, tool: ToolSpec, name: str, value: Json) -> Json:
        schema = tool.parameters.get("properties", {})[name]
        if "enum" in schema:
            return _listed(name, value, schema["enum"])
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            value = _typed(value, schema.get("type"))
        kind = (tool.contract or NOTHING).arguments.get(name)
        if kind is None or not isinstance(value, str):
            return value
        return self._thing(tool.name, name, kind, value.strip())

    def _thing(self, tool: str, name: str, kind: str, value: str) -> str:
        """The thing of that kind that a value means."""
        known = self._kinds.get(kind, {})
        low = value.casefold()
        if low in known:
            return known[low]
        looks = [k for k, look in self._looks.items() if look.fullmatch(value)]
        if kind in looks:
            return value
        others = [k for k, values in self._kinds.items() if low in values] or looks
        if others:
            meant = list(self._records.get(low, {}).get(kind, {}))
            if len(meant) == 1:
                return meant[0]
            raise _Refused(
                f"{name} of {tool} takes a {kind}, and {value!r} is a {others[0]}"
                f"{self._where(kind, others[0])}"
            )
        close = difflib.get_close_matches(low, known, n=2, cutoff=ALIKE)
        if len(close) == 1 and low not in self._said:
            return known[close[0]]
        return self._whole_word(value)

    def _whole_word(self, value: str) -> str:
        """The word of the task that a value is the end of, such as ``O-1041`` for ``1041``."""
        if not re.search(r"\d", value):
            return value
        pattern = rf"(?<![\w-])([\w]+-{re.escape(value)})(?![\w-])"
        words = {m[1] for m in re.finditer(pattern, self._prompt)}
        return words.pop() if len(words) == 1 else value

    def _where(self, kind: str, given: str) -> str:
        """Which tool leads from one kind to the other."""
        for tool in self._tools.values():
            contract = tool.contract or NOTHING
            if given in contract.arguments.values() and kind in contract.results.values():
                fields = [f for f, k in contract.results.items() if k == kind]
                return f"; {tool.name} gives its {' and '.join(fields)}"
        return ""

    def _check(self, tool: ToolSpec, arguments: Mapping[str, Json]) -> None:
        contract = tool.contract or NOTHING
        for name in contract.known:
            value = arguments.get(name)
            if isinstance(value, str) and value.casefold() not in self._said:
                kind = contract.arguments.get(name, "value")
                raise _Refused(
                    f"{value!r} stands neither in the task nor in a result; look the {kind} up "
                    f"before {tool.name}"
                )
        for name, field in contract.sets.items():
            self._check_change(contract, arguments, name, field)
        if contract.after and not self._made & set(contract.after):
            raise _Refused(f"call {' or '.join(contract.after)} before {tool.name}")

    def _check_change(
        self, contract: Contract, arguments: Mapping[str, Json], name: str, field: str
    ) -> None:
        """See that a change changes something, as far as the record is known."""
        value = arguments.get(name)
        for other in contract.arguments.keys() - {name}:
            thing = str(arguments.get(other))
            known = self._fields.get(thing.casefold(), {}).get(field)
            if known is not None and str(known).casefold() == str(value).casefold():
                kind = contract.arguments.get(name, "value")
                raise _Refused(
                    f"{thing} has {field} {known} already: find out which other {kind} the task "
                    f"means{self._ways(kind)}"
                )

    def _ways(self, kind: str) -> str:
        """Which tools name a thing of that kind."""
        ways = []
        for tool in self._tools.values():
            contract = tool.contract or NOTHING
            given = contract.arguments.values()
            fields = [f for f, k in contract.results.items() if k == kind]
            if fields and kind not in given:
                ways.append(f"{tool.name} gives {' and '.join(fields)}")
        return f" ({'; '.join(ways)})" if ways else ""

    def _take_in(self, contract: Contract, call: ToolCall, value: Json) -> None:
        about: list[str] = []
        for name, kind in contract.arguments.items():
            given = call.arguments.get(name)
            if isinstance(given, str):
                self._know(kind, given)
                about.append(given)
        records = value if isinstance(value, list) else [value]
        for record in records:
            if isinstance(record, dict):
                self._take_record(contract, record, about if len(records) == 1 else ())

    def _take_record(
        self, contract: Contract, record: Mapping[str, Json], about: Iterable[str]
    ) -> None:
        for thing in about:
            self._fields.setdefault(thing.casefold(), {}).update(record)
        for field, kind in contract.results.items():
            named = record.get(field)
            if isinstance(named, str):
                self._know(kind, named)
                for thing in about:
                    kinds = self._records.setdefault(thing.casefold(), {})
                    kinds.setdefault(kind, {})[named] = None

    def _know(self, kind: str, value: str) -> None:
        self._kinds.setdefault(kind, {}).setdefault(value.casefold(), value)


def _renamed(
    arguments: Mapping[str, Json], properties: Mapping[str, Json], required: Iterable[str]
) -> dict[str, Json]:
    """Arguments under the names that the schema has, where it is plain which are meant."""
    found = {n: v for n, v in arguments.items() if n in properties}
    strange = {n: v for n, v in arguments.items() if n not in properties}
    missing = [n for n in required if n not in found]
    for name in list(strange):
        close = difflib.get_close_matches(name, missing, n=1, cutoff=ALIKE)
        if close:
            found[close[0]] = strange.pop(name)
            missing.remove(close[0])
    if len(strange) == 1 and len(missing) == 1:
        found[missing[0]] = strange.popitem()[1]
    return found


def _listed(name: str, value: Json, allowed: Iterable[Json]) -> Json:
    every = list(allowed)
    if value in every:
        return value
    low = {str(v).casefold(): v for v in every}
    said = str(value).casefold().strip()
    close = difflib.get_close_matches(said, low, n=1, cutoff=ALIKE)
    # What only begins otherwise says the opposite: "unassigned" is no slip of "assigned".
    if close and (said == close[0] or not _begins_otherwise(said, close[0])):
        return low[close[0]]
    raise _Refused(f"{name} is one of {', '.join(map(str, every))}")


def _begins_otherwise(one: str, other: str) -> bool:
    return abs(len(one) - len(other)) > 1 and (one.endswith(other) or other.endswith(one))


def _typed(value: str | float, wanted: object) -> Json:
    if wanted == "string" and not isinstance(value, str):
        return str(value)
    if wanted == "integer" and isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,15}\s*", value):
        return int(value)
    if wanted == "number" and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return number if math.isfinite(number) else value
    return value


def _make(setting: Setting, context: RunContext) -> Stage:
    del setting
    return ToolProtocol(context.tools, context.task.prompt)


LEVER = SimpleLever(
    Card(
        name=NAME,
        summary="Hold each call to its tool's schema and contract: mend what can be mended, and "
        "refuse the rest with what to do instead.",
        domain=Choice(("on",)),
        search=("on",),
        acts_on=("tool call", "tool result"),
        source="Design by contract (Meyer 1992, Computer 25:10); AgentSpec, arXiv 2503.18666.",
    ),
    _make,
)
