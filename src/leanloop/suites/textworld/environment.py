"""One run of a game."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leanloop.core.message import Json, ToolCall, ToolMessage, ToolSpec
from leanloop.core.task import ExampleStep
from leanloop.suites.textworld.commands import meant
from leanloop.suites.textworld.games import part
from leanloop.suites.textworld.scene import Scene


def solved(run: TextworldRun, game: Any) -> tuple[ExampleStep, ...]:  # noqa: ANN401 - TextWorld's
    """The steps that win a game: its goal, a look around, and its own walkthrough.

    Args:
        run: At its start; at its end afterwards.
        game: The game.
    """
    acts = [{"command": command} for command in game.metadata["walkthrough"]]
    calls: list[tuple[str, dict[str, Json]]] = [("goal", {}), ("look", {})]
    calls += [("act", arguments) for arguments in acts]
    return tuple(ExampleStep(name, a, run.tell(name, a)[0]) for name, a in calls)


def _tool(name: str, description: str, read_only: bool, **parameters: Json) -> ToolSpec:
    schema = {"type": "object", "properties": parameters, "required": list(parameters)}
    return ToolSpec(name, description, schema, read_only)


TOOLS = (
    _tool(
        "act",
        "Carry out one command in the game: go DIRECTION, take THING, take THING from PLACE, "
        "drop THING, put THING on PLACE, insert THING into PLACE, open THING, close THING, "
        "unlock THING with KEY, lock THING with KEY, eat THING, examine THING.",
        False,
        command={"type": "string", "description": "such as: take key from table"},
    ),
    _tool("look", "See the room that you are in, what is in it, and its exits.", True),
    _tool("inventory", "See what you carry.", True),
    _tool("goal", "What has to be done to win the game.", True),
)


class TextworldRun:
    """Plays a game on its own state; many runs may share a game.

    Args:
        game: TextWorld's game.
        fraction: Whether points count when the game is not won.
        commands: Whether it says what can be done.
    """

    tools = TOOLS

    def __init__(self, game: Any, *, fraction: bool, commands: bool = False) -> None:  # noqa: ANN401 - untyped
        self._game, self._commands = game, commands
        self._fraction = fraction
        self._progress = part("textworld.generator.game").GameProgression(game)
        self._texts = part("textworld.generator.inform7").Inform7Game(game)

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call; what cannot be done in the game is an error result."""
        told, failed = self.tell(call.name, call.arguments)
        return ToolMessage(call.call_id, call.name, told, failed)

    def verify(self, answer: str | None) -> float:  # noqa: ARG002 - the game alone tells
        """1 when the game is won; else nothing, or the fraction of its points."""
        if self._progress.completed:
            return 1.0
        return self._progress.score / self._game.max_score if self._fraction else 0.0

    def close(self) -> None:
        """Nothing is held outside of this object."""

    def tell(self, name: str, arguments: Mapping[str, Json]) -> tuple[str, bool]:
        """What the game says to a call, and whether it could not be carried out."""
        if name == "look":
            return self._scene().room() + self._possible(), False
        if name == "inventory":
            return self._scene().inventory(), False
        if name == "goal":
            return self._game.objective, False
        command = arguments.get("command")
        if name != "act":
            return f"There is no tool {name!r}.", True
        if not isinstance(command, str):
            return "A command is a text, such as: go north.", True
        return self._act(command)

    def _act(self, typed: str) -> tuple[str, bool]:
        if self._progress.done:
            return "The game is over.", True
        actions = list(self._progress.valid_actions)
        commands = self._texts.gen_commands_from_actions(actions)
        found = meant(typed, commands)
        if len(set(found)) != 1:
            clearer = f" Say which: {'; '.join(sorted(set(found)))}." if found else ""
            return f"You cannot do that: {typed}.{clearer}{self._possible()}", True
        command = found[0]
        if command in ("look", "inventory"):
            scene = self._scene()
            return (scene.room() if command == "look" else scene.inventory()), False
        return self._done(command, actions[commands.index(command)]), False

    def _possible(self) -> str:
        """What can be done now, where the game says so."""
        if not self._commands or self._progress.done:
            return ""
        actions = list(self._progress.valid_actions)
        every = self._texts.gen_commands_from_actions(actions)
        told = sorted({c for c in every if c not in ("look", "inventory")})
        return f"\nYou can: {'; '.join(told)}."

    def _done(self, command: str, action: Any) -> str:  # noqa: ANN401 - TextWorld's own
        before = self._progress.score
        self._progress.update(action)
        lines = [self._effect(command, action)]
        if self._progress.score != before:
            lines.append(f"Your score is {self._progress.score} of {self._game.max_score}.")
        if self._progress.completed:
            lines.append("You have won.")
        elif self._progress.failed:
            lines.append("You have lost.")
        return "\n".join(lines)

    def _effect(self, command: str, action: Any) -> str:  # noqa: ANN401 - TextWorld's own
        verb, _, rest = command.partition(" ")
        scene = self._scene()
        if verb == "go":
            return scene.room()
        if verb in ("examine", "open"):
            named = {self._game.infos[v.name].name: v.name for v in action.variables}
            said = f"You see a {scene.thing(named[rest])}"
            return said if verb == "examine" else f"You open the {rest}. {said}"
        return f"You {command}."

    def _scene(self) -> Scene:
        return Scene(self._game, self._progress.state.facts)
