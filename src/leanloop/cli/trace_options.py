"""Options that the commands on traces share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanloop.traces.prices import TracePrices, read_prices
from leanloop.traces.reading import Reading

TracesArgument = Annotated[
    list[Path], typer.Argument(metavar="TRACES…", help="Files or folders of recorded runs.")
]
FormatOption = Annotated[
    str | None, typer.Option("--format", help="Their format; told from each file if left out.")
]
PricesOption = Annotated[
    Path | None,
    typer.Option(
        "--prices", help="TOML file with prices by model, or a study's file; else list prices."
    ),
]


def no_run(reading: Reading) -> str:
    """Why there is nothing to say."""
    for skipped in reading.skipped:
        place = f" at {skipped.first}" if skipped.first else ""
        return f"holds no run that could be read: {skipped.why}{place}"
    return "holds no run with a model call"


def prices_of(path: Path | None) -> TracePrices:
    """The prices that the user states before those of the list."""
    return TracePrices() if path is None else read_prices(path)
