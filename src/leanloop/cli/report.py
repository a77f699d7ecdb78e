"""Write a study's result as one HTML file that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leanloop.cli.options import JsonOption, StoreOption, answers_console, emit, store_place
from leanloop.cli.studies import saved_result
from leanloop.cli.study_names import study_name
from leanloop.report.html import write_report

NameArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="The study's name, or its file.")
]
OutOption = Annotated[Path | None, typer.Option("--out", "-o", help="STUDY.html when left out.")]


def report(
    study: NameArgument, out: OutOption = None, store: StoreOption = None, json: JsonOption = False
) -> None:
    """Write the report of a study that has a result."""
    name = study_name(study)
    result = saved_result(name, store_place(store))
    page = out or Path(f"{name}.html")
    write_report(result, page)
    if json:
        emit({"report": str(page), "result": result})
    else:
        answers_console().print(f"Report: {page}", highlight=False, soft_wrap=True)
