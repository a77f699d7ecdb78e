"""A gate for a continuous integration job: not worse, and no dearer."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.judging.comparison import NOUNS, Comparison, Terms, compare
from leanloop.judging.reading import table_of_rows
from leanloop.judging.run_table import AXES, RunTable


class Check(msgspec.Struct, frozen=True):
    """One thing that the gate asks.

    Attributes:
        name: ``success`` or a cost axis.
        passed: Whether it holds.
        message: The figures behind it.
    """

    name: str
    passed: bool
    message: str


class Gate(msgspec.Struct, frozen=True):
    """What the gate found.

    Attributes:
        passed: Whether every check holds.
        checks: Success first, then each cost axis.
        comparison: The figures.
    """

    passed: bool
    checks: tuple[Check, ...]
    comparison: Comparison


def gate(
    table: RunTable, a: str, b: str, terms: Terms | None = None, costs: Sequence[str] = ()
) -> Gate:
    """Check ``b`` against the baseline ``a``.

    Success must be shown non-inferior: too few tasks fail. A cost fails when it
    is shown higher; an unknown cost fails on the axis that decides and is
    otherwise passed over.

    Args:
        table: The runs of both.
        a: The baseline.
        b: What is judged.
        terms: On what terms.
        costs: The cost axes that count; all that the table has when empty.

    Raises:
        BadInputError: A configuration or an axis is not in the table.
    """
    found = compare(table, a, b, terms)
    checks = [_success(found)]
    for axis in costs:
        if axis not in table.axes:
            has = ", ".join(table.axes) or "none"
            raise BadInputError("--costs", f"no column {axis!r} in {table.source}; it has {has}")
    for axis, pair in found.costs().items():
        if costs and axis not in costs:
            continue
        unknown = pair.ratio is None
        dearer = pair.low is not None and pair.low > 1
        said = f"{NOUNS[axis]} unknown" if unknown else _ratio_text(NOUNS[axis], pair)
        checks.append(Check(axis, not (dearer or (unknown and axis == found.cost)), said))
    return Gate(all(c.passed for c in checks), tuple(checks), found)


def gate_tables(
    baseline: tuple[RunTable, str | None],
    runs: tuple[RunTable, str | None],
    terms: Terms,
    costs: Sequence[str] = (),
) -> Gate:
    """Check the runs of one table against those of another.

    The cost axes are those of the baseline: where the runs do not have the one
    that decides, the gate fails, since nothing shows that it is no higher.

    Args:
        baseline: A table, and the configuration of it; the only one when None.
        runs: The same of what is judged.
        terms: On what terms.
        costs: As in ``gate``.

    Raises:
        BadInputError: A table has several configurations and none is named, or an
            axis of ``terms`` or ``costs`` is not in the baseline.
    """
    first = _only(baseline, "--baseline-configuration")
    second = _only(runs, "--configuration")
    if first == second:
        first = f"{first} (baseline)"
    parts = [
        _columns(baseline, first, "--baseline-configuration"),
        _columns(runs, second, "--configuration"),
    ]
    # A cost that only the baseline has is unknown of the runs, and must not go unchecked.
    names = [n for n in parts[0] if n in parts[1] or n in AXES]
    unknown = [None] * len(parts[1]["task"])
    joined = {n: [*parts[0][n], *parts[1].get(n, unknown)] for n in names}
    source = f"{baseline[0].source} and {runs[0].source}"
    table = table_of_rows(source, joined)
    try:
        found = gate(table, first, second, terms, costs)
    finally:
        table.close()
    notes = (*baseline[0].notes, *runs[0].notes)
    return msgspec.structs.replace(
        found, comparison=msgspec.structs.replace(found.comparison, notes=notes)
    )


def _only(part: tuple[RunTable, str | None], option: str) -> str:
    table, wanted = part
    if wanted is not None:
        return table.find(wanted, option)
    if len(table.configurations) == 1:
        return table.configurations[0]
    some = ", ".join(map(repr, table.configurations[:5]))
    raise BadInputError(
        option, f"{table.source} has {len(table.configurations)}: name one, as {some}"
    )


def _columns(part: tuple[RunTable, str | None], name: str, option: str) -> dict[str, list[object]]:
    table = part[0]
    columns = table.columns_of(_only(part, option))
    return {"configuration": [name] * len(columns["task"]), **columns}


def junit(found: Gate) -> str:
    """The checks as JUnit XML, one test case a check."""
    failures = sum(not c.passed for c in found.checks)
    suite = ET.Element(
        "testsuite", name="leanloop gate", tests=str(len(found.checks)), failures=str(failures)
    )
    for check in found.checks:
        case = ET.SubElement(suite, "testcase", classname="leanloop.gate", name=check.name)
        if check.passed:
            ET.SubElement(case, "system-out").text = check.message
        else:
            ET.SubElement(case, "failure", message=check.message)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def markdown(found: Gate) -> str:
    """A summary for a pull request."""
    pair = found.comparison
    lines = [
        f"### leanloop gate: {'passed' if found.passed else 'failed'}",
        "",
        f"`{pair.b}` against `{pair.a}` on {pair.n_tasks:,} common tasks: {pair.sentence}.",
        "",
        "| check | | figures (95% intervals) |",
        "|---|---|---|",
        *(
            f"| {c.name} | {'pass' if c.passed else '**fail**'} | {c.message} |"
            for c in found.checks
        ),
    ]
    return "\n".join([*lines, *_listed(pair.warnings)]) + "\n"


def _listed(warnings: Sequence[str]) -> list[str]:
    return ["", *(f"- Warning: {w}" for w in warnings)] if warnings else []


def _success(found: Comparison) -> Check:
    pair, margin = found.success, f"{100 * found.margin:g} points"
    if pair.difference is None or pair.low is None or pair.high is None:
        return Check("success", passed=False, message="no common task, so nothing is shown")
    text = (
        f"{100 * pair.difference:+.1f} points ({100 * pair.low:+.1f} to {100 * pair.high:+.1f}), "
        f"n={found.n_tasks}: "
    )
    if pair.non_inferior:
        return Check("success", passed=True, message=f"{text}not worse by {margin}")
    need = f"; about {pair.tasks_needed:,} tasks would show it" if pair.tasks_needed else ""
    shown = "worse" if pair.high < 0 else f"not worse by {margin} is not shown{need}"
    return Check("success", passed=False, message=text + shown)


def _ratio_text(noun: str, pair: object) -> str:
    ratio, low, high = (getattr(pair, f) for f in ("ratio", "low", "high"))
    if low is None:
        return f"{noun} ×{ratio:.2f}, interval unknown"
    top = "no limit" if high is None else f"{high:.2f}"
    said = (
        "lower" if high is not None and high < 1 else "higher" if low > 1 else "no difference shown"
    )
    return f"{noun} ×{ratio:.2f} ({low:.2f}–{top}): {said}"
