"""Checks of an answer that need no model: what was expected, in the form that a file says it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object
from leanloop.core.message import Json

AnswerCheck: TypeAlias = Callable[[str], float]
"""An answer to its score, 0 to 1."""

NUMBER = re.compile(r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
FENCE = re.compile(r"```[a-zA-Z]*\n(.*?)```", re.DOTALL)
EDGES = " \t\r\n.!\"'`*"
"""What may stand around an answer without being part of it."""


def build_check(check: Mapping[str, Json], where: str) -> AnswerCheck:
    """The check that a task names.

    Args:
        check: One of ``exact``, ``number`` (perhaps with ``tolerance``), ``set``,
            ``regex``, ``json`` and ``python``, to what it expects.
        where: The task, for errors.

    Raises:
        BadInputError: It is none of these, or what it expects is of another kind.
    """
    kind = next((k for k in KINDS if k in check), None)
    if kind is None:
        raise BadInputError(where, f"a check takes one of {', '.join(KINDS)}, judge")
    rest = set(check) - {kind, *(("tolerance",) if kind == "number" else ())}
    if rest:
        raise BadInputError(where, f"{kind} does not go with {', '.join(sorted(rest))}")
    return KINDS[kind](check, where)


def check_of_value(expected: Json) -> dict[str, Json]:
    """The check that a plain expected value stands for, by its type."""
    if isinstance(expected, bool) or expected is None:
        return {"json": {"$": expected}}
    if isinstance(expected, int | float):
        return {"number": expected}
    if isinstance(expected, list):
        return {"set": expected}
    return {"json": {"$": expected}} if isinstance(expected, dict) else {"exact": str(expected)}


def _exact(check: Mapping[str, Json], where: str) -> AnswerCheck:
    wanted = check["exact"]
    every = wanted if isinstance(wanted, list) else [wanted]
    if not every or not all(isinstance(w, str | int | float) for w in every):
        raise BadInputError(where, "exact takes a text, or a list of texts that are all right")
    plain = {_plain(str(w)) for w in every}
    return lambda answer: float(_plain(answer) in plain)


def _number(check: Mapping[str, Json], where: str) -> AnswerCheck:
    wanted, tolerance = check["number"], check.get("tolerance", 0)
    for name, value in (("number", wanted), ("tolerance", tolerance)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInputError(where, f"{name} takes a number")

    def score(answer: str) -> float:
        # The last one, so that "3 boxes of 4 make 12" is read as 12.
        said = NUMBER.findall(answer)
        if not said:
            return 0.0
        last = float(said[-1].replace(",", ""))
        return float(math.isclose(last, wanted, rel_tol=1e-12, abs_tol=tolerance * (1 + 1e-9)))

    return score


def _set(check: Mapping[str, Json], where: str) -> AnswerCheck:
    wanted = check["set"]
    if not isinstance(wanted, list) or not wanted:
        raise BadInputError(where, "set takes a list of what has to be named")
    plain = {_plain(str(w)) for w in wanted}
    return lambda answer: float(_named(answer) == plain)


def _regex(check: Mapping[str, Json], where: str) -> AnswerCheck:
    try:
        pattern = re.compile(str(check["regex"]), re.IGNORECASE)
    except re.error as error:
        raise BadInputError(where, f"regex: {error}") from error
    return lambda answer: float(pattern.search(answer) is not None)


def _json(check: Mapping[str, Json], where: str) -> AnswerCheck:
    import jsonpath  # noqa: PLC0415 - only this check needs it

    wanted = check["json"]
    if not isinstance(wanted, dict) or not wanted:
        raise BadInputError(where, "json takes a table of paths to values")
    try:
        paths = [(jsonpath.compile(path), value) for path, value in wanted.items()]
    except jsonpath.JSONPathError as error:
        raise BadInputError(where, f"json: {str(error).splitlines()[0]}") from error

    def score(answer: str) -> float:
        value = _json_in(answer)
        if value is _NOTHING:
            return 0.0
        if not isinstance(value, dict | list):
            return float(list(wanted.items()) == [("$", value)])
        return float(all(_same(p.findall(value), expected) for p, expected in paths))

    return score


def _same(found: list[Json], expected: Json) -> bool:
    """One match has the value, or all of them make the list."""
    return found in ([expected], expected)


def _python(check: Mapping[str, Json], where: str) -> AnswerCheck:
    function = load_object(str(check["python"]), where)
    if not callable(function):
        raise BadInputError(where, f"{check['python']!r} is no function")
    return lambda answer: float(function(answer))


KINDS: dict[str, Callable[[Mapping[str, Json], str], AnswerCheck]] = {
    "exact": _exact,
    "number": _number,
    "set": _set,
    "regex": _regex,
    "json": _json,
    "python": _python,
}
"""Kind of check to what builds it."""

_NOTHING = object()


def _plain(text: str) -> str:
    return " ".join(text.strip(EDGES).casefold().split())


def _named(answer: str) -> set[str]:
    """What an answer lists: a JSON list, or parts between commas, semicolons and lines."""
    value = _json_in(answer)
    if isinstance(value, list):
        return {_plain(str(v)) for v in value}
    parts = (re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", p) for p in re.split(r"[,;\n]| and ", answer))
    return {p for p in map(_plain, parts) if p}


def _json_in(answer: str) -> Json:
    """The JSON that an answer is, fenced or bare; ``_NOTHING`` when it is none."""
    fenced = FENCE.search(answer)
    for text in (answer, fenced[1] if fenced else "", *_brackets(answer)):
        try:
            return json.loads(text)
        except ValueError:
            continue
    return _NOTHING


def _brackets(answer: str) -> list[str]:
    """From the first opening bracket of each kind to the last closing one."""
    ends = [(answer.find(a), answer.rfind(b)) for a, b in ("{}", "[]")]
    return [answer[i : j + 1] for i, j in sorted(ends) if 0 <= i < j]
