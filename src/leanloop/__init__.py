"""leanloop finds the cheapest configuration of an LLM agent that still does its job.

The names here are the public ones; everything else may move.
"""

from importlib import import_module

# typing's own is slow to load, and until a command has begun Ctrl-C would print a traceback.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from leanloop.core.configuration import Configuration as Configuration
    from leanloop.search.result import Result as Result
    from leanloop.search.run_frame import runs_of_study as runs_of_study
    from leanloop.search.spec import StudySpec as StudySpec
    from leanloop.search.study import Study as Study
    from leanloop.store.sql import SqlStore as SqlStore
    from leanloop.suites.case import Case as Case
    from leanloop.suites.function_tools import FunctionTools as FunctionTools

__version__ = "0.1.0"

_HOMES = {
    "Case": "leanloop.suites.case",
    "Configuration": "leanloop.core.configuration",
    "FunctionTools": "leanloop.suites.function_tools",
    "Result": "leanloop.search.result",
    "SqlStore": "leanloop.store.sql",
    "Study": "leanloop.search.study",
    "StudySpec": "leanloop.search.spec",
    "runs_of_study": "leanloop.search.run_frame",
}


def __getattr__(name: str) -> "Any":  # noqa: ANN401 - whichever public name it is
    """Load a public name when it is first used, so that the import itself costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'leanloop' has no attribute {name!r}")
