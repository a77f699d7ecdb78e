"""Compare two configurations of a run table, paired by task."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from leanloop.cli.options import (
    JsonOption,
    StoreOption,
    TableSplitOption,
    answers_console,
    emit,
)
from leanloop.cli.run_tables import (
    CostOption,
    MarginOption,
    PageOption,
    RunsArgument,
    SeedOption,
    SelectOption,
    Source,
    StudyOption,
    WhereOption,
)
from leanloop.core.task import Split
from leanloop.judging.comparison import Terms
from leanloop.judging.comparison import compare as compare_configurations
from leanloop.judging.reading import Selection
from leanloop.report.judged_terminal import show_comparison

AOption = Annotated[
    str, typer.Option("--a", help="What is compared with: its name, or an end of it.")
]
BOption = Annotated[str, typer.Option("--b", help="What is judged.")]


def compare(
    runs: RunsArgument,
    a: AOption,
    b: BOption,
    select: SelectOption = "*",
    where: WhereOption = None,
    margin: MarginOption = None,
    cost: CostOption = None,
    seed: SeedOption = 0,
    study: StudyOption = None,
    split: TableSplitOption = Split.HOLDOUT,
    store: StoreOption = None,
    report: PageOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two configurations of a run table, paired by task."""
    source = Source(runs, Selection(select, where), study, split, store)
    allowed, said_by = source.margin(margin)
    with closing(source.table()) as table:
        found = compare_configurations(table, a, b, Terms(allowed, cost, seed, said_by))
    if report is not None:
        from leanloop.report.comparison_page import write_comparison  # noqa: PLC0415 - slow to load

        write_comparison(found, report)
    if json:
        emit(found)
    else:
        show_comparison(answers_console(), found)
