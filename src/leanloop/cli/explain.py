"""Say what each lever gives between a baseline and a chosen configuration."""

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
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.judging.attribution import explain as attribute
from leanloop.judging.comparison import Terms
from leanloop.judging.reading import Selection
from leanloop.report.judged_terminal import show_attribution

BaselineOption = Annotated[
    str | None, typer.Option("--baseline", help="Where the change starts; a study knows its own.")
]
ChosenOption = Annotated[
    str | None,
    typer.Option("--chosen", help="Where it ends; a study's recommendation if left out."),
]


def explain(
    runs: RunsArgument,
    baseline: BaselineOption = None,
    chosen: ChosenOption = None,
    select: SelectOption = "*",
    where: WhereOption = None,
    margin: MarginOption = None,
    cost: CostOption = None,
    seed: SeedOption = 0,
    study: StudyOption = None,
    split: TableSplitOption = Split.SEARCH,
    store: StoreOption = None,
    report: PageOption = None,
    json: JsonOption = False,
) -> None:
    """Say what each lever gives between a baseline and a chosen configuration."""
    source = Source(runs, Selection(select, where), study, split, store)
    start, end = source.ends() if baseline is None or chosen is None else (baseline, chosen)
    start, end = baseline or start, chosen or end
    if start is None:
        raise BadInputError("--baseline", "is to be named: the configuration to start from")
    if end is None:
        raise BadInputError("--chosen", "is to be named: nothing is recommended there")
    allowed, said_by = source.margin(margin)
    with closing(source.table()) as table:
        found = attribute(table, start, end, Terms(allowed, cost, seed, said_by))
    if report is not None:
        from leanloop.report.attribution_page import write_attribution  # noqa: PLC0415 - slow to load

        write_attribution(found, report)
    if json:
        emit(found)
    else:
        show_attribution(answers_console(), found)
