"""The whole main job on the embedded models and the built-in suite: no key, minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from leanloop.cli.options import JsonOption, StoreOption, store_place
from leanloop.cli.studies import run_study
from leanloop.search.spec import Budget, SearchPlan, StudySpec, SuiteSpec, read_study
from leanloop.search.study import Study

FILE = Path(__file__).parent.parent / "demo.toml"

FullOption = Annotated[bool, typer.Option("--full", help="An hour, for tighter intervals.")]


def full(spec: StudySpec) -> StudySpec:
    """The demo's study with an hour to spend and four times the holdout."""
    options = {**spec.suite.options, "search_tasks": 140, "holdout_tasks": 168}
    return msgspec.structs.replace(
        spec,
        name=f"{spec.name}-full",
        suite=SuiteSpec(spec.suite.name, options),
        budget=Budget(max_runs=10_000, max_wall_s=3500),
        plan=SearchPlan(block=7, proposals=32, finalists=3, reference_tasks=84),
    )


def demo(
    full_length: FullOption = False, store: StoreOption = None, json: JsonOption = False
) -> None:
    """Run the demo's study, or go on with it."""
    spec = read_study(FILE)
    run_study(Study(full(spec) if full_length else spec), store_place(store), as_json=json)
