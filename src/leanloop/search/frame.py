"""A table by columns, which polars and pyarrow take over."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from leanloop.core.errors import BadInputError

if TYPE_CHECKING:
    import polars


class Kind(StrEnum):
    """What a column holds; None is unknown in each."""

    TEXT = "text"
    NUMBER = "number"
    COUNT = "count"
    FLAG = "flag"


POLARS = {Kind.TEXT: "String", Kind.NUMBER: "Float64", Kind.COUNT: "Int64", Kind.FLAG: "Boolean"}
ARROW = {Kind.TEXT: "string", Kind.NUMBER: "float64", Kind.COUNT: "int64", Kind.FLAG: "bool_"}


class Column(msgspec.Struct, frozen=True):
    """One column.

    Attributes:
        name: Its name, with the unit in it.
        kind: The type that it has in every frame, also where nothing in it is known.
        values: One a row; None is unknown, and null in a frame.
    """

    name: str
    kind: Kind
    values: Sequence[Any]


class Frame(msgspec.Struct, frozen=True):
    """Columns of one length, in order.

    Attributes:
        columns: No two of one name.
    """

    columns: tuple[Column, ...]

    def __len__(self) -> int:
        """Rows."""
        return len(self.columns[0].values) if self.columns else 0

    def column(self, name: str) -> Sequence[Any]:
        """The values of a column.

        Raises:
            KeyError: There is no such column.
        """
        return {c.name: c.values for c in self.columns}[name]

    def to_polars(self) -> polars.DataFrame:
        """The frame as a ``polars.DataFrame``.

        Raises:
            BadInputError: polars is not installed; the extra is named.
        """
        pl = _library("polars", "polars")
        own = [pl.Series(c.name, c.values, getattr(pl, POLARS[c.kind])) for c in self.columns]
        made: polars.DataFrame = pl.DataFrame(own)
        return made

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """The frame as a ``pyarrow.Table``.

        Raises:
            BadInputError: pyarrow is not installed; the extra is named.
        """
        pa = _library("pyarrow", "arrow")
        own = {c.name: pa.array(c.values, getattr(pa, ARROW[c.kind])()) for c in self.columns}
        return pa.table(own)


def _library(module: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """A library that only frames need, loaded when one is made."""
    try:
        return import_module(module)
    except ImportError:
        remedy = f"needs {module}: install leanloop with the extra {extra!r}"
        raise BadInputError("frame", remedy) from None
