"""One run of an entry: its tools, its user, and its score."""

from __future__ import annotations

from leanloop.core.message import ToolCall, ToolMessage, ToolSpec
from leanloop.suites.bfcl.package import CHECKER, part
from leanloop.suites.bfcl.records import Record
from leanloop.suites.bfcl.schemas import tools_of
from leanloop.suites.bfcl.world import World
from leanloop.suites.protocol import Ask


class BfclRun:
    """Plays an entry turn by turn, and scores each turn by the benchmark's own checks.

    After each turn of which the ground truth makes a call, the state of every API must be
    that after the ground truth, some call must have been made in the turn, and what the
    ground truth's calls returned must have been returned, in this turn or before.

    Args:
        record: The entry.

    Raises:
        BadInputError: The package is not installed.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._world = World(record)
        self._check = part(CHECKER)
        self._turn = 0
        self._failed = False
        self._results: list[str] = []
        self._calls_in_turn = 0

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """Those of every API of the entry; what is held back comes last, in its turn."""
        held = self._record.held_back
        every = [tool for api in self._record.classes for tool in tools_of(api)]
        added = sorted(
            (t for t in every if t.name in held and held[t.name] <= self._turn),
            key=lambda t: held[t.name],
        )
        return (*(t for t in every if t.name not in held), *added)

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call."""
        if all(tool.name != call.name for tool in self.tools):
            text, failed = f"Error during execution: no function {call.name!r}", True
        else:
            text, failed = self._world.carry_out(call.name, (), call.arguments)
        self._results.append(text)
        self._calls_in_turn += 1
        return ToolMessage(call.call_id, call.name, text, failed)

    async def reply(self, answer: str, ask: Ask) -> str | None:  # noqa: ARG002 - the protocol's
        """Score the turn that the answer ends, and say what comes next."""
        if self._turn + 1 == len(self._record.turns):
            return None
        self._failed = self._failed or not self._turn_is_right()
        self._turn += 1
        self._calls_in_turn = 0
        return self._record.turns[self._turn]

    def verify(self, answer: str | None) -> float:
        """1 when every turn was answered and is right; the last one is scored here."""
        if answer is None or self._failed or self._turn + 1 < len(self._record.turns):
            return 0.0
        return float(self._turn_is_right())

    def close(self) -> None:
        """Nothing is held outside of this object."""

    def _turn_is_right(self) -> bool:
        *before, calls = self._record.right_calls[: self._turn + 1]
        if not calls:
            return True
        if not self._calls_in_turn:
            return False
        truth = World(self._record)
        for earlier in before:
            truth.follow(earlier)
        expected = truth.follow(calls)
        state = self._check.state_checker(self._world.instances, truth.instances)
        said = self._check.response_checker(self._results, expected, self._turn)
        return bool(state["valid"] and said["valid"])
