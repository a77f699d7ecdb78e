"""Keeps secrets off the page, wherever they turn up."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from leanloop.models.builtin import ModelSpec

CREDENTIALS = re.compile(rb"(://)[^/\s\"@\\]{1,300}@")
"""What stands before the host of an address: a name, and perhaps a password."""
KEYS = re.compile(rb"\b(?:sk|pk|rk|ghp|xox[bap])[-_][A-Za-z0-9_-]{16,}")
"""What looks like a key of the usual providers."""
SHORTEST = 6
"""Characters of a secret that is looked for by its value; a shorter one would hit words."""
HIDDEN = b"***"


class Redaction:
    """Takes secrets out of documents.

    Args:
        secrets: Texts that must not be shown.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {json.dumps(s, ensure_ascii=a)[1:-1] for s in secrets for a in (True, False)}
        known = sorted((f.encode() for f in forms if len(f) >= SHORTEST), key=len, reverse=True)
        self._known = re.compile(b"|".join(map(re.escape, known))) if known else None

    def __repr__(self) -> str:
        return "Redaction(...)"

    def clean(self, document: bytes) -> bytes:
        """A JSON document without secrets."""
        if self._known is not None:
            document = self._known.sub(HIDDEN, document)
        if b"://" in document:
            document = CREDENTIALS.sub(rb"\1" + HIDDEN + b"@", document)
        return KEYS.sub(HIDDEN, document)

    def plain(self, value: object) -> object:
        """What can be written as JSON, without secrets."""
        found: object = msgspec.json.decode(self.clean(msgspec.json.encode(value)))
        return found


def secrets_of(models: Mapping[str, ModelSpec]) -> list[str]:
    """What of a study's models is secret: their keys, and passwords in their addresses."""
    found = []
    for model in models.values():
        if model.api_key_env:
            found.append(os.environ.get(model.api_key_env, ""))
        try:
            parts = urlsplit(model.base_url or "")
        except ValueError:
            continue
        found += [parts.password or "", parts.query]
    return [s for s in found if s]
