"""States of llama.cpp on disk, each behind a prefix that many prompts share."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Protocol
from urllib.request import Request, urlopen

from leanloop.models.weights import weights_folder

KEPT = 8
"""States of a model that are kept; those not used for longest go first."""
TIMEOUT_S = 60.0


class Evaluate(Protocol):
    """Lets llama.cpp read a prompt and write nothing."""

    def __call__(self, prompt: str) -> None:
        """Read the prompt."""


def state_folder(weights: Path, context_tokens: int) -> Path:
    """Where a model's states are kept; they fit no other file of weights and no other context.

    Args:
        weights: The GGUF file.
        context_tokens: The longest conversation.
    """
    stat = weights.stat()
    what = f"{weights.resolve()}/{stat.st_size}/{stat.st_mtime_ns}/{context_tokens}"
    return weights_folder().parent / "states" / hashlib.sha256(what.encode()).hexdigest()[:16]


class SavedPrefixes:
    """Saves the state behind a prefix once, and brings it back when another prompt came between.

    Args:
        folder: Where llama.cpp was told to keep states.
        address: Base URL of its server, and the key.
    """

    def __init__(self, folder: Path, address: Callable[[], tuple[str, str]]) -> None:
        self._folder = folder
        self._address = address
        self._held: str | None = None

    def ready(self) -> bool:
        """Whether there is a place to keep states; without one nothing is saved."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            return False
        return True

    def forget(self) -> None:
        """Another prompt has been read: nothing is known of what llama.cpp holds."""
        self._held = None

    def warm(self, prefix: str, evaluate: Evaluate) -> None:
        """See that llama.cpp holds the prefix, from its own last prompt, from disk, or anew."""
        name = hashlib.sha256(prefix.encode()).hexdigest()[:24]
        if self._held == name:
            return
        path = self._folder / name
        if not (path.is_file() and self._slot("restore", name)):
            evaluate(prefix)
            if self._slot("save", f"{name}.{os.getpid()}"):
                # Whole or not at all: another process may be saving the same one.
                (self._folder / f"{name}.{os.getpid()}").replace(path)
        if path.is_file():
            os.utime(path)
        self._held = name
        self._let_go()

    def _slot(self, action: str, name: str) -> bool:
        url, key = self._address()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        body = json.dumps({"filename": name}).encode()
        asked = Request(f"{url}/slots/0?action={action}", body, headers)  # noqa: S310 - ours
        try:
            with urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310 - this process' own server
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def _let_go(self) -> None:
        def last_used(path: Path) -> float:
            try:
                return path.stat().st_mtime
            except OSError:
                return 0.0

        states = sorted(self._folder.iterdir(), key=last_used)
        for path in states[: max(len(states) - KEPT, 0)]:
            path.unlink(missing_ok=True)
