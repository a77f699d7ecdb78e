"""Files and folders of traces: which reader reads what, and what is said of the rest."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from leanloop.core.errors import BadInputError
from leanloop.core.message import AssistantMessage, UserMessage
from leanloop.traces import builtin
from leanloop.traces.protocol import Head, ReaderCard, Wanted
from leanloop.traces.reading import Reading, head_of
from leanloop.traces.source import Source
from leanloop.traces.thread import Thread
from leanloop.traces.trace import TraceCall, TraceRun, conversation


class TinyReader:
    """Lines of {"tiny": question, "answer": answer}; each file is one run."""

    card = ReaderCard("tiny", "Tests.", "the field tiny", "This test.")

    def claims(self, head: Head) -> bool:
        return any("tiny" in line for line in head.lines)

    def read(self, sources, wanted):
        for source in sources:
            thread, made = Thread(keep=wanted.contents), []
            for number, line in source.objects():
                if not isinstance(line.get("tiny"), str):
                    source.skip("a line has no question", f"line {number}")
                    continue
                thread.wait(thread.entry(UserMessage(line["tiny"])))
                answer = thread.entry(AssistantMessage(str(line.get("answer"))))
                made.append(TraceCall(*thread.next(answer), answer))
            yield TraceRun(source.name, source.name, self.card.name, tuple(made))


@pytest.fixture
def tiny(monkeypatch):
    """The only other reader there is, as if another package had it."""
    point = EntryPoint("tiny", f"{__name__}:READER", builtin.ENTRY_POINT_GROUP)
    monkeypatch.setattr(builtin, "entry_points", lambda group: [point])
    return READER


READER = TinyReader()


def write(path: Path, *lines: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(x) for x in lines))
    return path


def test_a_reader_of_another_package_reads_what_it_claims(tiny, tmp_path):
    file = write(tmp_path / "x.log", {"tiny": "why", "answer": "so"}, {"tiny": "what"}, {})
    reading = Reading([file], Wanted(contents=True))
    (run,) = reading
    assert (run.format, len(run.calls), reading.formats) == ("tiny", 2, {"tiny": 1})
    (skipped,) = reading.skipped
    assert (skipped.count, skipped.first, skipped.source) == (1, "line 3", str(file))
    sizes = [[e.chars for e in request] for _, request in conversation(run)]
    assert sizes == [[3], [3, 2, 4]]


def test_a_folder_is_searched_and_what_nobody_knows_is_listed(tiny, tmp_path):
    a = write(tmp_path / "a.jsonl", {"tiny": "1"})
    b = write(tmp_path / "in" / "b.json", {"tiny": "2"})
    odd = write(tmp_path / "in" / "odd.json", {"else": 1})
    write(tmp_path / "notes.txt", {"tiny": "not looked at"})
    reading = Reading([tmp_path], Wanted())
    assert [r.source for r in reading] == [str(a), str(b)]
    assert reading.unknown == [str(odd)]


def test_a_file_nobody_knows_is_one_line_that_says_what_was_looked_for(tiny, tmp_path):
    file = write(tmp_path / "x.json", {"else": 1})
    with pytest.raises(
        BadInputError, match=r"x\.json: .*looked for .*tiny \(the field tiny\)"
    ) as e:
        Reading([file], Wanted())
    assert "\n" not in str(e.value)


def test_a_folder_without_a_trace_is_one_line(tiny, tmp_path):
    write(tmp_path / "x.json", {"else": 1})
    with pytest.raises(BadInputError, match="has no trace that leanloop knows"):
        Reading([tmp_path], Wanted())


def test_a_format_that_is_named_is_not_guessed(tiny, tmp_path):
    file = write(tmp_path / "x.json", {"else": 1})
    reading = Reading([file], Wanted(), "tiny")
    assert [len(r.calls) for r in reading] == [0]
    with pytest.raises(BadInputError, match="--format: no format 'huge'; there are tiny"):
        Reading([file], Wanted(), "huge")


def test_a_built_in_reader_is_not_replaced_by_a_package(tiny, monkeypatch):
    mine = TinyReader()
    monkeypatch.setattr(builtin, "BUILT_IN", {"tiny": mine})
    assert builtin.all_readers()["tiny"] is mine


def test_an_empty_file_is_unknown_and_not_a_crash(tiny, tmp_path):
    empty = tmp_path / "x.json"
    empty.write_bytes(b"")
    assert head_of(Source(empty)).starts_with == b""
    with pytest.raises(BadInputError, match="is no trace"):
        Reading([empty], Wanted())


def test_a_request_told_as_a_whole_is_what_changed():
    thread = Thread(keep=False)
    say = [thread.entry(UserMessage(t)) for t in "abc"]
    said = thread.entry(AssistantMessage("x"))
    assert thread.whole(say[:2], said) == (0, tuple(say[:2]))
    assert thread.whole([*say[:2], said, say[2]], None) == (3, (say[2],))
    assert thread.whole([say[0], say[2]], said) == (1, (say[2],))
    thread.wait(say[1])
    assert thread.tail == (say[1],)
    assert thread.next(None) == (3, (say[1],))


@pytest.mark.parametrize("number", ["0e" + "8" * 57, "9" * 5000, "1e999999999", "-" + "7" * 4301])
@pytest.mark.parametrize("shape", ["{}", '[{{"task_id": {}}}]', '{{"trajectory": [{}]}}'])
def test_a_number_that_no_number_can_hold_ends_no_reader(tmp_path, number, shape):
    """Found by fuzzing: a JSON reader raised decimal.InvalidOperation."""
    file = tmp_path / "log.json"
    file.write_text(shape.format(number))
    for reader in builtin.BUILT_IN.values():
        reader.claims(head_of(Source(file)))
        if reader.card.name not in {"inspect", "leanloop-store"}:
            list(reader.read([Source(file)], Wanted()))
