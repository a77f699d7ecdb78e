"""ARCHITECTURE.md and the linter name the same rooms in the same order."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_page_and_the_linter_agree():
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = configuration["tool"]["importlinter"]["contracts"][0]
    linted = [sorted(layer.split(" | ")) for layer in contract["layers"]]
    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = text.split("|---|---|\n")[1].split("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines()]
    assert [sorted(re.findall(r"`(\w+)`", row)) for row in rows] == linted


def test_every_room_is_listed():
    rooms = {p.name for p in (ROOT / "src/leanloop").iterdir() if (p / "__init__.py").exists()}
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = configuration["tool"]["importlinter"]["contracts"][0]["layers"]
    assert rooms == {room for layer in layers for room in layer.split(" | ")}
