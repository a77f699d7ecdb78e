"""The argument RUNS: a file, a study, or a store, and what to take from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leanloop.cli.options import store_place
from leanloop.cli.study_names import study_name
from leanloop.core.errors import BadInputError
from leanloop.core.task import Split
from leanloop.judging.reading import READERS, Selection, read_runs
from leanloop.judging.run_table import RunTable

if TYPE_CHECKING:
    from leanloop.store.sql import SqlStore

WHOLE = Selection()
STORE_SUFFIXES = (".sqlite", ".db", ".sqlite3")

RunsArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUNS",
        help="A CSV, Parquet or JSON lines file (or several, by a pattern with *), the name of a "
        "study (or its file), or a store's file.",
    ),
]
SelectOption = Annotated[
    str,
    typer.Option(
        "--select",
        help="SQL select list that names the columns: configuration, task, success (0 to 1), any "
        "of usd, latency_s, tokens, tool_calls, steps, cluster, seed; every other one is a lever.",
    ),
]
WhereOption = Annotated[
    str | None, typer.Option("--where", help="SQL condition on the file's own columns.")
]
StudyOption = Annotated[
    str | None, typer.Option("--study", help="Which study, where RUNS is a store with several.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the resampling.")]
USUAL_MARGIN = 0.02
MarginOption = Annotated[
    float | None,
    typer.Option(
        "--margin",
        min=0,
        max=1,
        help="Success that may be lost, 0.02 is 2 points; the study's own when left out, or 0.02.",
    ),
]
CostOption = Annotated[
    str | None, typer.Option("--cost", help="The cost axis that decides; the first when left out.")
]
PageOption = Annotated[
    Path | None, typer.Option("--report", help="Also write one HTML file that works offline.")
]


@dataclass(frozen=True)
class Source:
    """Where runs are, as the command line says it.

    Args:
        runs: File, study or store.
        selection: What to take from a file.
        study: Which study of a store.
        split: Which tasks of a study.
        store: The store that studies are looked up in.
    """

    runs: str
    selection: Selection = WHOLE
    study: str | None = None
    split: Split | None = None
    store: str | None = None

    def table(self) -> RunTable:
        """The runs.

        Raises:
            BadInputError: They cannot be read.
        """
        if not self.is_study:
            return read_runs(self.runs, self.selection)
        # A file needs no database client, and a start costs what it has to.
        from leanloop.search.stored_runs import table_of_study  # noqa: PLC0415

        store, name = self._study()
        try:
            return table_of_study(store, name, self.split, self.selection.within)
        finally:
            store.close()

    def ends(self) -> tuple[str | None, str | None]:
        """Baseline and recommendation of a study; neither for a file."""
        if not self.is_study:
            return None, None
        from leanloop.search.stored_runs import ends_of_study  # noqa: PLC0415 - as above

        store, name = self._study()
        try:
            return ends_of_study(store, name)
        finally:
            store.close()

    def margin(self, given: float | None) -> tuple[float, str]:
        """Success that may be lost, and who says so: the option, else the study, else nobody.

        Args:
            given: What the option says.
        """
        if given is not None:
            return given, "from --margin"
        own = self._studys_margin() if self.is_study else None
        if own is not None:
            return own, "the study's own"
        return USUAL_MARGIN, "the default, as no study says one"

    def _studys_margin(self) -> float | None:
        from leanloop.search.stored_runs import margin_of_study  # noqa: PLC0415 - as above

        store, name = self._study()
        try:
            return margin_of_study(store, name)
        finally:
            store.close()

    @property
    def is_study(self) -> bool:
        """Whether the runs are in a store, not in files."""
        suffixes = {s.lstrip(".").lower() for s in Path(self.runs).suffixes}
        return "*" not in self.runs and not suffixes & set(READERS)

    def _study(self) -> tuple[SqlStore, str]:
        path = Path(self.runs)
        if "://" in self.runs or path.suffix in STORE_SUFFIXES:
            store = _open(self.runs if "://" in self.runs else path)
            known = store.studies()
            if self.study is None and len(known) != 1:
                store.close()
                raise _which(store, known)
            return store, study_name(self.study) if self.study else known[0]
        name = study_name(self.runs)
        if path.exists() and name == self.runs:
            kinds = ", ".join(READERS)
            raise BadInputError(self.runs, f"not a kind of file that is read: {kinds}, sqlite")
        place = store_place(self.store)
        if isinstance(place, Path) and not place.exists():
            raise BadInputError(
                self.runs, f"no such file, and no store at {place} to have a study of that name"
            )
        return _open(place), name


def _which(store: SqlStore, known: Sequence[str]) -> BadInputError:
    from leanloop.store.find_study import few  # noqa: PLC0415 - as above

    if not known:
        return BadInputError(store.place, "has no study yet; 'leanloop optimize' makes one")
    return BadInputError(
        "--study", f"{store.place} has {len(known)} studies; name one: {few(known)}"
    )


def _open(place: Path | str) -> SqlStore:
    from leanloop.store.sql import SqlStore  # noqa: PLC0415 - as above

    if isinstance(place, Path) and not place.is_file():
        raise BadInputError(str(place), "no such store")
    return SqlStore(place)
