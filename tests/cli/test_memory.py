"""``leanloop memory``: list, show, forget, export and import."""

from __future__ import annotations

import json

import pytest

from leanloop.core.memory import Demote, Entry, Kind, Put
from leanloop.store.sql import SqlStore
from tests.cli.test_traces_commands import leanloop

GOOD = Entry(Kind.PLAN, "good", "get_person", "phone extension", {"a": 1})
BAD = Entry(Kind.FACT, "bad", "get_team", "team lead", {"b": 2})


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
    assert {e["key"] for e in found} == {"good", "bad"}
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
        (("show",), "MEMORY"),
    ],
)
def test_bad_input_is_one_line(store, arguments, named):
    found = leanloop("memory", *arguments, "--store", str(store))
    assert found.returncode == 2
    assert len(found.stderr.strip().splitlines()) == 1
    assert named in found.stderr


def test_a_damaged_import_names_its_line_and_keeps_what_there_was(store, tmp_path):
    file = tmp_path / "m.jsonl"
    file.write_text('{"kind": "fact"\n')
    found = leanloop("memory", "import", "office", "--file", str(file), "--store", str(store))
    assert found.returncode == 2
    assert "line 1" in found.stderr
    (line,) = json.loads(said("memory", "list", "--store", store, "--json"))
    assert line["entries"] == 2
