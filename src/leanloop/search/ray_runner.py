"""Runs on many machines, through Ray: workers make them, the study's own process records them."""

from __future__ import annotations

import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError, SpentError
from leanloop.core.run import Run, RunKey, Status
from leanloop.core.task import Task
from leanloop.models.builtin import HOSTED, ModelSpec
from leanloop.search.orders import Orders
from leanloop.search.protocol import Runner
from leanloop.search.purse import Purse, pay_from
from leanloop.search.spec import StudySpec
from leanloop.search.study import Study
from leanloop.store.sql import open_store

RETRIES = 5
"""Workers that a run may lose before it counts as an outage."""


class Site(NamedTuple):
    """What a worker needs to make a study's runs.

    Attributes:
        spec_json: The study's own description, whole.
        store: Address of the store, where calls are paid; may hold a password.
    """

    spec_json: str
    store: str

    def __repr__(self) -> str:
        """Without the address: it may hold a password."""
        return "Site(...)"


class RayRunner:
    """Has runs made by Ray's workers: on this machine, or on the cluster of ``RAY_ADDRESS``.

    There is a worker a processor. It builds the study's suite and models once, and makes
    several runs at once where its models answer elsewhere. A run whose worker dies is
    made again. Keys of providers are not sent along: each machine has them in its own
    environment.

    Args:
        site: What a worker needs.

    Raises:
        BadInputError: Ray is not installed or cannot be reached.
    """

    def __init__(self, site: Site) -> None:
        # Ray would otherwise report its use to its makers.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if "RAY_ADDRESS" not in os.environ:
            # A Ray that is started here listens on loopback only; the name is Ray's own.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray  # noqa: PLC0415 - an extra, and slow to load
        except ModuleNotFoundError:
            raise BadInputError(
                "--executor", "ray needs Ray: install leanloop with the extra 'ray'"
            ) from None
        self._ray = ray
        self._start()
        processors = _processors(ray)
        spec = msgspec.json.decode(site.spec_json, type=StudySpec)
        inside = [_computes_here(m) for m in spec.models.values()]
        each = [
            processors if here else model.requests_at_once
            for here, model in zip(inside, spec.models.values(), strict=True)
        ]
        self._concurrency = max(1, min(each))
        count = min(processors, self._concurrency)
        shared = site._replace(spec_json=msgspec.json.encode(_shared(spec, count)).decode())
        # A worker whose models compute inside it makes one run at a time.
        options = {"num_cpus": 1, "max_restarts": -1, "max_task_retries": RETRIES}
        options["max_concurrency"] = 1 if any(inside) else self._concurrency
        maker = ray.remote(Maker).options(**options)
        self._makers: list[Any] = [maker.remote(shared) for _ in range(count)]
        self._under_way = [0] * count

    @property
    def concurrency(self) -> int:
        """As many runs at once as the models take requests; one a processor where they compute."""
        return self._concurrency

    async def run(self, configuration: Configuration, task: Task) -> Run:
        """Have one run made.

        Raises:
            SpentError: The dollar cap is reached.
            BadInputError: A worker cannot build the study.
        """
        started_at = time.time()
        errors = self._ray.exceptions
        at = min(range(len(self._makers)), key=lambda i: self._under_way[i])
        self._under_way[at] += 1
        try:
            kind, told = await self._makers[at].make.remote(dict(configuration), task)
        except errors.RayTaskError as error:
            raise BadInputError("--executor ray", f"a worker failed: {error.cause!r}") from None
        except errors.RayError as error:
            reason = f"{RETRIES + 1} workers died on it: {type(error).__name__}"
            return _lost(RunKey(configuration.id, task.task_id), task, started_at, reason)
        finally:
            self._under_way[at] -= 1
        if kind == "spent":
            raise SpentError(told)
        if kind == "bad input":
            raise BadInputError("--executor ray", told)
        return msgspec.json.decode(told, type=Run)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()

    def _start(self) -> None:
        if self._ray.is_initialized():
            return
        address = os.environ.get("RAY_ADDRESS")
        paths = os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])
        here: dict[str, Any] = {
            "address": "local",
            "include_dashboard": False,
            "runtime_env": {"env_vars": {"PYTHONPATH": paths}},
        }
        where = {"address": address} if address else here
        try:
            self._ray.init(log_to_driver=False, logging_level=logging.ERROR, **where)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BadInputError("--executor ray", f"no cluster: {error}") from None


class Maker:
    """A worker: its own copy of a study's suite and models, and the store that it pays into.

    Args:
        site: What it needs.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._runner: Runner | None = None

    async def make(self, settings: dict[str, Any], task: Task) -> tuple[str, Any]:
        """Make one run; errors that a user can mend come back as what they say."""
        try:
            if self._runner is None:
                self._runner = _runner(self._site)
            made = await self._runner.run(Configuration(settings), task)
        except SpentError as error:
            return "spent", str(error)
        except BadInputError as error:
            return "bad input", str(error)
        return "run", msgspec.json.encode(made)


def _runner(site: Site) -> Runner:
    study = Study(msgspec.json.decode(site.spec_json, type=StudySpec))
    store, name = open_store(site.store), study.spec.name
    purse = Purse(study.spec.budget.max_usd, partial(store.pay, name))
    purse.look = partial(store.paid, name)
    orders = Orders(name, store, study.spec.budget.max_usd)
    purse.raised = partial(orders.max_usd, now=True)
    return pay_from(study.runner(), study.prices, purse)


def _computes_here(model: ModelSpec) -> bool:
    """Whether a model takes the processor of the worker that calls it."""
    return model.provider not in HOSTED and model.concurrency is None


def _processors(ray: Any) -> int:  # noqa: ANN401 - an extra's module
    resources: dict[str, float] = ray.cluster_resources()
    return max(1, int(resources.get("CPU", 1)))


def _shared(spec: StudySpec, workers: int) -> StudySpec:
    """The study of one of some workers: each has its share of what may be sent a minute."""

    def share(rate: float | None) -> float | None:
        return None if rate is None else rate / workers

    models = {
        name: msgspec.structs.replace(
            m,
            requests_per_minute=share(m.requests_per_minute),
            tokens_per_minute=share(m.tokens_per_minute),
        )
        for name, m in spec.models.items()
    }
    return msgspec.structs.replace(spec, models=models)


def _lost(key: RunKey, task: Task, started_at: float, reason: str) -> Run:
    return Run(
        key=key,
        split=task.split,
        status=Status.OUTAGE,
        success=None,
        steps=(),
        wall_s=time.time() - started_at,
        critical_path_s=0.0,
        started_at=started_at,
        reason=reason,
        cluster=task.cluster,
    )
