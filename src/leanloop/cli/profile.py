"""Say where the cost of recorded runs went: money, tokens, seconds, and what was sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.cli.trace_options import (
    FormatOption,
    PricesOption,
    TracesArgument,
    no_run,
    prices_of,
)
from leanloop.core.errors import BadInputError
from leanloop.report.profile_terminal import show_profile
from leanloop.traces.grouping import GROUPS
from leanloop.traces.profile import Asked, profile_runs
from leanloop.traces.protocol import Wanted
from leanloop.traces.reading import Reading
from leanloop.traces.writing import saved

FEW_BYTES = 64 << 20
"""Files of more bytes than this are read without their contents, to keep memory small."""

ModelOption = Annotated[
    str, typer.Option("--model", help="Who answered, where the traces do not say.")
]
GroupOption = Annotated[str, typer.Option("--group-by", help=f"One of {', '.join(GROUPS)}.")]
RedactOption = Annotated[
    bool, typer.Option("--redact", help="Read no contents: sizes and names only.")
]
SaveOption = Annotated[
    Path | None,
    typer.Option("--save", help="Keep the runs without contents, to profile them again."),
]
PageOption = Annotated[Path | None, typer.Option("--report", help="Write a page to this file.")]
SharedOption = Annotated[
    bool,
    typer.Option("--shared-caches", help="Modelled caches are shared by runs, as by a fleet."),
]


def profile(
    traces: TracesArgument,
    format: FormatOption = None,  # noqa: A002
    model: ModelOption = "",
    prices: PricesOption = None,
    group_by: GroupOption = "none",
    shared_caches: SharedOption = False,
    redact: RedactOption = False,
    save: SaveOption = None,
    report: PageOption = None,
    json: JsonOption = False,
) -> None:
    """Say where the cost of recorded runs went: money, tokens, seconds, and what was sent again."""
    if group_by not in GROUPS:
        raise BadInputError("--group-by", f"is one of {', '.join(GROUPS)}")
    asked = Asked(prices_of(prices), model, group_by, shared_caches)
    reading = Reading(traces, Wanted(), format)
    if not redact and sum(s.path.stat().st_size for s in reading.sources) <= FEW_BYTES:
        reading.wanted = Wanted(contents=True)
    runs = reading if save is None else saved(reading, save)
    answer = profile_runs(runs, asked, reading)
    if not answer.runs:
        raise BadInputError(str(traces[0]), no_run(reading))
    if report is not None:
        from leanloop.report.profile_page import write_profile  # noqa: PLC0415 - slow to load

        write_profile(answer, report)
    if json:
        emit(answer)
    else:
        show_profile(answers_console(), answer)
