"""Run a study, or go on with it: search, then the holdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leanloop.cli.options import JsonOption, StoreOption, store_place
from leanloop.cli.studies import run_study
from leanloop.cli.study_names import study_file
from leanloop.search.spec import read_study
from leanloop.search.study import Study

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY.toml")]
UsdOption = Annotated[float | None, typer.Option("--max-usd", min=0, help="Cap in dollars.")]
RunsOption = Annotated[int | None, typer.Option("--max-runs", min=1, help="Cap on search runs.")]


ExecutorOption = Annotated[
    str, typer.Option("--executor", help="local, or ray: this machine or the cluster RAY_ADDRESS.")
]


def optimize(
    study: StudyArgument,
    max_usd: UsdOption = None,
    max_runs: RunsOption = None,
    executor: ExecutorOption = "local",
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Run a study to its result."""
    spec = read_study(study_file(study))
    budget = spec.budget
    if max_usd is not None:
        budget = msgspec.structs.replace(budget, max_usd=max_usd)
    if max_runs is not None:
        budget = msgspec.structs.replace(budget, max_runs=max_runs)
    spec = msgspec.structs.replace(spec, budget=budget)
    run_study(Study(spec), store_place(store), as_json=json, executor=executor)
