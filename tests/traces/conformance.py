"""What every reader of traces must do: subclass and give it."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanloop.traces.builtin import reader_of
from leanloop.traces.protocol import Reader, Wanted
from leanloop.traces.reading import head_of
from leanloop.traces.source import Source
from leanloop.traces.trace import ACT, Role, TraceRun, conversation

ODD: tuple[object, ...] = (
    None,
    True,
    -1,
    1e400,
    10**30,
    "",
    "\ud800",
    [],
    {},
    [[]],
    {"": None},
    "x" * 3000,
)
"""What damaged or newer files may have where something else was meant."""

DAMAGE = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 40), st.binary(max_size=20)),
    min_size=1,
    max_size=8,
)
"""Where, as a share of the file, how many bytes go, and what comes in their place."""


def runs_of(reader: Reader, *paths: Path, contents: bool = True) -> tuple[list[TraceRun], int]:
    """The runs, and how many things were skipped."""
    sources = [Source(p) for p in paths]
    runs = list(reader.read(sources, Wanted(contents)))
    return runs, sum(sum(s.skipped.values()) for s in sources)


def check(run: TraceRun) -> None:
    """What holds for every run, however damaged its file was."""
    assert run.run_id
    for call in run.calls:
        assert call.purpose == ACT or (call.kept, call.added) == (0, ())
        counts, tokens = call.counts, call.counts.tokens
        for n in (counts.input_tokens, counts.output_tokens, *msgspec.structs.astuple(tokens)):
            assert n is None or (isinstance(n, int) and not isinstance(n, bool) and n >= 0)
        if tokens.input_tokens is not None and counts.input_tokens is not None:
            assert tokens.input_tokens >= counts.input_tokens or tokens.cache_read_tokens == 0
        assert call.usd is None or call.usd >= 0
        assert call.latency_s is None or call.latency_s >= 0
        assert call.response is None or call.response.role == Role.ASSISTANT
    size = 0
    for call in run.acts:
        assert 0 <= call.kept <= size
        size = call.kept + len(call.added) + (call.response is not None)
    for _, entries in conversation(run):
        assert all(e.chars >= 0 for e in entries)
    assert run.success is None or 0 <= run.success <= 1
    msgspec.json.encode(msgspec.to_builtins(_without_messages(run)))


def _without_messages(run: TraceRun) -> TraceRun:
    """Contents may hold what JSON cannot; the rest may not."""
    if run.calls and any(e.message for c in run.calls for e in c.added):
        return msgspec.structs.replace(run, calls=(), tail=())
    return run


def json_places(value, path=()):
    """Every place in a JSON value."""
    yield path
    inner = list(value.items()) if isinstance(value, dict) else []
    inner = list(enumerate(value)) if isinstance(value, list) else inner
    for key, child in inner:
        yield from json_places(child, (*path, key))


def put(value, path, new):
    """The value with another one at a place."""
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


class ReaderConformance:
    """Give ``reader`` and ``sample``, a small good file of the format with at least one run.

    Set ``TEXT`` to False where the format is no text, ``SECRET`` to words that stand in the
    sample's contents and nowhere else.
    """

    TEXT = True
    SECRET = ""
    MUTATIONS = 30

    @pytest.fixture
    def reader(self) -> Reader:
        raise NotImplementedError

    @pytest.fixture
    def sample(self) -> Path:
        raise NotImplementedError

    def test_the_sample_is_read_without_a_loss(self, reader, sample):
        runs, skipped = runs_of(reader, sample)
        assert runs
        assert skipped == 0
        for run in runs:
            check(run)
            assert (run.format, run.source) == (reader.card.name, str(sample))
        assert len({r.run_id for r in runs}) == len(runs)

    def test_its_format_is_told_from_its_head(self, reader, sample):
        assert reader_of(head_of(Source(sample)), "sample") is reader

    def test_a_packed_file_is_the_same(self, reader, sample, tmp_path):
        packed = tmp_path / f"{sample.name}.gz"
        packed.write_bytes(gzip.compress(sample.read_bytes()))
        if not self.TEXT:
            pytest.skip("the format is packed already")
        assert reader_of(head_of(Source(packed)), "sample") is reader
        plain, _ = runs_of(reader, sample)
        unpacked, _ = runs_of(reader, packed)
        named = {"source": "", "run_id": "", "parent_id": ""}
        assert [msgspec.structs.replace(r, **named) for r in plain] == [
            msgspec.structs.replace(r, **named) for r in unpacked
        ]

    def test_without_contents_the_sizes_are_the_same(self, reader, sample):
        full, _ = runs_of(reader, sample)
        bare, _ = runs_of(reader, sample, contents=False)
        for run, small in zip(full, bare, strict=True):
            assert [c.counts for c in run.calls] == [c.counts for c in small.calls]
            assert [c.kept for c in run.calls] == [c.kept for c in small.calls]
            for a, b in zip(run.calls, small.calls, strict=True):
                assert [e.role for e in a.added] == [e.role for e in b.added]
                assert [e.call_id for e in a.added] == [e.call_id for e in b.added]
                assert all(e.message is None for e in b.added)
                assert b.response is None or b.response.message is None

    def test_contents_are_kept_when_wanted(self, reader, sample):
        full, _ = runs_of(reader, sample)
        entries = [e for r in full for c in r.calls for e in c.added]
        assert not entries or any(e.message is not None for e in entries)

    def test_no_secret_is_left_without_contents(self, reader, sample):
        bare, _ = runs_of(reader, sample, contents=False)
        if self.SECRET:
            assert self.SECRET.encode() in sample.read_bytes() or not self.TEXT
            assert self.SECRET.encode() not in msgspec.json.encode(bare)

    def test_a_call_is_answered_by_the_tool_that_it_named(self, reader, sample):
        runs, _ = runs_of(reader, sample)
        for run in runs:
            names: dict[str, str] = {}
            for call in run.acts:
                for entry in call.added:
                    if entry.role == Role.TOOL and entry.call_id in names:
                        assert entry.tool == names[entry.call_id]
                for mark in call.response.calls if call.response else ():
                    names[mark.call_id] = mark.name

    def test_reading_twice_gives_the_same(self, reader, sample):
        assert runs_of(reader, sample) == runs_of(reader, sample)

    def test_a_file_that_is_cut_off_anywhere_is_read_as_far_as_it_goes(
        self, reader, sample, tmp_path
    ):
        data = sample.read_bytes()
        whole, _ = runs_of(reader, sample)
        cuts = random.Random(1).sample(range(len(data)), min(self.MUTATIONS, len(data)))
        for cut in [*cuts, 0, len(data) - 2]:
            short = tmp_path / sample.name
            short.write_bytes(data[:cut])
            runs, _ = runs_of(reader, short)
            assert len(runs) <= len(whole)
            for run in runs:
                check(run)

    def test_any_value_anywhere_is_survived(self, reader, sample, tmp_path):
        if not self.TEXT:
            pytest.skip("the format is no text")
        chance, data = random.Random(2), sample.read_text()
        lines = data.splitlines() if _is_lines(data) else [data]
        broken = tmp_path / sample.name
        for _ in range(self.MUTATIONS):
            at = chance.randrange(len(lines))
            value = json.loads(lines[at])
            place = chance.choice(list(json_places(value)))
            changed = json.dumps(put(value, place, chance.choice(ODD)))
            broken.write_text("\n".join([*lines[:at], changed, *lines[at + 1 :]]))
            for contents in (True, False):
                runs, _ = runs_of(reader, broken, contents=contents)
                for run in runs:
                    check(run)

    @settings(
        max_examples=30,
        deadline=None,
        database=None,  # each reader's subclass has a sample of its own
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            # Each reader's subclass runs this; nothing is kept between them.
            HealthCheck.differing_executors,
        ],
    )
    @given(damage=DAMAGE)
    def test_damaged_bytes_are_survived(self, reader, sample, tmp_path, damage):
        raw = bytearray(sample.read_bytes())
        for place, size, new in damage:
            at = int(place * len(raw))
            raw[at : at + size] = new
        broken = tmp_path / sample.name
        broken.write_bytes(raw)
        runs, _ = runs_of(reader, broken)
        for run in runs:
            check(run)

    def test_junk_between_the_lines_is_counted(self, reader, sample, tmp_path):
        data = sample.read_text() if self.TEXT else ""
        if not _is_lines(data):
            pytest.skip("the format is no JSON lines")
        first, *rest = data.splitlines()
        junk = tmp_path / sample.name
        junk.write_text("\n".join([first, "{half", "\x00\x01", *rest]) + "\n[1, 2]\n{\n")
        whole, _ = runs_of(reader, sample)
        runs, skipped = runs_of(reader, junk)
        assert skipped >= 3
        assert [len(r.calls) for r in runs] == [len(r.calls) for r in whole]


def _is_lines(data: str) -> bool:
    lines = data.splitlines()
    try:
        return len(lines) > 1 and all(isinstance(json.loads(x), dict) for x in lines)
    except ValueError:
        return False
