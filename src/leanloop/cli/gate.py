"""Fail when runs are not shown to be as good as a baseline's, or cost more."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
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
    RunsArgument,
    SeedOption,
    SelectOption,
    Source,
    StudyOption,
    WhereOption,
)
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.judging.comparison import Terms
from leanloop.judging.gate import gate_tables, junit, markdown
from leanloop.judging.reading import Selection
from leanloop.report.judged_terminal import show_gate

BaselineRunsOption = Annotated[
    str, typer.Option("--baseline", help="The baseline's runs: a file, a study or a store.")
]
ConfigurationOption = Annotated[
    str | None, typer.Option("--configuration", help="Which one of RUNS, where it has several.")
]
BaselineConfigurationOption = Annotated[
    str | None,
    typer.Option("--baseline-configuration", help="Which one of the baseline's runs."),
]
CostsOption = Annotated[
    str, typer.Option("--costs", help="Costs that count, such as usd,tokens; all when left out.")
]
JunitOption = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML there.")]
MarkdownOption = Annotated[
    Path | None, typer.Option("--markdown", help="Write a summary for a pull request there.")
]


def gate(
    runs: RunsArgument,
    baseline: BaselineRunsOption,
    configuration: ConfigurationOption = None,
    baseline_configuration: BaselineConfigurationOption = None,
    select: SelectOption = "*",
    where: WhereOption = None,
    margin: MarginOption = None,
    cost: CostOption = None,
    costs: CostsOption = "",
    seed: SeedOption = 0,
    study: StudyOption = None,
    split: TableSplitOption = Split.HOLDOUT,
    store: StoreOption = None,
    junit_file: JunitOption = None,
    markdown_file: MarkdownOption = None,
    json: JsonOption = False,
) -> None:
    """Exit with 1 unless success is shown non-inferior and no cost is shown higher."""
    selection = Selection(select, where)
    standard = Source(baseline, selection, study, split, store)
    # What is judged cannot say how much it may lose.
    allowed, said_by = standard.margin(margin)
    with (
        closing(standard.table()) as before,
        closing(Source(runs, selection, study, split, store).table()) as after,
    ):
        found = gate_tables(
            (before, baseline_configuration),
            (after, configuration),
            Terms(allowed, cost, seed, said_by),
            [c.strip() for c in costs.split(",") if c.strip()],
        )
    if junit_file is not None:
        _write(junit_file, junit(found))
    if markdown_file is not None:
        _write(markdown_file, markdown(found))
    if json:
        emit(found)
    else:
        show_gate(answers_console(), found)
    if not found.passed:
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be written") from error
