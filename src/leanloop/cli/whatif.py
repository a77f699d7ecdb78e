"""Say what levers would have changed in recorded runs, had the agent done the same."""

from __future__ import annotations

from itertools import product
from typing import Annotated

import typer

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.cli.trace_options import (
    FormatOption,
    PricesOption,
    TracesArgument,
    no_run,
    prices_of,
)
from leanloop.core.configuration import Setting
from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.levers.builtin import find_lever
from leanloop.report.whatif_terminal import show_whatif
from leanloop.traces.protocol import Wanted
from leanloop.traces.reading import Reading
from leanloop.traces.replay import SUMMARY_RATIO
from leanloop.traces.whatif import Terms, WhatIfs
from leanloop.traces.whatif_result import Change, WhatIf

SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="LEVER=SETTING, more than once for several at a time; "
        "LEVER=A,B,C tries each of these.",
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Rank every lever at its usual settings, and pairs.")
]
ModelOption = Annotated[
    str, typer.Option("--model", help="Also take this model's prices, tokens assumed equal.")
]
FromOption = Annotated[
    str, typer.Option("--from", help="Who answered, where the traces do not say.")
]
ReadOnlyOption = Annotated[
    str,
    typer.Option("--read-only", help="Tools that change nothing, as a,b; else told by name."),
]
RatioOption = Annotated[
    float,
    typer.Option("--summary-ratio", min=0.0, max=1.0, help="Length of a summary, as a share."),
]


def whatif(
    traces: TracesArgument,
    set_: SetOption = None,
    all_: AllOption = False,
    model: ModelOption = "",
    from_: FromOption = "",
    prices: PricesOption = None,
    read_only: ReadOnlyOption = "",
    summary_ratio: RatioOption = SUMMARY_RATIO,
    format: FormatOption = None,  # noqa: A002
    json: JsonOption = False,
) -> None:
    """Say what levers would have changed in recorded runs, had the agent done the same."""
    wanted = settings_of(set_ or [])
    if not (set_ or all_ or model):
        raise BadInputError("--set", "is needed, or --all, or --model")
    reading = Reading(traces, Wanted(contents=True), format)
    tools = frozenset(t.strip() for t in read_only.split(",") if t.strip())
    asked = WhatIfs(reading, Terms(prices_of(prices), from_, tools, summary_ratio))
    if not asked.baseline.runs:
        raise BadInputError(str(traces[0]), no_run(reading))
    changes = list(_changes(asked, wanted if set_ else [], model))
    if all_:
        changes += asked.ranked(asked.all())
    answer = WhatIf(
        asked.baseline,
        tuple(changes),
        "estimated",
        asked.left_out if all_ else {},
        asked.notes,
        tuple(reading.skipped),
    )
    if json:
        emit(answer)
    else:
        show_whatif(answers_console(), answer)


def _changes(asked: WhatIfs, wanted: list[dict[str, Setting]], model: str) -> list[Change]:
    """The levers, the model, and both together: both leverages on one page."""
    found = [asked.ask(settings) for settings in wanted]
    if model:
        found.append(asked.ask({}, model))
        found += [asked.ask(settings, model) for settings in wanted]
    return found


def settings_of(given: list[str]) -> list[dict[str, Setting]]:
    """The configurations that ``--set`` stands for: every combination of the alternatives.

    Raises:
        BadInputError: A lever or a setting is wrong.
    """
    choices: dict[str, list[Setting]] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals:
            raise BadInputError("--set", f"{text!r} is not LEVER=SETTING")
        lever = find_lever(name.strip(), "--set")
        domain, where = lever.card.domain, f"--set {name.strip()}"
        choices[name.strip()] = [
            check_setting(name.strip(), domain, _value(v.strip()), where) for v in values.split(",")
        ]
    return [dict(zip(choices, each, strict=True)) for each in product(*choices.values())]


def _value(text: str) -> Setting:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
