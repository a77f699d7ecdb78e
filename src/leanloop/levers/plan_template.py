"""Plans with holes: read in a task like the one they came from, and filled in for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from leanloop.core.message import Json, ToolSpec
from leanloop.levers.inverted_index import words_of
from leanloop.levers.plan import fill

HOLE = re.compile(r"\{(\d{1,3})\}")
WORD = re.compile(r"[\w-]+")
WHOLE_NUMBER = re.compile(r"-?\d{1,15}")
NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
MOST_TRIES = 2_000
"""Places that are tried for the words of a template before it is given up."""


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
        fields: Names of what the calls returned when the plan was taken, used or not.
    """

    text: str
    steps: tuple[TemplateStep, ...]
    filled: tuple[str, ...] = ()
    answer: str | None = None
    fields: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What an entry that holds it is about: the words of the task, in any case."""
        return self.text.casefold()

    @property
    def cue(self) -> str:
        """The words of the task, without the holes."""
        return HOLE.sub(" ", self.text)

    @property
    def filled_text(self) -> str:
        """The task that it was taken from."""
        return HOLE.sub(lambda hole: self.filled[int(hole[1]) - 1], self.text)


def read_template(body: Json) -> Template | None:
    """The template that the body of an entry holds; None when it holds none that can be used."""
    try:
        template = msgspec.convert(body, Template)
    except (msgspec.ValidationError, RecursionError):
        return None
    sources = [a for step in template.steps for a in step.arguments.values()]
    asked = {int(h[1]) for source in sources for h in HOLE.finditer(source)}
    holes = {int(hole[1]) for hole in HOLE.finditer(template.text)}
    filled = set(range(1, len(template.filled) + 1))
    return template if template.steps and holes == filled and asked <= filled else None


def match_template(template: Template, prompt: str) -> tuple[str, ...] | None:
    """What fills the holes so that the template reads as the task.

    None when nothing does, and when two fillings do: one of them would be wrong, and
    which is not to be told from the words.
    """
    found = _Reading(template, prompt.strip()).fillings()
    return found[0] if len(found) == 1 else None


def check_filling(template: Template, prompt: str, values: Sequence[str]) -> bool:
    """Whether values that a model found may fill the holes.

    Each has to stand in the task and look like the value that stood there, and together
    they must take in every name and number of the task: one that is left over means
    that the task asks for something else.
    """
    if len(values) != len(template.filled) or not _fitting(template, values):
        return False
    if len(set(values)) < len(set(template.filled)):
        return False
    if not all(v and whole_word(v).search(prompt) for v in values):
        return False
    taken = {word for value in values for word in WORD.findall(value)}
    return taken.issuperset(_names_in(prompt))


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


def asks_for_another(
    template: Template, prompt: str, values: Sequence[str], tools: Mapping[str, ToolSpec]
) -> bool:
    """Whether a task in other words names something that tools have and the plan does not use.

    "The email of" is not "the phone of", though all the other words are the same. What a
    tool has are its name, its arguments with what is listed for them, and its fields: those
    that it is known to return, and those that it returned when the plan was taken. A field
    that the first task named and the plan answers with has to be named again, too.
    """
    for value in values:
        prompt = whole_word(value).sub(" ", prompt)
    asked, first = set(words_of(prompt)), set(words_of(template.cue))
    new = asked - first
    answered = set(words_of((template.answer or "").partition(".")[2].replace("_", " ")))
    if answered & first and not answered & asked:
        return True
    steps = [(tools[s.tool], s.arguments) for s in template.steps]
    used = [tool.name for tool, _ in steps]
    used += [f"{name} {source}" for _, sources in steps for name, source in sources.items()]
    own = set(words_of(" ".join((*used, template.answer or ""))))
    known = _words_of_tools(tools.values()) | set(words_of(" ".join(template.fields)))
    return bool(new & (known - own))


def _words_of_tools(tools: Iterable[ToolSpec]) -> set[str]:
    found: list[str] = []
    for tool in tools:
        names = tool.parameters.get("properties", {})
        listed = [schema_of(tool, name).get("enum", ()) for name in names]
        found += [tool.name, *names, *tool.result_fields, *(str(v) for e in listed for v in e)]
    return set(words_of(" ".join(found)))


def filled_arguments(
    step: TemplateStep, values: Sequence[str], results: Mapping[str, Json], tool: ToolSpec
) -> dict[str, Json]:
    """The arguments of a call.

    Raises:
        LookupError: A result has not the field that is referred to, or a value is not
            of the type that the tool takes.
    """
    found: dict[str, Json] = {}
    for name, source in step.arguments.items():
        value = _filled(source, values, results)
        if isinstance(value, dict | list):
            raise LookupError(f"{source} is not one value")
        found[name] = typed(value, schema_of(tool, name))
    return found


def filled_answer(
    template: Template, values: Sequence[str], results: Mapping[str, Json]
) -> str | None:
    """The answer; None when a model has to make it."""
    if template.answer is None:
        return None
    try:
        value = _filled(template.answer, values, results)
    except LookupError:
        return None
    return None if isinstance(value, dict | list | None) else str(value)


def whole_word(value: str) -> re.Pattern[str]:
    """The value as words of their own, in any case, and not as a part of a number.

    Scripts without upper and lower case put no space between words, so that there a
    value may stand anywhere.
    """
    before = "" if _has_no_case(value[:1]) else r"(?<!\w)(?<!\d[.,])"
    behind = "" if _has_no_case(value[-1:]) else r"(?!\w)(?![.,]\d)"
    return re.compile(before + re.escape(value) + behind, re.IGNORECASE)


def _has_no_case(character: str) -> bool:
    return character.isalpha() and character.upper() == character.lower()


def fields_of(value: Json) -> Iterator[tuple[str, Json]]:
    """Fields of a record that hold one value; those of a list are of no record in particular."""
    record = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(record, dict):
        for name, inner in record.items():
            if re.fullmatch(r"\w+", name) and isinstance(inner, str | int | float):
                yield name, inner


def _filled(source: str, values: Sequence[str], results: Mapping[str, Json]) -> Json:
    """What a source stands for; a value of the task is a value, whatever it reads like."""
    hole = HOLE.fullmatch(source)
    return fill(source, results) if hole is None else values[int(hole[1]) - 1]


def schema_of(tool: ToolSpec, name: str) -> Mapping[str, Json]:
    """What the tool's schema says of an argument."""
    found = tool.parameters.get("properties", {}).get(name, {})
    return found if isinstance(found, dict) else {}


def _types(schema: Mapping[str, Json]) -> set[str]:
    """The types that a schema names, in any of the ways to name several."""
    own = schema.get("type") or ()
    found = {own} if isinstance(own, str) else {str(t) for t in own}
    for part in (*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())):
        found |= _types(part) if isinstance(part, dict) else set()
    return found


def typed(value: Json, schema: Mapping[str, Json]) -> Json:
    """The value as the schema wants it: a number in the task was words.

    Raises:
        LookupError: The schema wants a number, and the words are none.
    """
    types = _types(schema)
    if types == {"string"} and not isinstance(value, str):
        return str(value)
    if not isinstance(value, str) or "string" in types:
        return value
    if types & {"integer", "number"} and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if "number" in types and NUMBER.fullmatch(value):
        return float(value)
    if types & {"integer", "number"}:
        raise LookupError(f"{value} is no number")
    return value


@dataclass
class _Reading:
    """The ways in which a template reads as a task, found within a bounded number of tries."""

    template: Template
    prompt: str

    def __post_init__(self) -> None:
        parts = HOLE.split(self.template.text)
        words = [r"\s+".join(map(re.escape, re.split(r"\s+", part))) for part in parts[::2]]
        words[-1] += r"\Z"
        self._between = [re.compile(part, re.IGNORECASE) for part in words]
        self._holes = [int(number) - 1 for number in parts[1::2]]
        self._tries = MOST_TRIES
        self._found: dict[tuple[str, ...], None] = {}

    def fillings(self) -> list[tuple[str, ...]]:
        """Up to two of them; none where it takes too many tries to tell."""
        begins = self._between[0].match(self.prompt)
        if begins is None:
            return []
        if not self._holes:
            return [()]
        tail = self._between[-1].search(self.prompt, begins.end())
        if tail is not None:
            self._read(0, (begins.end(), tail.start()), {})
        return [] if self._tries <= 0 else list(self._found)

    def _read(self, at: int, rest: tuple[int, int], values: dict[int, str]) -> None:
        """Read on from a hole, in what is left between the first words and the last."""
        if at == len(self._holes):
            self._found[tuple(values[i] for i in range(len(values)))] = None
            return
        hole = self._holes[at]
        old = self.template.filled[hole]
        for end, after in self._ends(at, rest):
            self._tries -= 1
            value = self.prompt[rest[0] : end].strip()
            if self._tries <= 0 or len(self._found) > 1 or not _close(value, old):
                return
            known = values.get(hole, value)
            fits = value and _shape(value) <= _shape(old)
            if fits and known.casefold() == value.casefold():
                self._read(at + 1, (after, rest[1]), {**values, hole: known})

    def _ends(self, at: int, rest: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Where a hole, of a character or more, may end, and the next begin."""
        start, stop = rest
        if at + 1 == len(self._holes):
            yield from [(stop, stop)] if stop > start else []
            return
        found = self._between[at + 1].search(self.prompt, start + 1, stop)
        while found is not None:
            yield found.span()
            found = self._between[at + 1].search(self.prompt, found.start() + 1, stop)


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
