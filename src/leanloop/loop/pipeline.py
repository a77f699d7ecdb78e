"""The one pipeline around the model call and the tool call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leanloop.core.configuration import Configuration
from leanloop.core.message import Request, Response, ToolCall, ToolMessage
from leanloop.core.run import Step
from leanloop.levers.protocol import GO, Answer, Ended, Lever, RunContext, Stage, Stop, Verdict


class Pipeline:
    """Stages in order: requests and results pass down, responses and calls pass up.

    Without a stage everything passes through as the very same object.

    Args:
        stages: The levers that are on, by name, in pipeline order.
    """

    def __init__(self, stages: Mapping[str, Stage]) -> None:
        self._names = {id(stage): name for name, stage in stages.items()}
        every = list(stages.values())
        self._down = _overriding(every, "on_request", "on_edit")
        self._queries = _overriding(every, "on_query")
        self._up = _overriding(every[::-1], "on_response")
        self._groups = _overriding(every, "on_calls")
        self._calls = _overriding(every[::-1], "on_tool_call")
        self._results = _overriding(every, "on_tool_result")
        self._steps = _overriding(every, "after_step")
        self._ends = _overriding(every, "on_end")

    async def on_request(self, request: Request) -> Request:
        """The request as it is sent."""
        before = request
        for stage in self._down:
            request = stage.on_edit(before, await stage.on_request(request))
        return request

    async def on_query(self, request: Request) -> Response | None:
        """What the first lever answers in the model's place; None when none does."""
        for stage in self._queries:
            response = await stage.on_query(request)
            if response is not None:
                return response
        return None

    async def on_response(self, request: Request, response: Response) -> Response:
        """The response as the loop sees it; ``request`` is the one that was sent."""
        for stage in self._up:
            response = await stage.on_response(request, response)
        return response

    def on_calls(self, calls: Sequence[ToolCall]) -> Sequence[Sequence[ToolCall]]:
        """The calls in groups that are made at once: by the first lever that groups them."""
        for stage in self._groups:
            return stage.on_calls(calls)
        return [[call] for call in calls]

    async def on_tool_call(self, call: ToolCall) -> tuple[ToolCall | ToolMessage, str]:
        """The call as it is made, or its answer; and who answered."""
        for stage in self._calls:
            outcome = await stage.on_tool_call(call)
            if isinstance(outcome, ToolMessage):
                return outcome, self._names[id(stage)]
            call = outcome
        return call, "tool"

    def on_tool_result(self, call: ToolCall, result: ToolMessage) -> ToolMessage:
        """The observation as the model sees it; ``call`` is the model's own."""
        for stage in self._results:
            result = stage.on_tool_result(call, result)
        return result

    def after_step(self, step: Step) -> Verdict:
        """Whether to go on: the strictest verdict of all stages."""
        verdict: Verdict = GO
        for stage in self._steps:
            said = stage.after_step(step)
            if isinstance(said, Stop):
                verdict = verdict if isinstance(verdict, Stop) else said
            elif isinstance(said, Answer) and not isinstance(verdict, Answer | Stop):
                verdict = said
        return verdict

    async def on_end(self, ended: Ended) -> None:
        """Let levers learn from a run that has ended."""
        for stage in self._ends:
            await stage.on_end(ended)


def build_pipeline(
    configuration: Configuration, context: RunContext, levers: Mapping[str, Lever]
) -> Pipeline:
    """The pipeline of a configuration for one run, in the order of ``levers``."""
    return Pipeline(
        {
            name: lever.stage(configuration[name], context)
            for name, lever in levers.items()
            if name in configuration
        }
    )


def _overriding(stages: Sequence[Stage], *hooks: str) -> list[Stage]:
    return [s for s in stages if any(getattr(type(s), h) is not getattr(Stage, h) for h in hooks)]
