"""Configurations: one setting for every lever."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from leanloop.core.errors import BadInputError

Setting: TypeAlias = str | int | float | bool
"""One value of a lever. Every lever accepts ``"off"``."""

OFF = "off"


class Configuration(Mapping[str, Setting]):
    """One setting for every lever; immutable, with a stable id.

    A lever that is not named is off, and a lever that is set to off is not
    kept: the two are the same configuration with the same id, today and after
    new levers exist.

    Args:
        settings: Lever name to setting.
    """

    __slots__ = ("_id", "_settings")

    def __init__(self, settings: Mapping[str, Setting] | None = None) -> None:
        kept = {k: v for k, v in sorted((settings or {}).items()) if v != OFF}
        self._settings: dict[str, Setting] = kept
        text = json.dumps(kept, separators=(",", ":"), ensure_ascii=False)
        self._id = hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def id(self) -> str:
        """Ten hexadecimal digits that depend on the settings alone."""
        return self._id

    def __getitem__(self, lever: str) -> Setting:
        """The setting of a lever; a lever that is not named is off."""
        return self._settings.get(lever, OFF)

    def __iter__(self) -> Iterator[str]:
        """The levers that are not off, sorted by name."""
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __contains__(self, lever: object) -> bool:
        return lever in self._settings

    def __hash__(self) -> int:
        return hash(self._id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Configuration) and self._id == other._id

    def __repr__(self) -> str:
        return f"Configuration({self._settings!r})"

    def __str__(self) -> str:
        return " ".join(f"{k}={v}" for k, v in self._settings.items()) or "all off"

    def changed(self, changes: Mapping[str, Setting]) -> Configuration:
        """A copy with some settings changed."""
        return Configuration({**self._settings, **changes})

    def to_nested(self) -> dict[str, dict[str, Setting]]:
        """Settings as component to lever to value: the shape of its TOML file."""
        nested: dict[str, dict[str, Setting]] = {}
        for name, value in self._settings.items():
            component, _, lever = name.partition(".")
            nested.setdefault(component, {})[lever] = value
        return nested


def flatten_settings(table: Mapping[str, object], where: str) -> dict[str, object]:
    """Read ``memory.keep_observations = 2`` written as a dotted key or as tables.

    Args:
        table: What a TOML reader made of it.
        where: The file and field, for the error message.

    Raises:
        BadInputError: A lever is named without its component.
    """
    flat: dict[str, object] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{lever}": setting for lever, setting in value.items()}
        elif "." in name:
            flat[name] = value
        else:
            raise BadInputError(
                f"{where}.{name}", "a lever is named component.lever, such as stopping.max_steps"
            )
    return flat
