"""A scripted model for studies over a stream that run as programs of their own."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import msgspec

from leanloop.core.message import AssistantMessage, Request
from leanloop.suites.backoffice.suite import BackofficeOptions, BackofficeSuite
from tests.levers.oracle import Oracle

LOG = "OFFICE_LOG"
OPTIONS = {"seed": 4, "search_tasks": 24, "holdout_tasks": 12, "streams": 1, "distractors": 0}


@functools.cache
def oracle() -> Oracle:
    return Oracle(BackofficeSuite(msgspec.convert(OPTIONS, BackofficeOptions)))


def script(request: Request) -> AssistantMessage:
    said = oracle()(request)
    if not said.tool_calls and LOG in os.environ:
        with Path(os.environ[LOG]).open("a") as log:
            log.write("answered\n")
    return said
