"""Where a study's runs are made: here, or on many machines."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.search.protocol import Runner
from leanloop.search.ray_runner import RayRunner, Site
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore


def build_executor(name: str, study: Study, store: SqlStore) -> Runner:
    """What makes a study's runs.

    Args:
        name: A key of ``BUILT_IN``.
        study: Read from a file: its suite and models are built anew on each machine.
        store: Where runs are recorded and calls are paid.

    Raises:
        BadInputError: There is no such executor, or it cannot be had here.
    """
    maker = BUILT_IN.get(name)
    if maker is None:
        raise BadInputError("--executor", f"no executor {name!r}; there are {', '.join(BUILT_IN)}")
    return maker(study, store)


def _local(study: Study, _store: SqlStore) -> Runner:
    return study.runner()


def _ray(study: Study, store: SqlStore) -> Runner:
    if study.recorded is not None:
        return study.runner()
    if study.spec.agent.is_outside:
        raise BadInputError("--executor ray", "runs leanloop's own agent alone")
    return RayRunner(Site(msgspec.json.encode(study.spec).decode(), store.address))


BUILT_IN: dict[str, Callable[[Study, SqlStore], Runner]] = {"local": _local, "ray": _ray}
"""Executor name to what builds it."""
