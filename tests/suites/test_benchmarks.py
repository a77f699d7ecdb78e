"""What the suites over others' benchmarks have in common: the list, the examples, the page."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from leanloop.core.message import AssistantMessage, Request
from leanloop.core.task import Split
from leanloop.models.scripted import ScriptedModel
from leanloop.search.spec import read_study
from leanloop.search.study import Study
from leanloop.suites.bfcl.suite import BfclOptions
from leanloop.suites.builtin import BUILT_IN
from leanloop.suites.inspect.suite import InspectOptions
from leanloop.suites.places import Places
from leanloop.suites.tau.suite import TauOptions
from leanloop.suites.textworld.suite import TextworldOptions

EXAMPLES = {"bfcl": "bfcl", "textworld": "textworld", "inspect": "inspect", "tau": "library_desk"}
OPTIONS: dict[str, type[msgspec.Struct]] = {
    "bfcl": BfclOptions,
    "textworld": TextworldOptions,
    "inspect": InspectOptions,
    "tau": TauOptions,
}
PAGE = Path("docs/benchmarks-as-suites.md")


def test_the_list_says_what_a_suite_needs_and_never_fails():
    listed = subprocess.run(
        [sys.executable, "-m", "leanloop", "suites", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = {row["name"]: row for row in json.loads(listed.stdout)}
    assert list(rows) == list(BUILT_IN)
    assert rows["backoffice"]["needs"] is None
    assert rows["backoffice"]["search_tasks"] > 0
    assert rows["tau"]["needs"] == "folder"
    assert rows["inspect"]["search_tasks"] is None


@pytest.mark.parametrize("name", EXAMPLES)
async def test_its_example_is_a_study_whose_tasks_can_be_run(name):
    spec = read_study(Path(f"examples/{EXAMPLES[name]}.toml"))
    assert spec.suite.name == name
    if name == "bfcl" and not all(map(importlib.util.find_spec, ("bfcl_eval", "mpmath"))):
        gone = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        gone("bfcl-eval, or mpmath, which its simulated mathematics needs, is missing")
    study = Study(spec, models={"small": ScriptedModel(idle)})
    tasks = {split: study.suite.tasks(split) for split in Split}
    assert min(len(part) for part in tasks.values()) >= 6
    assert study.space()
    configuration = study.spec.configuration(spec.baseline, "baseline")
    run = await study.runner().run(configuration, tasks[Split.SEARCH][0])
    assert run.success is not None
    assert run.steps


def idle(request: Request) -> AssistantMessage:
    return AssistantMessage("I do not know.")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_names_every_option_with_its_default(name):
    section = PAGE.read_text().split(f"## `{name}`")[1].split("\n## ")[0]
    for field in msgspec.structs.fields(OPTIONS[name]):
        row = next(r for r in section.splitlines() if r.startswith(f"| `{field.name}` |"))
        if field.required:
            assert "| required |" in row
            continue
        made = field.default_factory
        default = field.default if made is msgspec.NODEFAULT else made()
        if default not in (None, ()):
            assert f"| `{json.dumps(default)}` |" in row
        else:
            assert "| none |" in row


def test_splits_go_by_a_digest_of_the_key_and_the_seed():
    places = Places(0, 0.25, None, None)
    parts = places.divide(map(str, range(4000)), lambda k: k, lambda k: k)
    assert 900 < len(parts[Split.HOLDOUT]) < 1100
    fewer = Places(0, 0.25, 10, 10).divide(map(str, range(4000)), lambda k: k, lambda k: k)
    assert {s: list(p[:10]) for s, p in parts.items()} == {s: list(p) for s, p in fewer.items()}
    assert {k for k in parts[Split.SEARCH] if Places(1, 0.25, None, None).split(k) != Split.SEARCH}
    together = places.divide(map(str, range(4000)), lambda k: k[-1], lambda k: k)
    last = {split: {k[-1] for k in part} for split, part in together.items()}
    assert not last[Split.SEARCH] & last[Split.HOLDOUT]
    for seed in range(40):
        pair = Places(seed, 0.25, None, None).divide("ab", lambda k: k, lambda k: k)
        assert [len(pair[split]) for split in Split] == [1, 1]
    alone = places.divide("aa", lambda k: k, lambda k: k)
    assert sorted(len(part) for part in alone.values()) == [0, 2]
