"""Plans with holes: taken from a run that was solved, filled in for a task like it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from leanloop.core.message import Json, ToolSpec
from leanloop.levers.inverted_index import words_of
from leanloop.levers.plan import fill
from leanloop.levers.trail import Made

HOLE = re.compile(r"\{(\d+)\}")
WORD = re.compile(r"[\w-]+")
MOST_CALLS = 24


class TemplateStep(msgspec.Struct, frozen=True):
    """One call: an argument is a constant, ``{1}`` for a hole, or ``#E1.field`` for a result."""

    tool: str
    arguments: dict[str, str]


class Template(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one kind of task is solved.

    Attributes:
        text: The task with holes, ``{1}`` and on, where values stood.
        steps: The calls in order; the first is ``E1``.
        filled: The values that the holes had in the task it was taken from.
        answer: The answer as a reference or a constant; None when a model has to
            make it from what the calls returned.
    """

    text: str
    steps: tuple[TemplateStep, ...]
    filled: tuple[str, ...] = ()
    answer: str | None = None

    @property
    def cue(self) -> str:
        """The words of the task, without the holes."""
        return HOLE.sub(" ", self.text)

    @property
    def filled_text(self) -> str:
        """The task that it was taken from."""
        return HOLE.sub(lambda hole: self.filled[int(hole[1]) - 1], self.text)


def take_template(
    prompt: str, made: Sequence[Made], answer: str | None, tools: Mapping[str, ToolSpec]
) -> Template | None:
    """The plan of a run that was solved; None where a value came from nowhere.

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
    kept = _useful(prompt, good, source, tools)
    draft = _Draft(prompt, [good[i] for i in kept], tools)
    steps = draft.steps()
    if steps is None:
        return None
    text, filled = draft.text_with_holes()
    return Template(text, steps, filled, _renumbered(source, kept))


def match_template(template: Template, prompt: str) -> tuple[str, ...] | None:
    """What fills the holes so that the template reads as the task; None when nothing does."""
    pattern, seen = "", set[str]()
    for i, part in enumerate(HOLE.split(template.text)):
        if i % 2 == 0:
            pattern += r"\s+".join(map(re.escape, re.split(r"\s+", part)))
        else:
            pattern += f"(?P=h{part})" if part in seen else f"(?P<h{part}>.+?)"
            seen.add(part)
    found = re.fullmatch(pattern, prompt.strip(), re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    values = tuple(found[f"h{i + 1}"].strip() for i in range(len(template.filled)))
    return values if _fitting(template, values) else None


def check_filling(template: Template, prompt: str, values: Sequence[str]) -> bool:
    """Whether values that a model found may fill the holes.

    Each has to stand in the task and look like the value that stood there, and together
    they must take in every name and number of the task: one that is left over means
    that the task asks for something else.
    """
    if len(values) != len(template.filled) or not _fitting(template, values):
        return False
    if not all(v in prompt for v in values) or len(set(values)) < len(set(template.filled)):
        return False
    taken = " ".join(values)
    return all(name in taken for name in _names_in(prompt))


def fill_by_look(template: Template, prompt: str) -> tuple[str, ...] | None:
    """What fills the holes, where just one name of the task looks like what stood in each.

    A name is a run of words with a capital or a digit. Two holes that look alike cannot
    be told apart, nor can one that held plain words; then, and where a name is left over,
    there is no filling.
    """
    looks = [_shape(v) for v in template.filled]
    if any("small" in look for look in looks):
        return None
    names = _runs_of_names(prompt)
    chosen = []
    for look in looks:
        fitting = [n for n in names if _shape(n) == look]
        if len(fitting) != 1:
            return None
        chosen.append(fitting[0])
    return tuple(chosen) if check_filling(template, prompt, chosen) else None


def likeness(template: Template, prompt: str) -> float:
    """How many words the task and the template share, 0 to 1 (Dice), names left out."""
    rest = prompt
    for name in sorted(_names_in(prompt), key=len, reverse=True):
        rest = rest.replace(name, " ")
    own, other = set(words_of(rest)), set(words_of(template.cue))
    return 2 * len(own & other) / max(len(own) + len(other), 1)


def filled_arguments(
    step: TemplateStep, values: Sequence[str], results: Mapping[str, Json], tool: ToolSpec
) -> dict[str, Json]:
    """The arguments of a call.

    Raises:
        LookupError: A result has not the field that is referred to.
    """
    properties = tool.parameters.get("properties", {})
    found: dict[str, Json] = {}
    for name, source in step.arguments.items():
        value = fill(_with_values(source, values), results)
        if isinstance(value, dict | list):
            raise LookupError(f"{source} is not one value")
        found[name] = _typed(value, properties.get(name, {}))
    return found


def filled_answer(
    template: Template, values: Sequence[str], results: Mapping[str, Json]
) -> str | None:
    """The answer; None when a model has to make it."""
    if template.answer is None:
        return None
    try:
        value = fill(_with_values(template.answer, values), results)
    except LookupError:
        return None
    return None if isinstance(value, dict | list | None) else str(value)


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
        """The task with holes, numbered as they come up in it, and what filled them."""
        text = self.prompt.strip()
        for i in sorted(range(len(self._values)), key=lambda i: -len(self._values[i])):
            text = _whole(self._values[i]).sub(f"{{{i + 1}}}", text)
        return text, tuple(self._values)

    def _source(self, at: int, call: Made, name: str, value: Json) -> str | None:
        if isinstance(value, dict | list | bool | None):
            return None
        text = str(value)
        if not text.strip():
            return None
        schema = self.tools[call.tool].parameters.get("properties", {}).get(name, {})
        if _whole(text).search(self.prompt):
            return self._hole(text)
        found = _references(self.made[:at], text, self.prompt)
        if found:
            return found[0]
        return text if value in schema.get("enum", ()) else None

    def _hole(self, text: str) -> str:
        said = _whole(text).search(self.prompt)
        value = text if said is None else said[0]
        if value not in self._values:
            self._values.append(value)
        return f"{{{self._values.index(value) + 1}}}"


def _whole(value: str) -> re.Pattern[str]:
    """The value as words of their own, in any case."""
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)


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
    if not _whole(said).search(prompt):
        found = _references(made, said, prompt)
        if found:
            return found[0]
        writes = not all(tools[m.tool].read_only for m in made)
        if writes and said.replace(" ", "").isalpha():
            return said
    return None


def _references(made: Sequence[Made], text: str, prompt: str) -> list[str]:
    """Where a value stands in results: fields that the task names first, then the latest."""
    asked = set(words_of(prompt))
    found: list[tuple[int, int, str]] = []
    for i, call in enumerate(made):
        for field, value in fields_of(call.value):
            if str(value).casefold() == text.casefold():
                named = len(asked & set(words_of(field.replace("_", " "))))
                found.append((-named, -i, f"#E{i + 1}.{field}"))
    return [reference for *_, reference in sorted(found)]


def fields_of(value: Json) -> Iterator[tuple[str, Json]]:
    """Fields of a record that hold one value; those of a list are of no record in particular."""
    record = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(record, dict):
        for name, inner in record.items():
            if re.fullmatch(r"\w+", name) and isinstance(inner, str | int | float):
                yield name, inner


def _useful(
    prompt: str, made: Sequence[Made], answer: str | None, tools: Mapping[str, ToolSpec]
) -> list[int]:
    """Calls that the answer or a change of state came from; all where the answer was worked out."""
    writes = {i for i, m in enumerate(made) if not tools[m.tool].read_only}
    found = set(writes)
    if answer is not None and answer.startswith("#E"):
        found.add(_referred(answer))
    elif not writes:
        return list(range(len(made)))
    for i in range(len(made) - 1, -1, -1):
        if i in found:
            for value in made[i].arguments.values():
                if not _whole(str(value)).search(prompt):
                    found |= {_referred(r) for r in _references(made[:i], str(value), prompt)[:1]}
    return sorted(found)


def _referred(reference: str) -> int:
    return int(reference[2:].partition(".")[0]) - 1


def _renumbered(source: str | None, kept: Sequence[int]) -> str | None:
    if source is None or not source.startswith("#E"):
        return source
    return f"#E{kept.index(_referred(source)) + 1}.{source.partition('.')[2]}"


def _with_values(source: str, values: Sequence[str]) -> str:
    hole = HOLE.fullmatch(source)
    return source if hole is None else values[int(hole[1]) - 1]


def _typed(value: Json, schema: Mapping[str, Json]) -> Json:
    """The value as the schema wants it: a number in the task was words."""
    if schema.get("type") == "string" and not isinstance(value, str):
        return str(value)
    if schema.get("type") in ("integer", "number") and isinstance(value, str):
        return int(value) if re.fullmatch(r"-?\d{1,15}", value) else value
    return value


def _fitting(template: Template, values: Sequence[str]) -> bool:
    """Whether each value looks like the one that stood there."""
    pairs = zip(values, template.filled, strict=True)
    return all(_shape(new) <= _shape(old) and _close(new, old) for new, old in pairs)


def _shape(value: str) -> set[str]:
    """The kinds of word in a value: with a digit, with a capital, or neither."""
    return {_kind(word) for word in WORD.findall(value)} or {"other"}


def _kind(word: str) -> str:
    if any(c.isdigit() for c in word):
        return "digit"
    return "capital" if word[0].isupper() else "small"


def _close(new: str, old: str) -> bool:
    return len(WORD.findall(new)) <= len(WORD.findall(old)) + 1


def _names_in(prompt: str) -> list[str]:
    """Words with a digit, and with a capital where no sentence begins."""
    found = []
    for match in WORD.finditer(prompt):
        begins = re.search(r"(?:^|[.!?:]\s+)$", prompt[: match.start()]) is not None
        kind = _kind(match[0])
        if kind == "digit" or (kind == "capital" and not begins):
            found.append(match[0])
    return found


def _runs_of_names(prompt: str) -> list[str]:
    """Names of the task, those that stand side by side as one, each once."""
    names = set(_names_in(prompt))
    found: dict[str, None] = {}
    run: list[str] = []
    for part in re.findall(r"[\w-]+|[^\w\s-]", prompt):
        # Of "Ana Ruiz's" the last word is what the mark of the genitive leaves.
        if part in names:
            run.append(part)
            continue
        if run:
            found[" ".join(run)] = None
        run = []
    if run:
        found[" ".join(run)] = None
    return list(found)
