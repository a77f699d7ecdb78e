"""Each adapter inside its framework, by the example that shows it."""

from __future__ import annotations

import gc
import importlib
from pathlib import Path
from typing import Any

import pytest

from leanloop.adapters.editing import MESSAGES, TOOLS, Editing
from leanloop.core.errors import BadInputError
from leanloop.core.message import (
    AssistantMessage,
    Request,
    SystemMessage,
    ToolCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from leanloop.levers.builtin import BUILT_IN
from leanloop.levers.memory.keep_observations import MASK

FRAMEWORKS = ("pydantic_ai", "openai_agents", "langchain", "smolagents", "mini_swe_agent")


# The frameworks' own warnings are theirs.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_model_is_shown_less_and_nothing_is_lost(
    framework: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MSWEA_SILENT_STARTUP", "1")
    monkeypatch.setenv("MSWEA_GLOBAL_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    shown, kept = importlib.import_module(f"examples.adapters.with_{framework}").main()
    gc.collect()
    assert len(shown) == len(kept) == 3
    assert shown[:2] == [MASK, MASK]
    assert shown[2] == kept[2]
    assert MASK not in kept


def request(observations: int) -> Request:
    messages: list[Any] = [SystemMessage("be good"), UserMessage("go")]
    for i in range(observations):
        call = ToolCall(f"c{i}", "look", {})
        messages += [
            AssistantMessage("", (call,)),
            ToolMessage(f"c{i}", "look", f"long observation number {i} " * 3),
        ]
    return Request("m", tuple(messages), (ToolSpec("look", "Look. At length.", {}),))


def test_what_no_lever_changes_is_the_very_same() -> None:
    asked = request(1)
    assert Editing({"memory.keep_observations": 2}).edited(asked) is asked


def test_runs_are_told_apart() -> None:
    editing = Editing({"memory": {"keep_observations": 1, "stable_prefix": "off"}})
    for run in ("a", "b"):
        texts = [m.text for m in editing.edited(request(2), run).messages]
        assert texts[3] == MASK


def test_tools_where_there_is_room() -> None:
    editing = Editing({"tools.schema_trim": "on"}, MESSAGES | TOOLS)
    assert editing.edited(request(1)).tools[0].description == "Look."


@pytest.mark.parametrize(
    ("levers", "said"),
    [
        ({"memory.fold": 400}, "levers.memory.fold: does not act in this adapter"),
        ({"memory.keep_turns": "many"}, "levers.memory.keep_turns: 'many' is not a setting"),
        ({"memory.keep_turn": 3}, "no such lever; did you mean memory.keep_turns"),
    ],
)
def test_bad_input(levers: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        Editing(levers)


def test_only_levers_that_edit_are_let_in() -> None:
    for name in MESSAGES | TOOLS:
        card = BUILT_IN[name].card
        assert set(card.acts_on) <= {"request", "edit"}
        assert not card.needs
