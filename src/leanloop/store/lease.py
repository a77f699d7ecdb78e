"""Who is making a run, and until when nobody else may."""

from __future__ import annotations

import os
import socket
import uuid

import msgspec


class Lease(msgspec.Struct, frozen=True):
    """A claim on runs that are being made.

    Attributes:
        owner: As ``new_owner`` gives it.
        until: Unix seconds at which it runs out if it is not renewed. The clocks of
            machines that share a store may differ by less than a lease lasts.
    """

    owner: str
    until: float


def new_owner() -> str:
    """A name for this process that no other has: machine, process, and a random part."""
    return f"{_machine()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def is_gone(owner: str) -> bool:
    """Whether an owner is known to be dead; False where that cannot be told from here."""
    machine, process, _ = owner.rsplit("/", 2)
    if machine != _machine():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _machine() -> str:
    # The network address tells containers apart that were given one name.
    return f"{socket.gethostname()}-{uuid.getnode():x}"
