"""Look at what agents have learned, and change it."""

from __future__ import annotations

import codecs
import enum
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
import typer
from rich.table import Table

from leanloop.cli.options import JsonOption, StoreOption, answers_console, emit, store_place
from leanloop.core.errors import BadInputError
from leanloop.core.memory import MOST_BYTES, Entry, Forget, Kind, Origin, Put
from leanloop.levers.memory.facts import read_fact
from leanloop.levers.memory.skills import read_skill
from leanloop.levers.plan_template import read_template
from leanloop.store.memory import SqlMemory
from leanloop.store.sql import SqlStore

BOUND = 1000


class Body(Protocol):
    """What an entry says."""

    @property
    def key(self) -> str:
        """What it is about."""


READERS: dict[Kind, Callable[[Entry], Body | None]] = {
    Kind.FACT: read_fact,
    Kind.PLAN: lambda entry: read_template(entry.body),
    Kind.SKILL: read_skill,
}
"""What reads the body of an entry; None where no lever could use it."""


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


class MemoryDone(msgspec.Struct, frozen=True):
    """What a change of a memory came to.

    Attributes:
        name: The memory.
        done: What was done.
        entries: Of how many entries.
        new: Of these, how many the memory did not have.
        let_go: Entries that had to go, since the memory holds no more.
        holds: Entries that it holds now.
    """

    name: str
    done: str
    entries: int
    new: int
    let_go: int
    holds: int


ActionArgument = Annotated[Action, typer.Argument(help="What to do.")]
NameArgument = Annotated[str | None, typer.Argument(metavar="[MEMORY]", help="Which one.")]
EntriesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ENTRY…]", help="Ids, as list gives them.")
]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="JSONL, one entry a line; for export and import.")
]
BoundOption = Annotated[
    int | None,
    typer.Option(
        "--bound",
        min=1,
        help=f"Entries after an import; {BOUND}, or as many as there are, when left out.",
    ),
]


def memory(
    action: ActionArgument,
    name: NameArgument = None,
    entries: EntriesArgument = None,
    file: FileOption = None,
    bound: BoundOption = None,
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
        check_name(name, "MEMORY")
        if action is not Action.IMPORT and name not in opened.memories():
            known = ", ".join(opened.memories()) or "none"
            raise BadInputError(f"memory {name!r} in {opened.place}", f"is not there; {known} are")
        kept = opened.memory(name)
        if action is Action.IMPORT:
            _say(_import(kept, file, bound), json=json)
        elif action is Action.FORGET:
            _say(_forget(kept, entries or []), json=json)
        elif action is Action.EXPORT:
            _say(_export(kept, entries or [], file), json=json)
        else:
            _show(kept, action, entries or [], json=json)
    finally:
        opened.close()


def check_name(name: str, where: str) -> None:
    """See that a memory can be called so.

    Raises:
        BadInputError: It is blank, or no text.
    """
    if not name.strip():
        raise BadInputError(where, "takes a name")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadInputError(where, f"{name!r} is no text in UTF-8") from error


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
        table.add_row(_plain(line.name), str(line.entries), str(line.demoted))
    answers_console().print(table)


def _say(done: MemoryDone, *, json: bool) -> None:
    if json:
        emit(done)
        return
    entries = "1 entry" if done.entries == 1 else f"{done.entries} entries"
    new = f", {done.new} new" if done.done == "imported" else ""
    gone = f"; {done.let_go} of the least worth were let go" if done.let_go else ""
    text = f"{done.done} {entries}{new}{gone}; {_plain(done.name)} holds {done.holds}"
    answers_console().print(text, highlight=False, soft_wrap=True)


def _chosen(kept: SqlMemory, ids: Sequence[str]) -> list[Entry]:
    """The entries of these ids; all without any."""
    found = _entries(kept)
    missing = set(ids) - {e.entry_id for e in found}
    if missing:
        raise BadInputError(f"memory {kept.name!r}", f"has no entry {min(missing)!r}")
    return [e for e in found if not ids or e.entry_id in ids]


def _export(kept: SqlMemory, ids: Sequence[str], file: Path | None) -> MemoryDone:
    found = _chosen(kept, ids)
    if file is None:
        raise BadInputError("--file", "is missing: where to?")
    try:
        file.write_bytes(b"".join(msgspec.json.encode(e) + b"\n" for e in found))
    except OSError as error:
        raise BadInputError(str(file), error.strerror or "cannot be written") from error
    return MemoryDone(kept.name, "exported", len(found), 0, 0, len(_entries(kept)))


def _show(kept: SqlMemory, action: Action, ids: Sequence[str], *, json: bool) -> None:
    found = _chosen(kept, ids)
    if json:
        emit(found)
    elif action is Action.LIST:
        answers_console().print(_table(found))
    else:
        for entry in found:
            text = msgspec.json.format(msgspec.json.encode(entry), indent=1).decode()
            lines = "\n".join(map(_plain, text.split("\n")))
            answers_console().print(f"{entry.entry_id}\n{lines}", highlight=False, markup=False)


def _plain(text: str) -> str:
    """The text with what a terminal would act on written out: entries may come from anywhere."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _table(entries: Sequence[Entry]) -> Table:
    table = Table("entry", "version", "what", "from", "used", "solved", "without it", "")
    for e in entries:
        t = e.trust
        without = f"{t.solved_without:g} of {t.withheld}"
        origin = e.origin.task_id or e.origin.split or "unknown"
        what = _plain(f"{e.name}: {e.cue}"[:60])
        row = (e.entry_id, str(e.version), what, _plain(origin), str(t.used))
        table.add_row(*row, f"{t.solved:g}", without, "demoted" if t.demoted else "")
    return table


def _forget(kept: SqlMemory, ids: Sequence[str]) -> MemoryDone:
    if not ids:
        raise BadInputError("ENTRY", "is missing: forget which?")
    gone, there = _chosen(kept, ids), len(_entries(kept))
    kept.apply([Forget(e.entry_id, "a person wanted it gone") for e in gone], max(BOUND, there))
    return MemoryDone(kept.name, "forgot", len(gone), 0, 0, len(_entries(kept)))


def _import(kept: SqlMemory, file: Path | None, bound: int | None) -> MemoryDone:
    """Entries of a file; what they were trusted with elsewhere does not count here."""
    if file is None:
        raise BadInputError("--file", "is missing: from where?")
    try:
        lines = file.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines()
    except OSError as error:
        raise BadInputError(str(file), error.strerror or "cannot be read") from error
    origin = Origin(split="import", learned_at=time.time())
    read: dict[str, Entry] = {}
    for i, line in enumerate(lines, 1):
        if line.strip():
            e = _entry(line, f"{file}: line {i}")
            read[e.entry_id] = msgspec.structs.replace(e, origin=origin)
    before = {e.entry_id for e in _entries(kept)}
    kept.apply([Put(e) for e in read.values()], bound or max(BOUND, len(before)))
    new = read.keys() - before
    holds = len(_entries(kept))
    let_go = len(before) + len(new) - holds
    return MemoryDone(kept.name, "imported", len(read), len(new), let_go, holds)


def _entry(line: bytes, where: str) -> Entry:
    """The entry of a line.

    Raises:
        BadInputError: It is none, or no lever could use it.
    """
    try:
        entry = msgspec.json.decode(line, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(where, str(error)) from error
    if len(line) > MOST_BYTES:
        problem = f"is {len(line):,} bytes long; an entry has at most {MOST_BYTES:,}"
        raise BadInputError(where, problem)
    body = READERS[entry.kind](entry)
    if body is None:
        raise BadInputError(where, f"body: holds no {entry.kind} that could be used")
    # By its own key it would stand beside what is learned of the same thing, and never be mended.
    return Entry(entry.kind, body.key, entry.name, entry.cue, entry.body)


def _entries(kept: SqlMemory) -> list[Entry]:
    return [e for e in kept.news().entries.values() if e is not None]
