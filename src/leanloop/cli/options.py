"""Options that several commands take."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from leanloop.core.errors import BadInputError
from leanloop.core.task import Split

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="The store: a file, or the address of a PostgreSQL database; "
        ".leanloop/store.sqlite when left out.",
    ),
]


def read_split(text: str) -> Split:
    """A split by its name.

    Raises:
        BadInputError: There is none of that name.
    """
    try:
        return Split(text)
    except ValueError:
        raise BadInputError(
            "--split",
            f"there is no split {text!r}; there are search (tasks that configurations are chosen "
            "by) and holdout (tasks kept back, on which the chosen ones are measured)",
        ) from None


SplitOption = Annotated[
    Split,
    typer.Option(
        "--split", parser=read_split, metavar="SPLIT", help="Which tasks: search or holdout."
    ),
]
TableSplitOption = Annotated[
    Split | None,
    typer.Option(
        "--split", parser=read_split, metavar="SPLIT", help="Of a study: search or holdout."
    ),
]

WIDE = 160


def store_place(given: str | None) -> Path | str:
    """The store's file or address: as given, as ``LEANLOOP_STORE`` says, or in this folder."""
    text = given or os.environ.get("LEANLOOP_STORE", ".leanloop/store.sqlite")
    return text if "://" in text else Path(text)


def emit(document: Any) -> None:  # noqa: ANN401 - whatever msgspec can encode
    """One JSON document on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
    sys.stdout.flush()


def answers_console() -> Console:
    """Standard output, for tables; wide where it is no terminal, so that no figure is cut."""
    console = Console(markup=False, emoji=False)
    return console if console.is_terminal else Console(width=WIDE, markup=False, emoji=False)


def errors_console() -> Console:
    """Standard error, for progress and logs."""
    return Console(stderr=True, markup=False, emoji=False)
