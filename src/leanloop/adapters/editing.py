"""The levers that edit requests, for an agent of another framework."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

from leanloop.core.configuration import Configuration, Setting, flatten_settings
from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.core.message import Request, UserMessage
from leanloop.core.task import Split, Task
from leanloop.gateway.acting import STABLE, with_stable_prefix
from leanloop.levers.builtin import BUILT_IN, find_lever
from leanloop.levers.protocol import RunContext, no_model
from leanloop.loop.pipeline import Pipeline, build_pipeline
from leanloop.traces.replay import drive

MESSAGES = frozenset(
    {
        "memory.keep_observations",
        "memory.keep_turns",
        "memory.stable_prefix",
        "memory.dedupe",
        "memory.truncate_observation",
    }
)
"""Levers that change messages and nothing else."""
TOOLS = frozenset({"tools.shortlist", "tools.schema_trim"})
"""Levers that change the tools that are shown."""
MOST = 256
"""Runs under way that are told apart; beyond that the one that was silent longest starts anew."""


class Editing:
    """Edits the requests of agents by the levers of a configuration, run by run.

    Args:
        settings: Lever settings, ``{"memory.keep_observations": 2}`` or as tables of a file.
        acts: Levers that the framework has room for.

    Raises:
        BadInputError: A lever or a setting is unknown, or there is no room for the lever.
    """

    def __init__(
        self, settings: Mapping[str, Any] | Configuration, acts: frozenset[str] = MESSAGES
    ) -> None:
        flat = flatten_settings(dict(settings), "levers")
        checked: dict[str, Setting] = {}
        for name, value in flat.items():
            lever = find_lever(name, "levers")
            if name not in acts:
                raise BadInputError(
                    f"levers.{name}",
                    f"does not act in this adapter, but at the gateway; here: {', '.join(acts)}",
                )
            checked[name] = check_setting(name, lever.card.domain, value, "levers")
        self.configuration = with_stable_prefix(Configuration(checked), said=STABLE in flat)
        self._runs: OrderedDict[Hashable, Pipeline] = OrderedDict()

    def edited(self, request: Request, run: Hashable = None) -> Request:
        """The request as it is to be sent; the very same one where no lever changes it.

        Args:
            request: The framework's.
            run: What tells runs under way apart.
        """
        pipeline = self._runs.get(run)
        if pipeline is None:
            pipeline = self._runs[run] = self._build(request)
        self._runs.move_to_end(run)
        while len(self._runs) > MOST:
            self._runs.popitem(last=False)
        return drive(pipeline.on_request(request))

    def _build(self, request: Request) -> Pipeline:
        prompt = next((m.text for m in request.messages if isinstance(m, UserMessage)), "")
        context = RunContext(
            task=Task("run", prompt, Split.SEARCH),
            tools=request.tools,
            examples=(),
            model=request.model,
            complete=no_model,
        )
        return build_pipeline(self.configuration, context, BUILT_IN)
