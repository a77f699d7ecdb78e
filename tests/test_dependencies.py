"""What leanloop imports is what it says that it needs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMES = {"python-jsonpath": "jsonpath", "genai-prices": "genai_prices", "tomli-w": "tomli_w"}
"""Distribution to the module that it gives, where they differ."""
COMES_WITH = {"multidict": "aiohttp", "yarl": "aiohttp", "markupsafe": "jinja2"}
"""Modules that another distribution's own interface is made of."""
OF_EXTRAS = ("adapters/", "suites/inspect/", "levers/sandbox.py")
"""Folders that are loaded only where their extra is installed."""


def needed() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[\[<>=;]", d)[0].strip() for d in project["dependencies"]]
    found = {NAMES.get(n, n.replace("-", "_")) for n in names}
    return found | {module for module, whose in COMES_WITH.items() if whose in found}


def imported(path: Path) -> Iterator[str]:
    """Modules that loading a file loads."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_whatever_is_loaded_is_declared():
    source, known = ROOT / "src" / "leanloop", needed()
    missing = {
        (str(path.relative_to(source)), module)
        for path in source.rglob("*.py")
        for module in imported(path)
        if module not in known | set(sys.stdlib_module_names) | {"leanloop"}
        and not str(path.relative_to(source)).startswith(OF_EXTRAS)
    }
    assert not missing
