"""A study's result as one static HTML file."""

from __future__ import annotations

from pathlib import Path

from leanloop.search.result import Result


def write_report(result: Result, path: Path) -> None:
    """Write the report of a result."""
    path.write_text(repr(result), encoding="utf-8")
