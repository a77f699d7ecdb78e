"""How the commands run a study, and find what it found."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer
from rich.console import Console
from rich.progress_bar import ProgressBar

from leanloop.cli.options import answers_console, emit, errors_console
from leanloop.core.errors import BadInputError, StoppedError
from leanloop.models.weights import Progress as FetchProgress
from leanloop.report.html import write_report
from leanloop.report.terminal import TerminalObserver, show_result
from leanloop.search.executors import build_executor
from leanloop.search.result import Result
from leanloop.search.stored_runs import result_of_study
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore


def tell_fetch(console: Console) -> FetchProgress:
    """Shows how far a download of weights is: a bar on a terminal, a line a part elsewhere."""
    bar = ProgressBar(total=1, width=30)

    def tell(what: str, done: int, total: int) -> None:
        bar.update(done, total)
        line = f"{what}: {done / 1e6:.0f} of {total / 1e6:.0f} MB"
        if console.is_terminal:
            console.print(bar, line, end="\n" if done >= total else "\r", highlight=False)
        else:
            console.print(line, highlight=False, soft_wrap=True)

    return tell


def stopped(console: Console, ended: BaseException) -> typer.Exit:
    """Says that runs were stopped, and by whom where that is known; what to raise then."""
    by = f" ({ended})" if str(ended) else ""
    console.print(f"leanloop: stopped; finished runs are kept, run it again to go on{by}")
    return typer.Exit(130)


def run_study(study: Study, place: Path | str, *, as_json: bool, executor: str = "local") -> Result:
    """Run a study to its result; print it, keep it, and write its report beside the store."""
    console = errors_console()
    store = SqlStore(place)

    async def go(observer: TerminalObserver) -> Result:
        try:
            return await study.optimize(store, observer, build_executor(executor, study, store))
        finally:
            await study.close()

    try:
        if executor == "local":
            study.load_models(tell_fetch(console))
        with TerminalObserver(console) as observer:
            result = asyncio.run(go(observer))
    except BaseExceptionGroup as group:
        raise _bad_input(group) from None
    except (KeyboardInterrupt, StoppedError) as ended:
        raise stopped(console, ended) from None
    finally:
        store.close()
    page = (place.parent if isinstance(place, Path) else Path()) / f"{study.spec.name}.html"
    write_report(result, page)
    if as_json:
        emit(result)
    else:
        show_result(answers_console(), result)
    console.print(f"Report: {page}", highlight=False, soft_wrap=True)
    return result


def saved_result(name: str, place: Path | str) -> Result:
    """What a study found last.

    Raises:
        BadInputError: There is no such store or study, or it has no result yet.
    """
    if isinstance(place, Path) and not place.exists():
        raise BadInputError(str(place), "no such store; --store names another")
    store = SqlStore(place)
    try:
        return result_of_study(store, name)
    finally:
        store.close()


def _bad_input(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The bad input in a group of errors, or else the group."""
    matching = group.subgroup(BadInputError)
    while isinstance(matching, BaseExceptionGroup):
        first = matching.exceptions[0]
        if not isinstance(first, BaseExceptionGroup):
            return first
        matching = first
    return group
