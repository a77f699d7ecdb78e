"""Look at what agents have learned, and change it."""

from __future__ import annotations

import enum
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from leanloop.cli.options import JsonOption, StoreOption, answers_console, emit, store_place
from leanloop.core.errors import BadInputError
from leanloop.core.memory import Entry, Forget, Origin, Put
from leanloop.store.memory import SqlMemory
from leanloop.store.sql import SqlStore

BOUND = 1000


class Action(enum.StrEnum):
    """What to do."""

    LIST = "list"
    SHOW = "show"
    FORGET = "forget"
    EXPORT = "export"
    IMPORT = "import"


class MemoryLine(msgspec.Struct, frozen=True):
    """A memory in the list of all.

    Attributes:
        name: Its name.
        entries: What it holds.
        demoted: How many of these were shown to hurt.
    """

    name: str
    entries: int
    demoted: int


ActionArgument = Annotated[Action, typer.Argument(help="What to do.")]
NameArgument = Annotated[str | None, typer.Argument(metavar="[MEMORY]", help="Which one.")]
EntriesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ENTRY…]", help="Ids, as list gives them.")
]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="JSONL, one entry a line; for export and import.")
]
BoundOption = Annotated[int, typer.Option("--bound", min=1, help="Entries after an import.")]


def memory(
    action: ActionArgument,
    name: NameArgument = None,
    entries: EntriesArgument = None,
    file: FileOption = None,
    bound: BoundOption = BOUND,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """List, show, forget, export or import what agents carry from task to task."""
    place = store_place(store)
    if isinstance(place, Path) and not place.exists() and action is not Action.IMPORT:
        raise BadInputError(str(place), "no such store; --store names another")
    opened = SqlStore(place)
    try:
        if name is None:
            _list_all(opened, action, json=json)
            return
        if action is not Action.IMPORT and name not in opened.memories():
            known = ", ".join(opened.memories()) or "none"
            raise BadInputError(f"memory {name!r} in {opened.place}", f"is not there; {known} are")
        kept = opened.memory(name)
        if action is Action.IMPORT:
            _import(kept, file, bound)
        elif action is Action.FORGET:
            _forget(kept, entries or [], bound)
        else:
            _show(kept, action, entries or [], (file, json))
    finally:
        opened.close()


def _list_all(store: SqlStore, action: Action, *, json: bool) -> None:
    if action is not Action.LIST:
        raise BadInputError("MEMORY", f"is missing: {action} which memory?")
    lines = []
    for name in store.memories():
        found = _entries(store.memory(name))
        lines.append(MemoryLine(name, len(found), sum(e.trust.demoted for e in found)))
    if json:
        emit(lines)
        return
    table = Table("memory", "entries", "demoted")
    for line in lines:
        table.add_row(line.name, str(line.entries), str(line.demoted))
    answers_console().print(table)


def _show(
    kept: SqlMemory, action: Action, ids: Sequence[str], out: tuple[Path | None, bool]
) -> None:
    file, json = out
    found = _entries(kept)
    missing = set(ids) - {e.entry_id for e in found}
    if missing:
        raise BadInputError(f"memory {kept.name!r}", f"has no entry {min(missing)!r}")
    found = [e for e in found if not ids or e.entry_id in ids]
    if action is Action.EXPORT:
        if file is None:
            raise BadInputError("--file", "is missing: where to?")
        file.write_bytes(b"".join(msgspec.json.encode(e) + b"\n" for e in found))
    elif json:
        emit(found)
    elif action is Action.LIST:
        answers_console().print(_table(found))
    else:
        for entry in found:
            text = msgspec.json.format(msgspec.json.encode(entry), indent=1).decode()
            answers_console().print(f"{entry.entry_id}\n{text}", highlight=False, markup=False)


def _table(entries: Sequence[Entry]) -> Table:
    table = Table("entry", "version", "what", "from", "used", "solved", "without it", "")
    for e in entries:
        t = e.trust
        without = f"{t.solved_without:g} of {t.withheld}"
        origin = e.origin.task_id or e.origin.split or "unknown"
        row = (e.entry_id, str(e.version), f"{e.name}: {e.cue}"[:60], origin, str(t.used))
        table.add_row(*row, f"{t.solved:g}", without, "demoted" if t.demoted else "")
    return table


def _forget(kept: SqlMemory, ids: Sequence[str], bound: int) -> None:
    known = {e.entry_id for e in _entries(kept)}
    missing = set(ids) - known
    if missing or not ids:
        which = f"no entry {min(missing)!r} there" if missing else "is missing: forget which?"
        raise BadInputError("ENTRY", which)
    kept.apply([Forget(i, "a person wanted it gone") for i in ids], max(bound, len(known)))


def _import(kept: SqlMemory, file: Path | None, bound: int) -> None:
    """Entries of a file; what they were trusted with elsewhere does not count here."""
    if file is None:
        raise BadInputError("--file", "is missing: from where?")
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise BadInputError(str(file), error.strerror or "cannot be read") from error
    changes = []
    for i, line in enumerate(lines, 1):
        if line.strip():
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except msgspec.DecodeError as error:
                raise BadInputError(f"{file}: line {i}", str(error)) from error
            origin = Origin(split="import", learned_at=time.time())
            changes.append(
                Put(Entry(entry.kind, entry.key, entry.name, entry.cue, entry.body, origin))
            )
    kept.apply(changes, bound)


def _entries(kept: SqlMemory) -> list[Entry]:
    return [e for e in kept.news().entries.values() if e is not None]
