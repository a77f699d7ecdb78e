"""A study's name where its file was given, and the other way round."""

from __future__ import annotations

import tomllib
from pathlib import Path

from leanloop.core.errors import BadInputError

SUFFIX = ".toml"


def study_name(given: str) -> str:
    """The name of a study, where a command looks for it in a store.

    Args:
        given: The name, or the study's file, which says it.

    Raises:
        BadInputError: It is a file that cannot be read or says no name.
    """
    path = Path(given)
    if path.suffix != SUFFIX:
        return given
    try:
        name = tomllib.loads(path.read_text(encoding="utf-8")).get("name")
    except FileNotFoundError:
        # A study may be called so.
        return given
    except OSError as error:
        raise BadInputError(given, error.strerror or "cannot be read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(given, f"not TOML: {error}") from error
    if not isinstance(name, str):
        raise BadInputError(f"{given}: name", "is missing; a study has one")
    return name


def study_file(given: Path) -> Path:
    """The file of a study, where a command reads it.

    Raises:
        BadInputError: It is not there, and a file beside it looks like what was meant.
    """
    beside = given.with_name(f"{given.name}{SUFFIX}")
    if not given.exists() and beside.is_file():
        raise BadInputError(str(given), f"no such file; did you mean {beside}?")
    if not given.exists() and given.suffix != SUFFIX:
        raise BadInputError(str(given), "no such file; a study's TOML file is wanted, not its name")
    return given
