"""``leanloop memory``: list, show, forget, export and import."""

from __future__ import annotations

import json

import msgspec
import pytest

from leanloop.cli.memory import Action, memory
from leanloop.cli.run import run
from leanloop.core.errors import BadInputError
from leanloop.core.memory import MOST_BYTES, Demote, Entry, Kind, Put
from leanloop.store.sql import SqlStore
from tests.command_line import leanloop

PLAN = {
    "text": "Phone of {1}?",
    "steps": [{"tool": "get_person", "arguments": {"name": "{1}"}}],
    "filled": ["Ana"],
}
FACT = {"tool": "get_team", "arguments": {"name": "Blue"}, "fields": {"lead": "Ana"}}
GOOD = Entry(Kind.PLAN, "good", "get_person", "phone extension", PLAN)
BAD = Entry(Kind.FACT, "bad", "get_team", "team lead", FACT)


@pytest.fixture
def store(tmp_path):
    opened = SqlStore(tmp_path / "s.sqlite")
    opened.memory("office").apply([Put(GOOD), Put(BAD), Demote(BAD.entry_id)], 10)
    opened.close()
    return tmp_path / "s.sqlite"


def said(*arguments):
    found = leanloop(*map(str, arguments))
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_list_says_what_there_is_and_what_was_shown_to_hurt(store):
    (line,) = json.loads(said("memory", "list", "--store", store, "--json"))
    assert line == {"name": "office", "entries": 2, "demoted": 1}
    assert "demoted" in said("memory", "list", "office", "--store", store)
    assert GOOD.entry_id in said("memory", "list", "office", "--store", store)


def test_show_forget_export_and_import(store, tmp_path):
    file = tmp_path / "m.jsonl"
    assert '"phone extension"' in said("memory", "show", "office", GOOD.entry_id, "--store", store)
    said("memory", "export", "office", "--file", file, "--store", store)
    assert len(file.read_text().splitlines()) == 2
    said("memory", "forget", "office", BAD.entry_id, "--store", store)
    (line,) = json.loads(said("memory", "list", "--store", store, "--json"))
    assert line["entries"] == 1
    said("memory", "import", "other", "--file", file, "--store", store)
    found = json.loads(said("memory", "show", "other", "--store", store, "--json"))
    assert {e["key"] for e in found} == {"phone of {1}?", 'get_team{"name": "Blue"}'}
    assert {e["origin"]["split"] for e in found} == {"import"}
    assert not any(e.get("trust") for e in found), "trust is earned here"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("show", "nobody"), "nobody"),
        (("show", "office", "fact-0"), "fact-0"),
        (("forget", "office"), "ENTRY"),
        (("export", "office"), "--file"),
        (("import", "office"), "--file"),
        (("import", "office", "--file", "/nowhere/m.jsonl"), "m.jsonl"),
        (("export", "office", "--file", "/nowhere/m.jsonl"), "m.jsonl"),
        (("import", " ", "--file", "m.jsonl"), "MEMORY"),
        (("import", "\udcff", "--file", "m.jsonl"), "MEMORY"),
        (("show",), "MEMORY"),
    ],
)
def test_bad_input_is_one_line(store, arguments, named):
    found = leanloop("memory", *arguments, "--store", str(store))
    assert found.returncode == 2
    assert len(found.stderr.strip().splitlines()) == 1
    assert named in found.stderr


def line(**fields):
    entry = Entry(Kind.FACT, "k", "n", "c", FACT)
    return msgspec.json.encode(msgspec.structs.replace(entry, **fields)) + b"\n"


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"kind": "fact"\n',
        line(body={}),
        line(kind=Kind.SKILL),
        line(kind=Kind.PLAN, body={**PLAN, "filled": []}),
        line(cue="w" * MOST_BYTES),
        line(key="\u00ff").replace("\u00ff".encode(), b"\xff"),
        line().replace(b'"body":', b'"body":' + b"[" * 100_000),
    ],
    ids=["cut", "no fact", "no skill", "no plan", "too long", "no text", "too deep"],
)
def test_a_damaged_import_names_its_line_and_keeps_what_there_was(store, tmp_path, damaged, capsys):
    file = tmp_path / "m.jsonl"
    file.write_bytes(line() + damaged)
    with pytest.raises(BadInputError, match="line 2"):
        memory(Action.IMPORT, "office", file=file, store=str(store))
    memory(Action.LIST, store=str(store), json=True)
    (kept,) = json.loads(capsys.readouterr().out)
    assert kept["entries"] == 2


def test_a_change_says_what_it_came_to(store, tmp_path, capsys):
    def says(action, name, *ids, **more):
        memory(action, name, list(ids), store=str(store), **more)
        return capsys.readouterr().out

    file = tmp_path / "m.jsonl"
    assert "exported 2 entries; office holds 2" in says(Action.EXPORT, "office", file=file)
    assert "imported 2 entries, 2 new; other holds 2" in says(Action.IMPORT, "other", file=file)
    again = json.loads(says(Action.IMPORT, "other", file=file, json=True))
    assert (again["entries"], again["new"], again["holds"]) == (2, 0, 2)
    small = says(Action.IMPORT, "other", file=file, bound=1)
    assert "1 of the least worth were let go; other holds 1" in small
    assert "forgot 1 entry; office holds 1" in says(Action.FORGET, "office", GOOD.entry_id)


def test_an_import_lets_nothing_go_that_a_larger_bound_has_kept(tmp_path, capsys):
    opened = SqlStore(tmp_path / "s.sqlite")
    many = [Put(Entry(Kind.FACT, str(i), "n", "c", FACT)) for i in range(1010)]
    opened.memory("office").apply(many, 5000)
    opened.close()
    file = tmp_path / "m.jsonl"
    file.write_bytes(line(key="1"))
    memory(Action.IMPORT, "office", file=file, store=str(tmp_path / "s.sqlite"), json=True)
    assert json.loads(capsys.readouterr().out)["holds"] == 1010


def test_what_a_terminal_would_act_on_is_written_out(tmp_path, capsys):
    odd, name = "[red]x[/blue] \x1b]0;title\x07 \x9b2J \u202e", "o\x1b[2J"
    opened = SqlStore(tmp_path / "s.sqlite")
    opened.memory(name).apply([Put(Entry(Kind.FACT, "k", odd, "c", FACT))], 5)
    opened.close()
    for action, which in ((Action.LIST, None), (Action.SHOW, name), (Action.LIST, name)):
        memory(action, which, store=str(tmp_path / "s.sqlite"))
        text = capsys.readouterr().out
        assert all(c.isprintable() or c == "\n" for c in text), (action, which)
    assert "[red]x[/blue]" in text


def breaks(request):
    raise ValueError("the model is not itself")


STUDY = """
name = "s"
[suite]
name = "backoffice"
options = {{ seed = 4, search_tasks = 24, holdout_tasks = 12, streams = 1, distractors = 0 }}
[models.small]
provider = "scripted"
name = "{script}"
"""


@pytest.fixture
def run_with(tmp_path, capsys):
    """What ``leanloop run --memory m`` prints."""

    def run_it(script, settings, name="m"):
        (tmp_path / "s.toml").write_text(STUDY.format(script=script))
        (tmp_path / "best.toml").write_text(settings)
        place = str(tmp_path / "s.sqlite")
        run(tmp_path / "s.toml", tmp_path / "best.toml", memory=name, store=place)
        return capsys.readouterr().out

    return run_it


OFFICE, CACHE = "tests.search.office_script:script", 'planning.plan_cache = "plain"'


def test_a_run_with_a_memory_says_what_became_of_it(run_with):
    assert "memory 'm' was not used: no lever here carries" in run_with(OFFICE, "")
    assert "entries; 0 when this began" in run_with(OFFICE, CACHE)
    with pytest.raises(BadInputError, match="--memory"):
        run_with(OFFICE, CACHE, name=" ")


def test_a_run_with_a_memory_says_what_broke_in_it(run_with):
    assert "24 of 24 runs ended in an error" in run_with("tests.cli.test_memory:breaks", CACHE)
