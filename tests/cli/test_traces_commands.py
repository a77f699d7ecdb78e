"""``leanloop profile`` and ``leanloop whatif`` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanloop.cli.whatif import settings_of
from leanloop.core.errors import BadInputError
from tests.command_line import leanloop

MESSAGES = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Where is W1?"},
    *(
        message
        for i in range(6)
        for message in (
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": f"c{i}",
                        "type": "function",
                        "function": {"name": "get_order", "arguments": json.dumps({"id": i % 3})},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": f"c{i}", "content": "hidden-words " * 80},
        )
    ),
    {"role": "assistant", "content": "On its way."},
]


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "runs.jsonl"
    line = json.dumps({"messages": MESSAGES, "model": "gpt-4.1"})
    path.write_text(f"{line}\n{line}\n")
    return path


def test_profile_says_where_it_went_and_keeps_what_it_read(traces, tmp_path):
    kept, page = tmp_path / "kept.jsonl", tmp_path / "page.html"
    done = leanloop("profile", traces, "--json", "--save", kept, "--report", page)
    said = json.loads(done.stdout)
    assert (said["runs"], said["model_calls"], said["tool_calls"]) == (2, 14, 12)
    assert said["repeated_tool_calls"] == 6
    assert said["usd"] > 0
    assert said["estimated"].keys() == {"tokens", "usd"}
    assert "<svg" in page.read_text()
    assert "hidden-words" not in page.read_text() + kept.read_text() + done.stdout
    again = leanloop("profile", kept, "--group-by", "model", "--redact")
    assert "2 runs: 14 model calls" in again.stdout
    assert "gpt-4.1" in again.stdout


def test_whatif_prints_ratios_that_are_marked_as_estimates(traces):
    done = leanloop(
        "whatif", traces, "--set", "memory.keep_observations=1,2", "--model", "gpt-4.1-mini"
    )
    assert "Estimates on the recorded path" in done.stdout
    assert "memory.keep_observations=2" in done.stdout
    assert "prices of gpt-4.1-mini" in done.stdout
    assert "hidden-words" not in done.stdout


def test_whatif_all_is_one_json_document(traces):
    said = json.loads(leanloop("whatif", traces, "--all", "--json").stdout)
    assert said["evidence"] == "estimated"
    assert said["baseline"]["runs"] == 2
    assert len(said["changes"]) > 20
    assert "planning.dag" in said["left_out"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["profile", "{dir}/none.json"], "none.json: No such file or directory"),
        (["profile", "{dir}/odd.json"], "odd.json: is no trace that leanloop knows; looked for "),
        (["profile", "{traces}", "--group-by", "colour"], "--group-by: is one of none, session"),
        (["profile", "{traces}", "--prices", "{dir}/odd.json"], "odd.json: is no TOML"),
        (["whatif", "{traces}"], "--set: is needed, or --all, or --model"),
        (["whatif", "{traces}", "--set", "memory.keep_turn=2"], "did you mean memory.keep_turns?"),
        (["whatif", "{traces}", "--set", "memory.keep_turns=x"], "'x' is not a setting"),
        (["whatif", "{traces}", "--set", "planning.dag=on"], "cannot be judged"),
        (["whatif", "{dir}/kept.jsonl", "--all"], "has no contents, which a what-if needs"),
        (["profile", "{dir}/empty.jsonl", "--format", "openai-chat"], "holds no run"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, line, traces, tmp_path):
    (tmp_path / "odd.json").write_text('{"what": ["is", "this"')
    (tmp_path / "empty.jsonl").write_text("\n")
    if "kept" in arguments[1]:
        leanloop("profile", traces, "--save", tmp_path / "kept.jsonl")
    done = leanloop(*(a.format(dir=tmp_path, traces=traces) for a in arguments))
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_alternatives_make_every_combination():
    found = settings_of(["memory.keep_turns=2,4", "memory.stable_prefix=off,on"])
    assert len(found) == 4
    assert found[0] == {"memory.keep_turns": 2, "memory.stable_prefix": "off"}
    assert settings_of([]) == [{}]
    with pytest.raises(BadInputError, match="is not LEVER=SETTING"):
        settings_of(["memory.keep_turns"])
