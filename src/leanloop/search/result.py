"""What a study found, in the form in which it is printed and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from leanloop.core.configuration import Configuration, Setting
from leanloop.search.constraints import Check
from leanloop.search.notebook import result_html
from leanloop.search.result_frame import result_frame
from leanloop.search.runtable import COLUMNS, RunTable
from leanloop.search.stream_figures import AlongStream
from leanloop.search.task_report import TaskReport
from leanloop.stats.comparison import Verdict, judge, paired_difference, paired_ratio, say
from leanloop.stats.interval import Interval, mean_interval, proportion_interval

if TYPE_CHECKING:
    import polars


class Figures(msgspec.Struct, frozen=True):
    """A configuration on one split: mean, interval and n on success and each cost axis."""

    success: Interval
    usd: Interval
    latency_s: Interval
    tokens: Interval
    tool_calls: Interval


class Optimism(msgspec.Struct, frozen=True):
    """What choosing by the search split flatters: search estimate against holdout.

    Attributes:
        success: Mean on the search split less the mean on the holdout.
        cost: Ratio of the mean cost on the holdout to that on the search split, on the
            cost axis that decides; None when one is unknown.
        baseline_success: The same difference of the baseline, which nobody chose: what
            is left of the first is selection.
        baseline_cost: The same ratio of the baseline.
    """

    success: float
    cost: float | None
    baseline_success: float | None
    baseline_cost: float | None


class Member(msgspec.Struct, frozen=True):
    """A configuration of the result.

    Attributes:
        id: Its id.
        settings: Levers that are not off.
        p_frontier: Probability that no other is at least as good on every objective
            and better by more than the margin on one, by the search split; modelled;
            None where it was not in the race or is unknown.
        search: Figures on the search split.
        holdout: Figures on the holdout; None when it was not run there.
        verdict: Against the baseline on the holdout's common tasks.
        search_verdict: Against the baseline on the search split's common tasks.
        constraints: The study's constraints held against it, on the holdout where it
            was run there.
        optimism: How much better it looked on the search split than on the holdout;
            None where it was not run there.
    """

    id: str
    settings: dict[str, Setting]
    p_frontier: float | None
    search: Figures
    holdout: Figures | None = None
    verdict: Verdict | None = None
    search_verdict: Verdict | None = None
    constraints: tuple[Check, ...] = ()
    optimism: Optimism | None = None


class LeverEffect(msgspec.Struct, frozen=True):
    """One lever changed alone, against the baseline, on the search split."""

    lever: str
    setting: Setting
    verdict: Verdict


class DroppedMember(msgspec.Struct, frozen=True):
    """A configuration that left the race, and why.

    Attributes:
        id: Its id.
        settings: Levers that are not off.
        rival: Id of the one that is shown to beat it; None where it breaks a constraint.
        probability: Posterior probability that the rival is no worse; None without one.
        n: Tasks that this rests on.
        breaks: The constraint that it is shown to break; empty for none.
    """

    id: str
    settings: dict[str, Setting]
    rival: str | None
    probability: float | None
    n: int
    breaks: str = ""


class StepCost(msgspec.Struct, frozen=True):
    """What one step of the baseline costs, over its search runs that got that far.

    Attributes:
        step: 1 for the first.
        runs: Runs that took it.
        uncached_input_tokens: Mean; None when unknown.
        cache_read_tokens: Mean.
        output_tokens: Mean, reasoning included.
        latency_s: Mean seconds of the step's model calls.
        usd: Mean dollars.
    """

    step: int
    runs: int
    uncached_input_tokens: float | None
    cache_read_tokens: float | None
    output_tokens: float | None
    latency_s: float
    usd: float | None


class Result(msgspec.Struct, frozen=True):
    """What a study found.

    Attributes:
        study: Its name.
        runs: Runs in all.
        configurations: Configurations tried.
        baseline: The configuration to beat.
        frontier: What to call the frontier, up to the margins, likeliest first.
        recommended: Id of the one to use; None when nothing was shown to be better.
        recommendation: Why, in one sentence.
        references: What else was asked about, such as the larger model alone.
        levers: Each lever alone.
        dropped: Who left the race.
        steps: Where the baseline's cost goes.
        prices: Where the price of each model comes from.
        search_usd: Dollars that search and holdout cost together.
        break_even_tasks: Tasks after which that is paid back; None when never.
        elapsed_s: Seconds in all.
        stopped_because: Why the search ended.
        margin: Success that may be lost before it counts as worse.
        objectives: Objective to direction.
        evidence: How the figures came to be.
        runs_used: Runs of the search split: what the search needed.
        others: The rest of those still in the race, likeliest on the frontier first.
        p_wrong: Probability that ``frontier`` is not right: that a member is beaten by
            more than the margin on every objective, or that something that was tried has
            no member within the margin of it. Modelled; None when an objective is unknown.
        p_helps: Probability that something that was tried beats the baseline: no more
            than the margin worse on any objective, and more than it better on one.
        constraints: As the user wrote them.
        streams: Along the streams, those of the frontier that carry something over
            from task to task.
        tasks: What the tasks are like.
    """

    study: str
    runs: int
    configurations: int
    baseline: Member
    frontier: tuple[Member, ...]
    recommended: str | None
    recommendation: str
    references: dict[str, Member]
    levers: tuple[LeverEffect, ...]
    dropped: tuple[DroppedMember, ...]
    steps: tuple[StepCost, ...]
    prices: dict[str, str]
    search_usd: float | None
    break_even_tasks: int | None
    elapsed_s: float
    stopped_because: str
    margin: float
    objectives: dict[str, str]
    evidence: dict[str, str]
    runs_used: int = 0
    others: tuple[Member, ...] = ()
    p_wrong: float | None = None
    p_helps: float | None = None
    constraints: tuple[str, ...] = ()
    streams: tuple[AlongStream, ...] = ()
    tasks: TaskReport = TaskReport()

    def member(self, id_: str) -> Member | None:
        """The baseline, a member of the race or a reference, by its id."""
        every = [self.baseline, *self.frontier, *self.others, *self.references.values()]
        return next((m for m in every if m.id == id_), None)

    def to_polars(self) -> polars.DataFrame:
        """A row for each configuration: what it was, its settings and figures.

        Unknown figures are null. The runs behind them are ``Study.runs(store)``.

        Raises:
            BadInputError: The extra ``polars`` is not installed.
        """
        return result_frame(self).to_polars()

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """The same as a ``pyarrow.Table``.

        Raises:
            BadInputError: The extra ``arrow`` is not installed.
        """
        return result_frame(self).to_arrow()

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return result_html(self)


def figures(table: RunTable, configuration: Configuration) -> Figures:
    """Figures of a configuration over its own tasks."""
    values = table.values(configuration, table.tasks(configuration))
    rest = [mean_interval(values[:, i]) for i in range(1, len(COLUMNS))]
    return Figures(proportion_interval(values[:, 0]), *rest)


def optimism(
    search: Figures, holdout: Figures, base: tuple[Figures, Figures | None], axis: str
) -> Optimism | None:
    """How much better a configuration looked on the search split than on the holdout.

    Args:
        search: Its figures there.
        holdout: Its figures on the holdout.
        base: The baseline's figures on both.
        axis: The cost axis that decides.
    """
    own = _fall(search, holdout, axis)
    if own is None:
        return None
    before, after = base
    other = None if after is None else _fall(before, after, axis)
    return Optimism(*own, *(other or (None, None)))


def _fall(search: Figures, holdout: Figures, axis: str) -> tuple[float, float | None] | None:
    solved, left = search.success.mean, holdout.success.mean
    if solved is None or left is None:
        return None
    before: Interval = getattr(search, axis)
    after: Interval = getattr(holdout, axis)
    known = before.mean and after.mean is not None
    return solved - left, after.mean / before.mean if known and after.mean and before.mean else None


@dataclass(frozen=True)
class Rule:
    """What a verdict goes by.

    Args:
        margin: Success that may be lost before it counts as worse.
        cost: The cost axis that decides between cheaper and dearer.
    """

    margin: float
    cost: str = "usd"


def verdict(table: RunTable, a: Configuration, b: Configuration, rule: Rule) -> Verdict:
    """Paired comparison of ``b`` with ``a`` over their common tasks."""
    common = table.common([a, b])
    left, right = table.values(a, common), table.values(b, common)
    success = paired_difference(left[:, 0], right[:, 0])
    ratios = {name: paired_ratio(left[:, i], right[:, i]) for i, name in enumerate(COLUMNS) if i}
    return Verdict(
        success=success,
        margin=rule.margin,
        sentence=say(success, ratios[rule.cost], rule.margin, rule.cost),
        outcome=judge(success, ratios[rule.cost], rule.margin),
        **ratios,
    )


def settings_of(configuration: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings that are not off."""
    return dict(configuration)
