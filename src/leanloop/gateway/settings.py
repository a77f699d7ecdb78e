"""What a gateway is told to do, as its TOML file says it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from leanloop.core.configuration import Configuration, flatten_settings
from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.gateway.acting import STABLE, acting, with_stable_prefix
from leanloop.gateway.canary import CanaryPlan
from leanloop.gateway.caps import Cap, read_caps
from leanloop.levers.builtin import all_levers, find_lever
from leanloop.models.builtin import ModelSpec

TABLES = ("models", "caps", "canary")
"""Tables of the file that are no levers."""


class GatewaySettings(msgspec.Struct, frozen=True):
    """What a gateway does with what passes it.

    Attributes:
        configuration: The levers that are on.
        refused: Levers of the file that cannot act at a gateway, and why.
        models: Names for models, with their addresses and prices.
        caps: What may be spent.
        canary: A new configuration for a share of sessions; None for none.
        canary_configuration: Its levers.
    """

    configuration: Configuration = Configuration()
    refused: dict[str, str] = {}
    models: dict[str, ModelSpec] = {}
    caps: tuple[Cap, ...] = ()
    canary: CanaryPlan | None = None
    canary_configuration: Configuration = Configuration()


def read_settings(path: Path) -> GatewaySettings:
    """Read a gateway's TOML file: a configuration's, and perhaps models, caps and canary.

    Raises:
        BadInputError: The file cannot be read, or something in it is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(str(path), error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(str(path), f"not TOML: {error}") from None
    return settings_of(table, str(path))


def settings_of(table: Mapping[str, Any], where: str) -> GatewaySettings:
    """The settings of a table.

    Args:
        table: As TOML has it.
        where: The file, for the error message.

    Raises:
        BadInputError: Something in it is wrong; the field is named.
    """
    levers = {k: v for k, v in table.items() if k not in TABLES}
    configuration, refused = _configuration(levers, where)
    models = _converted(table.get("models", {}), dict[str, ModelSpec], f"{where}: models")
    caps = table.get("caps", {})
    if not isinstance(caps, dict):
        raise BadInputError(f"{where}: caps", "takes bounds such as session.usd = 2")
    canary, new = None, Configuration()
    if "canary" in table:
        canary = _converted(table["canary"], CanaryPlan, f"{where}: canary")
        if not 0 < canary.share <= 1 or not 0 <= canary.margin < 1 or not 0 < canary.level < 1:
            raise BadInputError(f"{where}: canary", "share and level take more than 0, to 1")
        new, more = _configuration(canary.levers, f"{where}: canary.levers")
        refused |= more
        if new == configuration:
            whys = [f"{name} cannot act here: {why}" for name, why in more.items()]
            problem = "; ".join(whys) or "is what all sessions run already"
            raise BadInputError(f"{where}: canary.levers", problem)
    return GatewaySettings(
        configuration, refused, models, read_caps(caps, f"{where}: caps"), canary, new
    )


def _configuration(table: Mapping[str, Any], where: str) -> tuple[Configuration, dict[str, str]]:
    flat = flatten_settings(table, where)
    settings = {
        name: check_setting(name, find_lever(name, where).card.domain, value, where)
        for name, value in flat.items()
    }
    configuration, refused = acting(Configuration(settings), all_levers())
    return with_stable_prefix(configuration, said=STABLE in flat), refused


def _converted(value: Any, kind: Any, where: str) -> Any:  # noqa: ANN401 - as msgspec has it
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadInputError(where, str(error)) from None
