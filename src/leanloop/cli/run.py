"""Run one configuration on a suite."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from leanloop.cli.memory import check_name
from leanloop.cli.optimize import StudyArgument
from leanloop.cli.options import (
    JsonOption,
    SplitOption,
    StoreOption,
    answers_console,
    emit,
    errors_console,
    store_place,
)
from leanloop.cli.studies import stopped, tell_fetch
from leanloop.cli.study_names import study_file
from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, StoppedError
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.report.terminal import TerminalObserver, describe_member
from leanloop.search.kept_memory import KeptMemory
from leanloop.search.result import Member
from leanloop.search.spec import read_study
from leanloop.search.streams import memory_levers
from leanloop.search.study import Study
from leanloop.search.task_report import say_runs
from leanloop.store.sql import SqlStore

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML of lever settings; the baseline if left out.")
]
MemoryOption = Annotated[
    str | None,
    typer.Option("--memory", help="Carry over what this memory of the store holds, and add to it."),
]


def run(
    study: StudyArgument,
    config: ConfigOption = None,
    split: SplitOption = Split.SEARCH,
    memory: MemoryOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Run one configuration; runs that the store has are not made again."""
    spec = read_study(study_file(study))
    opened = Study(spec)
    configuration = read_configuration(opened, config)
    member, remarks = _run(opened, configuration, (split, memory), store_place(store))
    if json:
        emit(member)
    else:
        text = "\n".join([describe_member(member), *(f"  {said}" for said in remarks)])
        answers_console().print(text, highlight=False, markup=False, soft_wrap=True)


def read_configuration(study: Study, path: Path | None) -> Configuration:
    """The configuration in a TOML file; the study's baseline without one.

    Raises:
        BadInputError: The file cannot be read, or a setting is wrong.
    """
    if path is None:
        return study.configuration(study.spec.baseline, "baseline")
    try:
        return study.configuration(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), f"not TOML: {error}") from error


def _run(
    study: Study,
    configuration: Configuration,
    what: tuple[Split, str | None],
    place: Path | str,
) -> tuple[Member, list[str]]:
    """The configuration's figures, and what should be known of its runs."""
    console, store = errors_console(), SqlStore(place)
    split, name = what
    if name is not None:
        check_name(name, "--memory")
    bound = study.spec.memory.bound
    memory = None if name is None else KeptMemory(store.memory(name), bound)
    before = 0 if memory is None else len(memory)

    def made() -> list[Run]:
        kept = store.runs(study.name_of_runs(memory))
        return [r for r in kept if r.key.configuration_id == configuration.id and r.split is split]

    earlier = None if memory is None else len(made())

    async def go(observer: TerminalObserver) -> Member:
        try:
            return await study.run_one(configuration, split, store, observer, memory=memory)
        finally:
            await study.close()

    try:
        study.load_models(tell_fetch(console))
        with TerminalObserver(console) as observer:
            member = asyncio.run(go(observer))
        runs = made()
        said = [] if memory is None else [_say_memory(memory, configuration, before)]
        if earlier == len(runs):
            said.append(
                f"no run was made now: all {earlier} were made with this memory before; new tasks, "
                "or another name of a memory, make new ones"
            )
        return member, [*say_runs(runs), *said]
    except (KeyboardInterrupt, StoppedError) as ended:
        raise stopped(console, ended) from None
    finally:
        store.close()


def _say_memory(memory: KeptMemory, configuration: Configuration, before: int) -> str:
    if not memory_levers(configuration):
        return f"memory {memory.name!r} was not used: no lever here carries anything over"
    return f"memory {memory.name!r} holds {len(memory)} entries; {before} when this began"
