"""What pads a record: fields that no task needs, and a long free text."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from leanloop.suites.backoffice.history import FIELD, history_log
from leanloop.suites.backoffice.world import Record

NOISE_FIELDS = (
    "record_version",
    "last_synced",
    "external_ref",
    "audit_note",
    "checksum",
    "source_system",
    "retention_class",
    "locale",
)


@dataclass(frozen=True)
class Noise:
    """How much every record is padded.

    Args:
        fields: Short fields, 0 to 8.
        characters: About how long the field of free text is; no such field at 0.
    """

    fields: int = 0
    characters: int = 0


def with_noise(record: Record, noise: Noise, seed: str) -> Record:
    """The record with fields that no task needs, the same ones at every reading."""
    key = str(next(iter(record.values())))
    padded = record | _short_fields(noise.fields, seed + key)
    if noise.characters:
        padded[FIELD] = history_log(seed, key, noise.characters)
    return padded


def _short_fields(count: int, seed: str) -> Record:
    if not count:
        return {}
    rng = random.Random(seed)  # noqa: S311 - noise, not a secret
    makers: dict[str, Callable[[], object]] = {
        "record_version": lambda: rng.randint(2, 99),
        "last_synced": lambda: f"2026-0{rng.randint(1, 9)}-{rng.randint(10, 28)}",
        "external_ref": lambda: f"{rng.getrandbits(32):08x}",
        "audit_note": lambda: rng.choice(("checked by facilities", "imported, not reviewed")),
        "checksum": lambda: f"{rng.getrandbits(48):012x}",
        "source_system": lambda: rng.choice(("legacy-erp", "crm-eu", "sheet-import")),
        "retention_class": lambda: rng.choice(("R3", "R7", "R10")),
        "locale": lambda: rng.choice(("en_GB", "de_DE", "fr_FR")),
    }
    return {name: makers[name]() for name in NOISE_FIELDS[:count]}
