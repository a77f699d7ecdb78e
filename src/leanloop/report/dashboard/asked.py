"""What a person asks of a study on the page: pause, resume, stop, or a higher cap."""

from __future__ import annotations

from typing import Literal

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.report.dashboard.board import Document
from leanloop.store.protocol import Asked, Store

STATES: dict[str, Asked] = {"pause": "pause", "resume": "run", "stop": "stop"}
LARGEST = 10**9
"""Of dollars or runs; more is a slip."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked.

    Attributes:
        action: What to do.
        max_usd: With ``raise``: the cap in dollars; None to leave it.
        max_runs: With ``raise``: the cap on runs of the search; None to leave it.
    """

    action: Literal["pause", "resume", "stop", "raise"]
    max_usd: float | None = None
    max_runs: int | None = None


def carry_out(order: Order, store: Store, study: str, head: Document) -> None:
    """Put into the store what is asked.

    Args:
        order: What.
        store: Where the study is.
        study: Its name.
        head: How it stands, as its board says.

    Raises:
        BadInputError: It cannot be done; the field is named.
    """
    if order.action != "raise":
        if head["state"] in ("done", "stopped", "ended"):
            raise BadInputError(order.action, "no process runs this study now")
        store.ask(study, STATES[order.action])
        return
    if order.max_usd is None and order.max_runs is None:
        raise BadInputError("raise", "takes max_usd, max_runs, or both")
    _check("max_usd", order.max_usd, head["max_usd"], head["spent_usd"])
    _check("max_runs", order.max_runs, head["max_runs"], head["search_runs"])
    store.raise_caps(study, order.max_usd, order.max_runs)


def _check(name: str, asked: float | None, now: float | None, spent: float) -> None:
    if asked is None:
        return
    if now is None:
        raise BadInputError(name, "the study has no such cap")
    if not now < asked <= LARGEST or asked < spent:
        raise BadInputError(name, f"a cap is only raised: name more than {now:g}")
