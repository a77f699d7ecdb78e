"""What a person sees in the terminal: live progress, then the result as tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from leanloop.core.configuration import Configuration
from leanloop.core.run import Run
from leanloop.report.stream_terminal import say_along, stream_table
from leanloop.search.constraints import Check
from leanloop.search.protocol import Progress
from leanloop.search.result import Figures, Member, Result
from leanloop.search.task_report import say_tasks
from leanloop.stats.interval import Interval

AXES = (("usd", "$ a 1000 tasks", 2), ("latency_s", "seconds", 1), ("tokens", "tokens", 0))
SCALE = {"usd": 1000.0}


EVERY_S = 15.0
"""Seconds between two lines at least, where there is no terminal."""
LONG_S = 5.0
"""Seconds after which the reader is told how long ago the last run ended."""


class TerminalObserver:
    """Shows a line that is rewritten every second, on a terminal; a line now and then elsewhere.

    Args:
        console: Where to show it; standard error, so that standard output stays clean.
        clock: Seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._live: Live | None = None
        self._printed_at = -EVERY_S
        self._begun_at = clock()
        self._seen: tuple[float, Progress, str] | None = None

    def __enter__(self) -> TerminalObserver:
        """Start the live line."""
        if self._console.is_terminal:
            # Drawing often would take the cores from a model that runs on them.
            self._live = Live(
                console=self._console,
                refresh_per_second=1,
                transient=True,
                get_renderable=self.line,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the live line."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def run_done(self, configuration: Configuration, run: Run, progress: Progress) -> None:
        """Show where the study is."""
        now = self._clock()
        mark = "solved" if run.success == 1 else str(run.status)
        last = f"{run.key.task_id}: {mark} in {run.wall_s:.1f} s, with {configuration}"
        self._seen = now, progress, last
        if self._live is None and (progress.runs == 1 or now - self._printed_at > EVERY_S):
            self._printed_at = now
            self._console.print(_progress_line(progress), highlight=False, soft_wrap=True)

    def line(self) -> Text:
        """Where the study is now: seconds go on while no run ends."""
        now = self._clock()
        if self._seen is None:
            return Text(f"no run has ended yet, {now - self._begun_at:.0f} s")
        at, progress, last = self._seen
        since = now - at
        ago = "" if since < LONG_S else f"; that was {since:.0f} s ago"
        shown = replace(progress, elapsed_s=progress.elapsed_s + since)
        return Text(_progress_line(shown)).append(f"\n  {last}{ago}", style="dim")

    def note(self, text: str) -> None:
        """Show a remark."""
        self._console.print(text, highlight=False, soft_wrap=True)


def _progress_line(p: Progress) -> str:
    spent = "unknown" if p.spent_usd is None else f"${p.spent_usd:.4f}"
    left = "" if p.left_s is None else f", holdout needs about {p.left_s:.0f} s"
    again = f" ({p.replayed} from the store)" if p.replayed else ""
    return (
        f"{p.phase}: {p.runs} runs{again}, {p.alive} configurations alive, {p.dropped} dropped, "
        f"{spent} spent, {p.elapsed_s:.0f} s{left}"
    )


def show_result(console: Console, result: Result) -> None:
    """Print a study's result."""
    console.print(_summary(result), highlight=False, soft_wrap=True)
    console.print(_holdout_table(result))
    console.print(_verdicts(result), highlight=False, soft_wrap=True)
    console.print(_lever_table(result))
    for along in result.streams:
        console.print(stream_table(along, result.objectives))
        console.print(say_along(along), highlight=False, soft_wrap=True)


def _summary(r: Result) -> str:
    found = r.member(r.recommended) if r.recommended else None
    lines = [
        f"Study {r.study}: {r.runs} runs of {r.configurations} configurations in "
        f"{r.elapsed_s:.0f} s; search stopped because {r.stopped_because}.",
        f"Baseline {r.baseline.id}: {_settings(r.baseline)}",
    ]
    if found is None:
        lines.append(f"Recommended: none; {r.recommendation}.")
    else:
        lines.append(f"Recommended {found.id}: {_settings(found)}")
        lines.append(f"  {r.recommendation} (margin {r.margin:.0%}).")
        if found.verdict is not None:
            v = found.verdict
            lines.append(
                f"  Against the baseline on the holdout: success {_points(v.success)}, "
                f"dollars ×{_range(v.usd, 2)}, seconds ×{_range(v.latency_s, 2)}, "
                f"tokens ×{_range(v.tokens, 2)}; paired, 95% intervals, n={v.success.n}."
            )
    lines.append(_called(r))
    if found is not None:
        lines += [f"  {said}" for said in (say_optimism(found), *map(say_check, found.constraints))]
    spent = "an unknown sum" if r.search_usd is None else f"${r.search_usd:.4f}"
    paid = "" if r.break_even_tasks is None else f", paid back after {r.break_even_tasks} tasks"
    lines.append(f"Search and holdout cost {spent}{paid}.")
    lines += say_tasks(r.tasks)
    return "\n".join(lines)


def _called(r: Result) -> str:
    """How many make the frontier, and how sure that is."""
    sure = "" if r.p_wrong is None else f"; wrong by more than the margins with p {r.p_wrong:.2g}"
    count = f"{len(r.frontier)} of {len(r.frontier) + len(r.others) + len(r.dropped)}"
    helps = "" if r.p_helps is None else f"; something beats the baseline with p {r.p_helps:.2g}"
    return f"Frontier: {count} configurations{sure}{helps} (modelled from the search's runs)."


def say_optimism(member: Member) -> str:
    """How much better a configuration looked where it was chosen than on the holdout."""
    o = member.optimism
    if o is None:
        return "It was not run on the holdout."
    cost = "" if o.cost is None else f", cost ×{o.cost:.2f}"
    base = ""
    if o.baseline_success is not None:
        other = "" if o.baseline_cost is None else f", ×{o.baseline_cost:.2f}"
        base = f"; the baseline, which nobody chose: {100 * o.baseline_success:+.0f} points{other}"
    return (
        f"From search to holdout: success fell by {100 * o.success:+.0f} points{cost}{base}. "
        "What is left of the difference is selection and chance."
    )


def say_check(check: Check) -> str:
    """Whether a constraint is kept to, in a line."""
    by = "" if check.excess is None else f", broken by {check.excess:.3g}"
    ends = "" if check.low is None else f" ({check.low:.3g} to {check.high:.3g})"
    return f"Constraint {check.constraint!r}: {check.kept}{by}{ends}, n={check.n} {check.split}"


def _holdout_table(result: Result) -> Table:
    table = Table(title="On the holdout: mean and 95% interval", title_justify="left")
    for name in ("configuration", "n", "success", *(title for _, title, _ in AXES)):
        table.add_column(name)
    for label, member in _rows(result):
        if member.holdout is not None:
            table.add_row(label, *_cells(member.holdout))
    return table


def _rows(result: Result) -> list[tuple[str, Member]]:
    rows = [("baseline", result.baseline)]
    shown_below = {m.id for m in result.references.values()}
    tested = [m for m in result.others if m.holdout is not None]
    for member in (*result.frontier, *tested):
        if member.id == result.recommended:
            rows.insert(1, ("recommended", member))
        elif member.id != result.baseline.id and member.id not in shown_below:
            rows.append((member.id, member))
    return rows + list(result.references.items())


def _verdicts(result: Result) -> str:
    """What is on the frontier, and how each compares with the baseline on the holdout."""
    lines = [
        "Against the baseline on the holdout. p is of the search's runs alone: the modelled "
        f"probability that nothing is at least as good on {' and '.join(result.objectives)} and "
        "better on one by more than the margin:"
    ]
    for label, member in _rows(result)[1:]:
        chance = "" if member.p_frontier is None else f"p {member.p_frontier:.2f}, "
        said = member.verdict.sentence if member.verdict else "not run on the holdout"
        lines.append(f"  {label}: {chance}{said}; {_settings(member)}")
    return "\n".join(lines)


def _cells(found: Figures) -> list[str]:
    costs = [_range(getattr(found, name), d, SCALE.get(name, 1.0)) for name, _, d in AXES]
    return [str(found.success.n), _range(found.success, 2), *costs]


def _lever_table(result: Result) -> Table:
    title = "One lever changed alone, on the search split: paired with the baseline"
    table = Table(title=title, title_justify="left")
    for name in ("lever", "setting", "n", "success", "dollars ×", "seconds ×", "tokens ×"):
        table.add_column(name, no_wrap=name == "lever")
    for e in result.levers:
        v = e.verdict
        ratios = [_range(i, 2) for i in (v.usd, v.latency_s, v.tokens)]
        table.add_row(e.lever, str(e.setting), str(v.success.n), _points(v.success), *ratios)
    return table


def _settings(member: Member) -> str:
    return " ".join(f"{k}={v}" for k, v in member.settings.items()) or "all off"


def _points(i: Interval) -> str:
    if i.mean is None or i.low is None or i.high is None:
        return "unknown"
    return f"{100 * i.mean:+.0f} points ({100 * i.low:+.0f} to {100 * i.high:+.0f})"


def _range(i: Interval, digits: int, scale: float = 1.0) -> str:
    if i.mean is None:
        return "unknown"
    # What rounds to nothing is told by its first digits instead.
    small = 0 < abs(i.mean * scale) < 10**-digits
    form = ".2g" if small else f".{digits}f"
    mean = f"{i.mean * scale:{form}}"
    if i.low is None or i.high is None:
        return mean
    return f"{mean} ({i.low * scale:{form}}–{i.high * scale:{form}})"


def describe_member(member: Member) -> str:
    """One configuration's figures on the split that it was run on."""
    found = member.holdout or member.search
    costs = [
        f"{title} {_range(getattr(found, name), digits, SCALE.get(name, 1.0))}"
        for name, title, digits in AXES
    ]
    head = f"{member.id}: {_settings(member)}\n"
    return f"{head}  n {found.success.n}, success {_range(found.success, 2)}, {', '.join(costs)}"
