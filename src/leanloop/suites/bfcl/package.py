"""The benchmark's own package: its data, its simulated APIs and its checks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leanloop.core.errors import BadInputError
from leanloop.core.message import Json
from leanloop.suites.extras import needed

REMEDY = (
    "needs the package bfcl-eval; its own pins do not fit, so install it without them: "
    "pip install --no-deps bfcl-eval mpmath"
)
CHECKER = "bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker"
BACKENDS = "bfcl_eval.constants.executable_backend_config"
PROMPTS = "bfcl_eval.constants.default_prompts"


def part(module: str) -> Any:  # noqa: ANN401 - the package has no types
    """A module of the package.

    Raises:
        BadInputError: The package, or one that this module needs, is not installed.
    """
    return needed(module, "bfcl", REMEDY)


def read_lines(name: str) -> Sequence[dict[str, Json]]:
    """The records of a file of the package's data.

    Args:
        name: Its path below the data folder.

    Raises:
        BadInputError: The package is missing, or has no such file.
    """
    path = Path(str(part("bfcl_eval").__file__)).parent / "data" / name
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError("suite bfcl", f"this bfcl-eval has no {name}: {error}") from error
    return [json.loads(line) for line in text.splitlines() if line.strip()]
