"""What a study's tasks are like: those that tell nothing, copies in the holdout, the judge."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from leanloop.core.run import Run, Status
from leanloop.core.task import Split, Task
from leanloop.stats.interval import Interval
from leanloop.suites.contamination import Overlap, overlaps

FEW = 3
"""Runs of a task from which on it is said to succeed always or never."""
SHOWN = 20
"""Ids that are kept of each kind."""
ANSWERS, LETTERS = 3, 120
"""Answers that are told where no run was solved, and how much of each."""
CALL = re.compile(r'"(?:name|tool|function|tool_calls?)"\s*:')


class Agreement(msgspec.Struct, frozen=True):
    """How far a judge agrees with labelled answers.

    Attributes:
        model: The judge.
        share: Share of the answers on which both say the same, with 95% interval and n.
        kappa: Cohen's kappa: agreement beyond what chance gives; None where either says
            the same of every answer.
        false_right: Share of the answers labelled wrong that the judge calls right;
            None without one.
        false_wrong: Share of those labelled right that it calls wrong.
        unjudged: Answers of which it said neither.
    """

    model: str
    share: Interval
    kappa: float | None
    false_right: float | None
    false_wrong: float | None
    unjudged: int = 0


class TaskReport(msgspec.Struct, frozen=True):
    """What the tasks are like.

    Attributes:
        search: Tasks of the search split.
        holdout: Tasks of the holdout.
        tried: Tasks of the search split with three runs or more, of any configurations.
        always: How many of these every run solved: they tell configurations apart by
            cost alone.
        never: How many no run solved.
        always_ids: The first of them.
        never_ids: The first of them.
        copies: Tasks of the holdout that are near copies of one of the search split.
        overlaps: The first of them; tasks along streams recur by design and are not
            compared.
        judge: How far the judge agrees with labelled answers; None where no model
            judges, or there are no labels.
        remarks: What should be known of how the runs of the search went.
        test_usd: Dollars that modelled users and judges took, of ``search_usd``; None
            when unknown.
    """

    search: int = 0
    holdout: int = 0
    tried: int = 0
    always: int = 0
    never: int = 0
    always_ids: tuple[str, ...] = ()
    never_ids: tuple[str, ...] = ()
    copies: int = 0
    overlaps: tuple[Overlap, ...] = ()
    judge: Agreement | None = None
    test_usd: float | None = 0.0
    remarks: tuple[str, ...] = ()


def report_tasks(
    search: Sequence[Task],
    holdout: Sequence[Task],
    runs: Iterable[Run],
    copies: Sequence[Overlap],
) -> TaskReport:
    """What the tasks of a study are like, from its runs.

    Args:
        search: Tasks of the search split.
        holdout: Tasks of the holdout.
        runs: Of both splits; those of the search are counted.
        copies: Tasks of the holdout that the search split holds too.
    """
    own = [r for r in runs if r.split is Split.SEARCH and r.success is not None]
    scores: dict[str, list[float]] = defaultdict(list)
    for run in own:
        scores[run.key.task_id].append(run.success or 0.0)
    tried = {t: s for t, s in scores.items() if len(s) >= FEW}
    always = [t for t, s in tried.items() if min(s) == 1]
    never = [t for t, s in tried.items() if max(s) == 0]
    return TaskReport(
        search=len(search),
        holdout=len(holdout),
        tried=len(tried),
        always=len(always),
        never=len(never),
        always_ids=tuple(always[:SHOWN]),
        never_ids=tuple(never[:SHOWN]),
        copies=len(copies),
        overlaps=tuple(copies[:SHOWN]),
        remarks=tuple(say_runs(own)),
    )


def say_runs(runs: Sequence[Run]) -> list[str]:
    """What should be known of how runs went: errors, and answers where none was solved."""
    broken = [r for r in runs if r.status is Status.ERROR]
    lines: list[str] = []
    if broken:
        lines.append(
            f"{len(broken)} of {len(runs)} runs ended in an error and count as failures; the "
            f"first, on task {broken[0].key.task_id!r}: {_short(broken[0].reason)}"
        )
    judged = [r for r in runs if r.success is not None]
    if judged and not any(r.success for r in judged) and not any(r.recorded for r in judged):
        told = [r for r in judged if r.answer is not None][:ANSWERS]
        said = "; ".join(f"{r.key.task_id!r}: {_short(r.answer or '')!r}" for r in told)
        lines.append(f"No run was solved. Answers: {said or 'none was given'}.")
        called = any(s.tool_uses for r in judged for s in r.steps)
        if not called and any(CALL.search(r.answer or "") for r in told):
            lines.append(
                "No run called a tool, and answers look like calls in plain text: the model's "
                "server does not read how this model writes its calls. Under the study's "
                "[models] set calls_in_text = true for it, and leanloop reads them."
            )
    return lines


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LETTERS else f"{plain[:LETTERS]}…"


def copies_in_holdout(search: Sequence[Task], holdout: Sequence[Task]) -> list[Overlap]:
    """Tasks of the holdout that the search split holds too; those of streams are left out."""
    alone = [[t for t in tasks if t.stream is None] for tasks in (search, holdout)]
    return overlaps(*alone)


def say_tasks(report: TaskReport) -> list[str]:
    """What has to be known of the tasks, in lines."""
    lines: list[str] = []
    lines += report.remarks
    if report.always or report.never:
        lines.append(
            f"Of {report.tried} search tasks with {FEW} runs or more, {report.always} were always "
            f"solved and {report.never} never: these tell configurations apart by cost alone."
        )
    if report.copies:
        first = report.overlaps[0]
        lines.append(
            f"{report.copies} of {report.holdout} holdout tasks are near copies of search tasks, "
            f"such as {first.holdout!r} of {first.search!r}: put them into one group."
        )
    if report.judge is not None:
        lines.append(say_agreement(report.judge))
    if report.test_usd:
        lines.append(f"Modelled users and judges took ${report.test_usd:.4f} of what was spent.")
    return lines


def say_agreement(a: Agreement) -> str:
    """How far a judge can be trusted, in a line."""
    if a.share.mean is None or a.share.low is None or a.share.high is None:
        return f"The judge {a.model} judged none of the labelled answers."
    ends = f"{100 * a.share.low:.0f} to {100 * a.share.high:.0f}%"
    kappa = "" if a.kappa is None else f", kappa {a.kappa:.2f}"
    errors = [
        f"calls {100 * share:.0f}% of the {labelled} ones {said}"
        for share, labelled, said in (
            (a.false_right, "wrong", "right"),
            (a.false_wrong, "right", "wrong"),
        )
        if share is not None
    ]
    left = f"; of {a.unjudged} it said neither" if a.unjudged else ""
    return (
        f"The judge {a.model} agrees with {100 * a.share.mean:.0f}% of {a.share.n} labelled "
        f"answers ({ends}{kappa}); it {' and '.join(errors)}{left}."
    )
