"""Say which configurations of a run table are on the frontier, and how sure that is."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import msgspec
import typer

from leanloop.cli.options import (
    JsonOption,
    StoreOption,
    TableSplitOption,
    answers_console,
    emit,
)
from leanloop.cli.run_tables import (
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
from leanloop.judging.frontier import Question, frontier_of
from leanloop.judging.reading import Selection
from leanloop.judging.run_table import AXES
from leanloop.report.judged_terminal import show_frontier

NOT_THE_STUDYS = (
    "a study's own p ('leanloop optimize', its report and dashboard) asks something else: a model "
    "of all runs of the search, those on tasks that only some have too, on the study's objectives, "
    "where a difference within the margins is none"
)
"""Both are probabilities of being on the frontier, and they differ."""

ObjectivesOption = Annotated[
    str,
    typer.Option(
        "--objectives",
        help="Such as success,usd,latency_s; success and the first cost if left out.",
    ),
]
MinTasksOption = Annotated[
    int, typer.Option("--min-tasks", min=1, help="Leave out configurations with fewer tasks.")
]
AtCostOption = Annotated[
    float | None,
    typer.Option("--at-cost", min=0, help="Ask for the best success at this mean cost or less."),
]
AtSuccessOption = Annotated[
    float | None,
    typer.Option("--at-success", min=0, max=1, help="Ask for the least cost at this success."),
]
WithinOption = Annotated[
    str | None,
    typer.Option("--within", help="Such as usd=0.5: also success when a run over it has failed."),
]
ReferenceOption = Annotated[
    float | None,
    typer.Option("--reference", min=0, help="Cost of the hypervolume's worst corner."),
]


def frontier(
    runs: RunsArgument,
    select: SelectOption = "*",
    where: WhereOption = None,
    objectives: ObjectivesOption = "",
    min_tasks: MinTasksOption = 1,
    at_cost: AtCostOption = None,
    at_success: AtSuccessOption = None,
    within: WithinOption = None,
    reference: ReferenceOption = None,
    seed: SeedOption = 0,
    study: StudyOption = None,
    split: TableSplitOption = Split.SEARCH,
    store: StoreOption = None,
    report: PageOption = None,
    json: JsonOption = False,
) -> None:
    """Say which configurations of a run table are on the frontier, and how sure that is."""
    selection = Selection(select, where, _within(within))
    source = Source(runs, selection, study, split, store)
    table = source.table()
    names = tuple(o.strip() for o in objectives.split(",") if o.strip())
    asked = Question(names, seed, min_tasks, at_cost, at_success, reference)
    with closing(table):
        answer = frontier_of(table, asked)
    if source.is_study:
        answer = msgspec.structs.replace(answer, notes=(*answer.notes, NOT_THE_STUDYS))
    if report is not None:
        from leanloop.report.frontier_page import write_frontier  # noqa: PLC0415 - slow to load

        write_frontier(answer, report)
    if json:
        emit(answer)
    else:
        show_frontier(answers_console(), answer)


def _within(text: str | None) -> tuple[str, float] | None:
    if text is None:
        return None
    axis, _, bound = text.partition("=")
    try:
        value = float(bound)
    except ValueError:
        value = -1.0
    if axis not in AXES or not value >= 0:
        raise BadInputError("--within", f"takes AXIS=BOUND with one of {', '.join(AXES)}")
    return axis, value
