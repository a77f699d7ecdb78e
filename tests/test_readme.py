"""What README.md shows is what leanloop takes."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import msgspec

import leanloop
from leanloop.cli.app import COMMANDS
from leanloop.search.spec import StudySpec, check_study

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_study_in_the_readme_is_a_study():
    (text,) = blocks("toml")
    spec = msgspec.convert(tomllib.loads(text), StudySpec, strict=False)
    check_study(spec)
    assert spec.default_model == "small"
    assert spec.space()["tools.shortlist"] == ("off", 4, 8)


def test_the_commands_in_the_readme_exist():
    named = set(re.findall(r"leanloop (\w+)", README)) & {
        *COMMANDS,
        *(word for block in blocks("") for word in re.findall(r"^leanloop (\w+)", block, re.M)),
    }
    assert {"optimize", "run", "report", "levers", "demo"} <= named <= set(COMMANDS)


def test_the_python_in_the_readme_uses_public_names():
    (text,) = blocks("python")
    tree = ast.parse(text)
    names = [
        a.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "leanloop"
        for a in node.names
    ]
    assert names
    for name in names:
        assert getattr(leanloop, name)


def test_every_file_that_the_readme_links_to_is_here():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
