"""A task of Inspect's as a suite."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json
from leanloop.suites.extras import check_installed
from leanloop.suites.options import read_options

if TYPE_CHECKING:
    from leanloop.suites.inspect.samples import InspectSuite

REMEDY = "needs the extra: pip install 'leanloop[inspect]'"


class InspectOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a study may set.

    Attributes:
        task: ``module:function``, ``file.py@task`` or ``package/task``.
        args: What the task's function takes.
        limit: Only the first samples of its dataset, so many; all of them when None.
        scorer: One of its scorers by name; the first when None.
        value: Which value, of a scorer that says several; their mean when None.
        full_score: The number that is full success.
        model: The study's model that the scorer may query, for scorers that query one.
        cluster: A key of the samples' metadata: those with the same value are not
            independent. None when all are.
        family: A key of the samples' metadata, for break-downs.
        seed: Decides the splits and the order in them.
        holdout: The part of the samples that is held out.
        search_tasks: At most so many in the search split; all of them when None.
        holdout_tasks: At most so many in the holdout; all of them when None.
    """

    task: str
    args: dict[str, Json] = {}
    limit: int | None = None
    scorer: str | None = None
    value: str | None = None
    full_score: float = 1.0
    model: str | None = None
    cluster: str | None = None
    family: str | None = None
    seed: int = 0
    holdout: float = 0.4
    search_tasks: int | None = None
    holdout_tasks: int | None = None


def build(options: Mapping[str, object], base: Path) -> InspectSuite:
    """The suite of a study's options.

    Raises:
        BadInputError: An option is wrong, Inspect is not installed, or the task needs what
            cannot be had here.
    """
    check_installed("inspect_ai", "inspect", REMEDY)
    wanted = read_options(options, InspectOptions)
    if wanted.limit is not None and wanted.limit < 1:
        raise BadInputError("suite.options", "limit must be at least 1")
    if wanted.full_score <= 0:
        raise BadInputError("suite.options", "full_score must be above 0")
    # Inspect is slow to load, and only this suite needs it.
    from leanloop.suites.inspect.samples import InspectSuite  # noqa: PLC0415

    return InspectSuite(msgspec.structs.replace(wanted, task=_placed(wanted.task, base)))


def _placed(task: str, base: Path) -> str:
    """A file's task by the file's whole name, where it lies beside the study."""
    file, at, name = task.partition("@")
    here = base / file
    return f"{here}{at}{name}" if file.endswith(".py") and here.is_file() else task
