"""Plans with holes, taken from runs that were solved."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from leanloop.core.message import Json, ToolSpec
from leanloop.levers.inverted_index import words_of
from leanloop.levers.plan_template import (
    Template,
    TemplateStep,
    fields_of,
    match_template,
    schema_of,
    typed,
    whole_word,
)
from leanloop.levers.trail import Made

MOST_CALLS = 24
"""A run of more calls than that is not made into a plan."""
MOST_FIELDS = 100
"""Names of fields that a plan keeps, at most."""


def take_template(
    prompt: str, made: Sequence[Made], answer: str | None, tools: Mapping[str, ToolSpec]
) -> Template | None:
    """The plan of a run that was solved, as ``take_plan`` gives it."""
    plan = take_plan(prompt, made, answer, tools)
    return None if plan is None else plan[0]


def take_plan(
    prompt: str, made: Sequence[Made], answer: str | None, tools: Mapping[str, ToolSpec]
) -> tuple[Template, tuple[Made, ...]] | None:
    """The plan of a run that was solved, and the calls that it keeps.

    None where a value came from nowhere, where the plan cannot be read back, and where
    something was changed after a look at something else that no call or answer took a
    value from: whether to change it may have hung on that, and a plan does not judge.
    A tool that does not say what it is counts as both.

    Each value of each call has to be in the task, in an earlier result, or among those
    that the tool's schema lists; what comes from nowhere would not be right for another
    task. Calls that failed, were repeated, or led to nothing are left out.

    Args:
        prompt: The task.
        made: The calls, in order.
        answer: The agent's answer.
        tools: The tools there are, by name.
    """
    good = _distinct([m for m in made if not m.is_error and m.tool in tools])
    if not good or len(good) > MOST_CALLS:
        return None
    source = _answer_source(prompt, good, answer, tools)
    taken = _taken_from(prompt, good)
    if _may_have_judged(good, _answered_by(source).union(*taken), tools):
        return None
    kept = _useful(good, taken, source, tools)
    calls = tuple(good[i] for i in kept)
    draft = _Draft(prompt, calls, tools)
    steps = draft.steps()
    if steps is None:
        return None
    text, filled = draft.text_with_holes()
    fields = tuple({name: None for m in calls for name, _ in fields_of(m.value)})[:MOST_FIELDS]
    template = Template(text, steps, filled, _renumbered(source, kept), fields)
    # A task with such marks of its own, or one value inside another, cannot be read back.
    return (template, calls) if match_template(template, prompt) == filled else None


@dataclass
class _Draft:
    """A template in the making."""

    prompt: str
    made: Sequence[Made]
    tools: Mapping[str, ToolSpec]

    def __post_init__(self) -> None:
        self._values: list[str] = []

    def steps(self) -> tuple[TemplateStep, ...] | None:
        """The calls; None where a value came from nowhere."""
        found = []
        for i, call in enumerate(self.made):
            sources = {n: self._source(i, call, n, v) for n, v in call.arguments.items()}
            known = {n: s for n, s in sources.items() if s is not None}
            if len(known) < len(sources):
                return None
            found.append(TemplateStep(call.tool, known))
        return tuple(found)

    def text_with_holes(self) -> tuple[str, tuple[str, ...]]:
        """The task with holes, numbered as the calls need them, and what filled them."""
        places = sorted(range(len(self._values)), key=lambda i: -len(self._values[i]))
        text = self.prompt.strip()
        if places:
            # All at once: the number of a hole is no value of the task.
            every = "|".join(f"({whole_word(self._values[i]).pattern})" for i in places)
            holes = re.compile(every, re.IGNORECASE)
            text = holes.sub(lambda found: f"{{{places[(found.lastindex or 1) - 1] + 1}}}", text)
        return text, tuple(self._values)

    def _source(self, at: int, call: Made, name: str, value: Json) -> str | None:
        if isinstance(value, dict | list | bool | None):
            return None
        text = str(value)
        if not text.strip():
            return None
        schema = schema_of(self.tools[call.tool], name)
        said = whole_word(text).search(self.prompt)
        if said is not None:
            return self._hole(said[0]) if _comes_back(said[0], value, schema) else None
        found = _reference(self.made[:at], text, self.prompt)
        if found is not None:
            return found
        return text if value in schema.get("enum", ()) else None

    def _hole(self, value: str) -> str:
        if value not in self._values:
            self._values.append(value)
        return f"{{{self._values.index(value) + 1}}}"


def _distinct(made: Sequence[Made]) -> list[Made]:
    """Without calls that were made before, so that each result is referred to in one way."""
    found: list[Made] = []
    for call in made:
        if all((call.tool, call.arguments) != (f.tool, f.arguments) for f in found):
            found.append(call)
    return found


def _answer_source(
    prompt: str, made: Sequence[Made], answer: str | None, tools: Mapping[str, ToolSpec]
) -> str | None:
    said = (answer or "").strip().rstrip(".")
    if not said:
        return None
    if not whole_word(said).search(prompt):
        found = _reference(made, said, prompt)
        if found is not None and _is_read_off(found, said, made, prompt):
            return found
        # Only behind a change is an answer a word of its own; else it says what was seen.
        if tools[made[-1].tool].read_only is False and said.replace(" ", "").isalpha():
            return said
    return None


def _is_read_off(reference: str, said: str, made: Sequence[Made], prompt: str) -> bool:
    """Whether an answer was read off a field, and does not stand in it by chance.

    A field that the task names is meant. Another may be where the answer stands, but not
    if calls came behind it, or if the answer is how many there are of something.
    """
    if set(words_of(prompt)) & set(words_of(reference.partition(".")[2].replace("_", " "))):
        return True
    counts = {str(n) for call in made for n in _lengths(call.value)}
    return _referred(reference) == len(made) - 1 and said not in counts


def _lengths(value: Json) -> Iterator[int]:
    """How long the lists of a result are."""
    if isinstance(value, list):
        yield len(value)
    record = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(record, dict):
        yield from (len(inner) for inner in record.values() if isinstance(inner, list))


def _reference(made: Sequence[Made], text: str, prompt: str) -> str | None:
    """Where a value stands in results: a field that the task names first, then the latest.

    None where it stands nowhere, and where two fields of a record have it and the task
    says not which: they will not have the same value another time.
    """
    asked = set(words_of(prompt))
    found: list[tuple[int, int, str]] = []
    for i, call in enumerate(made):
        for field, value in fields_of(call.value):
            if str(value).casefold() == text.casefold():
                named = len(asked & set(words_of(field.replace("_", " "))))
                found.append((-named, -i, f"#E{i + 1}.{field}"))
    found.sort()
    if not found or any(other[:2] == found[0][:2] for other in found[1:]):
        return None
    return found[0][2]


def _useful(
    made: Sequence[Made],
    taken: Sequence[Collection[int]],
    answer: str | None,
    tools: Mapping[str, ToolSpec],
) -> list[int]:
    """Calls that the answer or a change of state came from; all where the answer was worked out."""
    writes = {i for i, m in enumerate(made) if not tools[m.tool].read_only}
    found = writes | _answered_by(answer)
    if not found:
        return list(range(len(made)))
    for i in range(len(made) - 1, -1, -1):
        if i in found:
            found |= set(taken[i])
    return sorted(found)


def _taken_from(prompt: str, made: Sequence[Made]) -> list[set[int]]:
    """For each call the earlier ones that it took a value from."""
    found: list[set[int]] = []
    for i, call in enumerate(made):
        values = [str(v) for v in call.arguments.values()]
        sources = [_reference(made[:i], v, prompt) for v in values if not _said(v, prompt)]
        found.append({_referred(source) for source in sources if source is not None})
    return found


def _said(value: str, prompt: str) -> bool:
    return whole_word(value).search(prompt) is not None


def _answered_by(answer: str | None) -> set[int]:
    """The call that the answer is a value of, if it is one."""
    return {_referred(answer)} if answer is not None and answer.startswith("#E") else set()


def _may_have_judged(
    made: Sequence[Made], used: Collection[int], tools: Mapping[str, ToolSpec]
) -> bool:
    """Whether a call that may change something came after a look that went into nothing.

    A tool that does not say whether it changes something may, and may be a look as well.
    """
    says = [tools[m.tool].read_only for m in made]
    last = max((i for i, read_only in enumerate(says) if not read_only), default=0)
    return any(says[i] is not False and i not in used for i in range(last))


def _referred(reference: str) -> int:
    return int(reference[2:].partition(".")[0]) - 1


def _renumbered(source: str | None, kept: Sequence[int]) -> str | None:
    if source is None or not source.startswith("#E"):
        return source
    return f"#E{kept.index(_referred(source)) + 1}.{source.partition('.')[2]}"


def _comes_back(said: str, value: Json, schema: Mapping[str, Json]) -> bool:
    """Whether the words of the task make the argument that they stood for."""
    if isinstance(value, str):
        return True
    try:
        return bool(typed(said, schema) == value)
    except LookupError:
        return False
