"""Plans with holes: taken from a run that was solved, filled in for a task like it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from leanloop.core.message import Json, ToolSpec
from leanloop.levers.inverted_index import words_of
from leanloop.levers.plan import fill
from leanloop.levers.trail import Made

HOLE = re.compile(r"\{(\d+)\}")
WORD = re.compile(r"[\w-]+")
WHOLE_NUMBER = re.compile(r"-?\d{1,15}")
NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
MOST_CALLS = 24
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
    """The plan of a run that was solved, as ``take_plan`` gives it."""
    plan = take_plan(prompt, made, answer, tools)
    return None if plan is None else plan[0]


def take_plan(
    prompt: str, made: Sequence[Made], answer: str | None, tools: Mapping[str, ToolSpec]
) -> tuple[Template, tuple[Made, ...]] | None:
    """The plan of a run that was solved, and the calls that it keeps.

    None where a value came from nowhere, and where the plan cannot be read back.

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
    calls = tuple(good[i] for i in kept)
    draft = _Draft(prompt, calls, tools)
    steps = draft.steps()
    if steps is None:
        return None
    text, filled = draft.text_with_holes()
    template = Template(text, steps, filled, _renumbered(source, kept))
    # A task with such marks of its own, or one value inside another, cannot be read back.
    return (template, calls) if match_template(template, prompt) == filled else None


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
    tool has are its name, its arguments with what is listed for them, and its fields.
    """
    for value in values:
        prompt = whole_word(value).sub(" ", prompt)
    new = set(words_of(prompt)) - set(words_of(template.cue))
    steps = [(tools[s.tool], s.arguments) for s in template.steps]
    used = [tool.name for tool, _ in steps]
    used += [f"{name} {source}" for _, sources in steps for name, source in sources.items()]
    own = set(words_of(" ".join((*used, template.answer or ""))))
    return bool(new & (_words_of_tools(tools.values()) - own))


def _words_of_tools(tools: Iterable[ToolSpec]) -> set[str]:
    found: list[str] = []
    for tool in tools:
        names = tool.parameters.get("properties", {})
        listed = [_schema(tool, name).get("enum", ()) for name in names]
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
        found[name] = _typed(value, _schema(tool, name))
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
        schema = _schema(self.tools[call.tool], name)
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
        writes = not all(tools[m.tool].read_only for m in made)
        if writes and said.replace(" ", "").isalpha():
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
                if not whole_word(str(value)).search(prompt):
                    source = _reference(made[:i], str(value), prompt)
                    found |= set() if source is None else {_referred(source)}
    return sorted(found)


def _referred(reference: str) -> int:
    return int(reference[2:].partition(".")[0]) - 1


def _renumbered(source: str | None, kept: Sequence[int]) -> str | None:
    if source is None or not source.startswith("#E"):
        return source
    return f"#E{kept.index(_referred(source)) + 1}.{source.partition('.')[2]}"


def _filled(source: str, values: Sequence[str], results: Mapping[str, Json]) -> Json:
    """What a source stands for; a value of the task is a value, whatever it reads like."""
    hole = HOLE.fullmatch(source)
    return fill(source, results) if hole is None else values[int(hole[1]) - 1]


def _schema(tool: ToolSpec, name: str) -> Mapping[str, Json]:
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


def _comes_back(said: str, value: Json, schema: Mapping[str, Json]) -> bool:
    """Whether the words of the task make the argument that they stood for."""
    if isinstance(value, str):
        return True
    try:
        return bool(_typed(said, schema) == value)
    except LookupError:
        return False


def _typed(value: Json, schema: Mapping[str, Json]) -> Json:
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
