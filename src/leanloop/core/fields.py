"""Tables of a user's file as types; what is wrong is said of the field, by its name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

import msgspec

from leanloop.core.errors import BadInputError

T = TypeVar("T", bound=msgspec.Struct)

FEW = 12
"""Known names that are all listed when one is unknown."""
PLACE = re.compile(r"^(?P<said>.*?)(?: - at `(?P<key>key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")


def read_fields(
    table: Mapping[str, Any],
    type_: type[T],
    where: str = "",
    *,
    strict: bool = True,
    hidden: Collection[str] = (),
) -> T:
    """A table, with the tables in it, as a type.

    Args:
        table: As the file has it.
        type_: What it is to be.
        where: The name of the table itself; empty for the whole file.
        strict: Whether a text that says a number is none.
        hidden: Fields of the type that are no fields of the file.

    Raises:
        BadInputError: A field is unknown, missing or of another kind; it is named, and
            of an unknown one what it may have meant.
    """
    # Tables before what they are in: an error of msgspec leaves out the names of tables.
    for place, part, kind in _tables(table, type_, where):
        _check_names(part, kind, place, hidden)
        try:
            msgspec.convert(part, kind, strict=strict)
        except msgspec.ValidationError as error:
            raise _wrong(place, str(error)) from error
    return msgspec.convert(table, type_, strict=strict)


def unknown(name: str, known: Collection[str]) -> str:
    """What to say of a name that is none of those known."""
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    listed = f"; there are {', '.join(known)}" if len(known) <= FEW or not near else ""
    return f"no such field{hint}{listed}"


def _tables(
    table: Mapping[str, Any], type_: type[msgspec.Struct], place: str
) -> Iterator[tuple[str, Mapping[str, Any], type[msgspec.Struct]]]:
    for field in msgspec.structs.fields(type_):
        given, kind = table.get(field.encode_name), _table_in(field.type)
        if kind is None or not isinstance(given, dict):
            continue
        own = _joined(place, field.encode_name)
        if not _is_by_name(field.type):
            yield from _tables(given, kind, own)
            continue
        for name, each in given.items():
            if isinstance(each, dict):
                yield from _tables(each, kind, _joined(own, name))
    yield place, table, type_


def _check_names(
    table: Mapping[str, Any], type_: type[msgspec.Struct], place: str, hidden: Collection[str]
) -> None:
    if not type_.__struct_config__.forbid_unknown_fields:
        return
    known = [f for f in type_.__struct_encode_fields__ if place or f not in hidden]
    for name in table:
        if name not in known:
            home = _home(name, type_)
            said = f"no such field here; it belongs in [{home}]" if home else unknown(name, known)
            raise BadInputError(_joined(place, name), said)


def _home(name: str, type_: type[msgspec.Struct]) -> str | None:
    """The table in which the name is a field, where that is one alone."""
    homes = []
    for field in msgspec.structs.fields(type_):
        kind = _table_in(field.type)
        if kind is not None and name in kind.__struct_encode_fields__:
            by_name = ".NAME" if _is_by_name(field.type) else ""
            homes.append(f"{field.encode_name}{by_name}")
    return homes[0] if len(homes) == 1 else None


def _wrong(place: str, said: str) -> BadInputError:
    parts = PLACE.match(said)
    text = parts["said"] if parts else said
    # Where the path has no name for a step, the table is as near as it gets.
    path = (parts["path"] or "").replace("[...]", "").lstrip(".") if parts else ""
    inner = _joined(place, path) if path else place
    missing = MISSING.fullmatch(text)
    if missing:
        return BadInputError(_joined(inner, missing["name"]), "is missing")
    return BadInputError(inner, text[:1].lower() + text[1:])


def _table_in(type_: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401 - any annotation
    for part in (type_, *get_args(type_)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def _is_by_name(type_: Any) -> bool:  # noqa: ANN401 - any annotation
    return getattr(type_, "__origin__", None) is dict


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
