"""The tools of a body, as they came and as levers see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json, ToolSpec
from leanloop.models.originals import patched, same_objects

BREAKPOINT_FIELD = "cache_control"


@dataclass(frozen=True)
class ToolForm:
    """How an API writes tools.

    Args:
        read: What levers see of a tool; None for one that leanloop cannot hold.
        forced: Names that a ``tool_choice`` relies on.
        write: A tool in the wire format.
        unreadable: What to say of a body that is not as the API has it.
    """

    read: Callable[[Json], ToolSpec | None]
    forced: Callable[[Json], Sequence[str]]
    write: Callable[[ToolSpec], dict[str, Json]]
    unreadable: str


@dataclass(frozen=True)
class BodyTools:
    """Tools that can be written back, each as it came unless a lever changed it.

    Args:
        sent: As they came.
        specs: For each what levers see of it; None for one that leanloop cannot
            hold, such as a server's own tool: it stays whatever levers do.
        forced: Names that the body's ``tool_choice`` relies on: these stay too,
            since an endpoint refuses a choice of a tool that is not there.
        write: A tool in the wire format.
    """

    sent: Sequence[Json]
    specs: tuple[ToolSpec | None, ...]
    forced: frozenset[str]
    write: Callable[[ToolSpec], dict[str, Json]]

    @property
    def seen(self) -> tuple[ToolSpec, ...]:
        """What levers see."""
        return tuple(s for s in self.specs if s is not None)

    def written(self, tools: Sequence[ToolSpec]) -> Sequence[Json]:
        """The tools in the wire format: the body's in its order, then those of levers.

        Where a tool with a cache breakpoint is left out, the one before it takes
        the breakpoint over. Without a change it is the very sequence that came.
        """
        now = {t.name: t for t in tools}
        out: list[Json] = []
        for original, spec in zip(self.sent, self.specs, strict=True):
            if spec is None or (spec.name not in now and spec.name in self.forced):
                out.append(original)
            elif spec.name in now:
                out.append(patched(original, self.write(spec), self.write(now[spec.name])))
            else:
                _take_over_breakpoint(out, original)
        known = {s.name for s in self.seen}
        out += [self.write(t) for t in tools if t.name not in known]
        return self.sent if same_objects(out, self.sent) else out


def _take_over_breakpoint(kept: list[Json], left_out: dict[str, Json]) -> None:
    mark = left_out.get(BREAKPOINT_FIELD)
    if mark and kept and BREAKPOINT_FIELD not in kept[-1]:
        kept[-1] = {**kept[-1], BREAKPOINT_FIELD: mark}


def read_tools(body: dict[str, Json], form: ToolForm) -> BodyTools:
    """The tools of a body.

    Raises:
        BadInputError: They are not as the API has them.
    """
    sent = body.get("tools") or ()
    try:
        specs = tuple(form.read(t) for t in sent)
        forced = frozenset(form.forced(body.get("tool_choice")))
    except (LookupError, TypeError, AttributeError):
        raise BadInputError("tools", form.unreadable) from None
    return BodyTools(sent, specs, forced, form.write)
