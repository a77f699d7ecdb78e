"""Entries of the benchmark as they are shipped."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from leanloop.core.message import Json
from leanloop.suites.bfcl.package import PROMPTS, part, read_lines

Category: TypeAlias = Literal["base", "miss_func", "miss_param", "long_context"]
STATELESS = frozenset({"MathAPI"})


@dataclass(frozen=True)
class TrueCall:
    """A call of the ground truth.

    Args:
        name: The function.
        positional: Arguments without a name.
        named: Arguments by name.
    """

    name: str
    positional: tuple[Json, ...]
    named: Mapping[str, Json]


@dataclass(frozen=True)
class Record:
    """One entry: what the user says turn by turn, and what would be right.

    Args:
        raw: The entry as shipped.
        truth: The ground truth as shipped: for each turn, calls as Python text.
        category: The benchmark's category.
        number: Its number there; the same number is the same task in every category.
    """

    raw: Mapping[str, Json]
    truth: Sequence[Sequence[str]]
    category: Category
    number: int

    @property
    def ident(self) -> str:
        """Unique among all categories."""
        return str(self.raw["id"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The simulated APIs that it plays in."""
        return tuple(self.raw["involved_classes"])

    @property
    def config(self) -> Mapping[str, Json]:
        """The state that each API starts in."""
        config: Mapping[str, Json] = self.raw["initial_config"]
        return config

    @property
    def held_back(self) -> dict[str, int]:
        """Function to the turn, from 0, at which it is added."""
        missed = self.raw.get("missed_function", {})
        return {name: int(turn) for turn, names in missed.items() for name in names}

    @cached_property
    def turns(self) -> tuple[str, ...]:
        """What the user says, turn by turn; never empty."""
        return tuple(_said(messages) for messages in self.raw["question"])

    @cached_property
    def right_calls(self) -> tuple[tuple[TrueCall, ...], ...]:
        """The ground truth, turn by turn."""
        return tuple(tuple(_parsed(text) for text in turn) for turn in self.truth)

    @property
    def can_be_solved(self) -> bool:
        """Whether the ground truth makes do with what is shown; one entry's does not."""
        return all(
            self.held_back.get(call.name, 0) <= turn
            for turn, calls in enumerate(self.right_calls)
            for call in calls
        )


def read_category(category: Category) -> list[Record]:
    """Every entry of a category, in the package's order.

    Raises:
        BadInputError: The package is not installed, or has no such data.
    """
    name = f"BFCL_v4_multi_turn_{category}.json"
    truths = {row["id"]: row["ground_truth"] for row in read_lines(f"possible_answer/{name}")}
    return [
        Record(row, truths[row["id"]], category, int(row["id"].rsplit("_", 1)[1]))
        for row in read_lines(name)
    ]


def clusters(base: Sequence[Record]) -> dict[int, str]:
    """Number of an entry to its cluster: entries that begin alike are not independent.

    Args:
        base: The entries of the category that the others are made from.
    """
    first: dict[str, int] = {}
    found: dict[int, int] = {}
    for record in base:
        state = json.dumps(record.config, sort_keys=True)
        seen = [first[key] for key in (state, record.turns[0]) if key in first]
        found[record.number] = cluster = min(seen, default=record.number)
        for key in (state, record.turns[0]):
            first.setdefault(key, cluster)
    return {number: f"start-{cluster}" for number, cluster in found.items()}


def _said(messages: Sequence[Mapping[str, str]]) -> str:
    if not messages:  # the turn in which functions are added
        return str(part(PROMPTS).DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC)
    return "\n".join(m["content"] for m in messages)


def _parsed(text: str) -> TrueCall:
    call = ast.parse(text, mode="eval").body
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise ValueError(f"not a call: {text}")
    return TrueCall(
        call.func.id,
        tuple(ast.literal_eval(a) for a in call.args),
        {str(k.arg): ast.literal_eval(k.value) for k in call.keywords},
    )
