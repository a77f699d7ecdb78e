"""What a study and its result show in a notebook: a small piece of HTML, without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

from leanloop.core.configuration import Setting
from leanloop.core.task import Split
from leanloop.search.result_frame import Part, parts_of
from leanloop.stats.interval import Interval

if TYPE_CHECKING:
    from leanloop.search.result import Figures, Result
    from leanloop.search.spec import StudySpec
    from leanloop.search.study import Study

SHOWN = 12
"""Configurations in the table; a frame has all of them."""
AXES = (
    ("success", "success", 1.0, 2),
    ("usd", "$ a 1000 tasks", 1000.0, 2),
    ("latency_s", "seconds", 1.0, 1),
    ("tokens", "tokens", 1.0, 0),
    ("tool_calls", "tool calls", 1.0, 1),
)
"""Axis, its title, the factor that it is shown with, and digits."""
# Colours are those of the page around it, so that it reads in light and in dark.
RULE = "border-bottom:1px solid rgba(128,128,128,.5)"
CELL = f"padding:.2em .8em .2em 0;text-align:left;vertical-align:top;{RULE}"


def result_html(result: Result) -> str:
    """The recommendation in a sentence, then baseline and frontier with their figures.

    Args:
        result: What a study found.
    """
    parts = [p for p in parts_of(result) if p.on_frontier or p.part in ("baseline", "recommended")]
    rows = [row for part in parts[:SHOWN] for row in _figure_rows(part)]
    left = len(parts) - SHOWN
    more = [f"{left} more of the frontier are in <code>to_polars()</code>."] if left > 0 else []
    head = ("configuration", "p frontier", "split", "n", *(title for _, title, _, _ in AXES))
    note = (
        "Mean and 95% interval; n tasks; p frontier is modelled from the search's runs, up to "
        "the margins."
    )
    return _box(
        f"Study {escape(result.study)}",
        [_paragraph(escape(say_recommendation(result))), _table(head, rows)],
        [note, *more],
    )


def say_recommendation(result: Result) -> str:
    """What to use and why, in one sentence."""
    found = result.member(result.recommended) if result.recommended else None
    if found is None:
        return f"Nothing is recommended: {result.recommendation}."
    return (
        f"Recommended: {_settings(found.settings)} ({found.id}), "
        f"{result.recommendation} (margin {result.margin:.0%})."
    )


def study_html(study: Study) -> str:
    """What a study would run: tasks, models, levers and budget, without any secret.

    Args:
        study: It is looked at, and nothing of it is run or loaded.
    """
    spec = study.spec
    counts = ", ".join(f"{len(study.suite.tasks(s))} {s}" for s in Split)
    head = [
        ("tasks", f"{escape(_tasks_from(spec))}: {counts}"),
        ("agent", escape(_agent(spec))),
        ("models", _models(study) or "none: the runs are recorded"),
        ("baseline", escape(_settings(study.configuration(spec.baseline, "baseline")))),
        *[
            (f"reference {escape(name)}", escape(_settings(spec.configuration(changes, name))))
            for name, changes in spec.references.items()
            if study.recorded is None
        ],
        ("objectives", escape(", ".join(f"{d} {n}" for n, d in spec.objectives.items()))),
        ("constraints", escape("; ".join(spec.constraints)) or "none"),
        ("budget", escape(_budget(spec))),
    ]
    levers = [
        (f"<code>{escape(name)}</code>", escape(", ".join(str(v) for v in values)))
        for name, values in study.space().items()
    ]
    return _box(
        f"Study {escape(spec.name)}",
        [_table(("", "what it would run"), head), _table(("lever", "settings to try"), levers)],
        [],
    )


def _tasks_from(spec: StudySpec) -> str:
    return spec.suite.name if spec.suite.recorded is None else f"recorded {spec.suite.recorded}"


def _agent(spec: StudySpec) -> str:
    """Whose agent; of a command the program alone, since its arguments may hold a key."""
    command = spec.agent.command
    if command is not None:
        program, _, rest = command.partition(" ")
        return f"the command {program}{' …' if rest else ''}"
    return spec.agent.python or "leanloop's own loop"


def _models(study: Study) -> str:
    """Name, provider and price of each; an address may hold a password and is left out."""
    labels = study.prices.labels()
    return "<br>".join(
        escape(f"{alias}: {m.provider}:{m.name}, {labels[alias]}")
        for alias, m in study.spec.models.items()
    )


def _budget(spec: StudySpec) -> str:
    budget = spec.budget
    bounds = [
        None if spec.max_runs is None else f"at most {spec.max_runs} runs of the search",
        None if budget.max_usd is None else f"${budget.max_usd:g}",
        None if budget.max_wall_s is None else f"{budget.max_wall_s:g} s",
    ]
    return ", ".join(b for b in bounds if b is not None) or "no bound"


def _figure_rows(part: Part) -> list[tuple[str, ...]]:
    """A row for each split that the configuration was run on."""
    member = part.member
    if member is None:
        return []
    chance = "" if member.p_frontier is None else f"{member.p_frontier:.2f}"
    name = f"<b>{part.part}</b> {escape(part.id)}<br><small>{escape(_settings(part.settings))}"
    rows = [(f"{name}</small>", chance, "search", *_cells(member.search))]
    if member.holdout is not None:
        rows.append(("", "", "holdout", *_cells(member.holdout)))
    return rows


def _cells(found: Figures) -> list[str]:
    shown = [_range(getattr(found, name), scale, digits) for name, _, scale, digits in AXES]
    return [str(found.success.n), *shown]


def _range(i: Interval, scale: float, digits: int) -> str:
    if i.mean is None:
        return "unknown"
    mean = f"{i.mean * scale:,.{digits}f}"
    if i.low is None and i.high is None:
        return mean
    low, high = ("…" if e is None else f"{e * scale:,.{digits}f}" for e in (i.low, i.high))
    return f'{mean} <small style="white-space:nowrap">({low}–{high})</small>'


def _settings(settings: Mapping[str, Setting]) -> str:
    return " ".join(f"{k}={v}" for k, v in settings.items()) or "all off"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f'<th style="{CELL}">{title}</th>' for title in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{cell}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    table = '<table style="border-collapse:collapse;color:inherit;background:none">'
    return f"{table}<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _paragraph(text: str) -> str:
    return f'<p style="margin:.4em 0;max-width:46em">{text}</p>'


def _box(title: str, parts: Iterable[str], notes: Iterable[str]) -> str:
    body = "".join([*parts, *(_paragraph(f"<small>{note}</small>") for note in notes)])
    style = "color:inherit;background:none;overflow-x:auto"
    return f'<div style="{style}"><b>{title}</b>{body}</div>'
