"""The simulated APIs of one run."""

from __future__ import annotations

import copy
import decimal
import json
from collections.abc import Mapping, Sequence
from typing import Any

from leanloop.core.message import Json
from leanloop.suites.bfcl.package import BACKENDS, part
from leanloop.suites.bfcl.records import STATELESS, Record, TrueCall

BOUNDS = {"precision": 1000, "exponent": 10_000}
"""The simulated mathematics would compute for hours, in this process, beyond these."""


class World:
    """Instances of the APIs of an entry, in the state that it starts in.

    Args:
        record: The entry.

    Raises:
        BadInputError: The package is not installed.
    """

    def __init__(self, record: Record) -> None:
        self.instances: dict[str, Any] = {}
        self._owner: dict[str, Any] = {}
        for api in record.classes:
            instance = simulated(api)()
            if api not in STATELESS:
                instance._load_scenario(
                    copy.deepcopy(record.config.get(api, {})),
                    long_context=record.category == "long_context",
                )
                # What makes the context long is shared by all that load it.
                instance = copy.deepcopy(instance)
            self.instances[api] = instance
            for name in dir(instance):
                if not name.startswith("_") and callable(getattr(instance, name)):
                    self._owner[name] = instance

    def carry_out(
        self, name: str, positional: Sequence[Json], named: Mapping[str, Json]
    ) -> tuple[str, bool]:
        """Call a function; its result as the benchmark writes it, and whether it failed.

        Args:
            name: A public function of one of the APIs.
            positional: Arguments without a name.
            named: Arguments by name.
        """
        try:
            check_bounds(named)
            # The simulated mathematics sets the precision of all decimals.
            with decimal.localcontext():
                result = getattr(self._owner[name], name)(
                    *copy.deepcopy(positional), **copy.deepcopy(dict(named))
                )
            return _written(result), isinstance(result, dict) and set(result) == {"error"}
        except Exception as error:  # whatever a wrong argument leads to is a result
            return f"Error during execution: {error}", True

    def follow(self, calls: Sequence[TrueCall]) -> list[str]:
        """Make calls of the ground truth; their results."""
        return [self.carry_out(c.name, c.positional, c.named)[0] for c in calls]


def simulated(api: str) -> Any:  # noqa: ANN401 - the package has no types
    """The class of a simulated API.

    Raises:
        BadInputError: The package, or one that this API needs, is not installed.
    """
    return getattr(part(part(BACKENDS).CLASS_FILE_PATH_MAPPING[api]), api)


def check_bounds(arguments: Mapping[str, Json]) -> None:
    """Refuse numbers that would be computed for hours."""
    for name, bound in BOUNDS.items():
        value = arguments.get(name)
        if isinstance(value, int | float) and abs(value) > bound:
            raise ValueError(f"{name} must be at most {bound}")


def _written(result: object) -> str:
    if isinstance(result, str):
        return result
    if isinstance(result, dict):
        try:
            return json.dumps(result)
        except (TypeError, ValueError):
            return str(result)
    return str(result)
