"""Ctrl-C ends the command with one line and exit code 130, from its first moment on."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

import leanloop
from leanloop.cli.run import run
from leanloop.search.study import Study
from tests.search.studies import write_study

MODULE, _, FUNCTION = tomllib.loads(
    (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
)["project"]["scripts"]["leanloop"].partition(":")
ENTRIES = {
    "script": ("-c", f"from {MODULE} import {FUNCTION}; {FUNCTION}()"),
    "module": ("-m", "leanloop"),
}
INTERRUPTED = """
import os, signal, time
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)
except BaseException as error:
    if {hide}:
        raise ImportError("half loaded")
    raise
"""
RUNNING = """
import os, signal, sys, time
import leanloop.cli.app

def run(asked):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(20)
    finally:
        print(f"{asked} cleaned up")

leanloop.cli.app.run = run
from leanloop.cli.start import main
sys.argv = ["leanloop", "doctor"]
main()
"""


def ended(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    source = Path(leanloop.__file__).parents[1]  # found without the site's own start-up too
    path = os.pathsep.join([str(folder), str(source), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("hide", [False, True])
def test_while_modules_load(tmp_path, entry, hide):
    (tmp_path / "typer.py").write_text(INTERRUPTED.format(hide=hide))
    done = ended(tmp_path, *ENTRIES[entry], "doctor")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "leanloop: stopped\n"


def test_while_the_command_runs_it_is_cleaned_up(tmp_path):
    done = ended(tmp_path, "-c", RUNNING)
    assert (done.returncode, done.stdout) == (130, "doctor cleaned up\n")
    assert done.stderr == "leanloop: stopped\n"


def test_next_to_nothing_loads_before_it(tmp_path):
    code = "import leanloop.cli.start, sys; print(*sys.modules)"
    done = ended(tmp_path, "-S", "-c", code)
    assert "leanloop.cli.start" in done.stdout.split()
    assert not {"typing", "re", "enum", "signal", "typer"} & set(done.stdout.split())


def test_a_configuration_that_is_stopped_says_what_is_kept(tmp_path, monkeypatch, capsys):
    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "run_one", interrupted)
    with pytest.raises(typer.Exit) as ended:
        run(write_study(tmp_path), store=str(tmp_path / "s.sqlite"))
    assert ended.value.exit_code == 130
    assert "stopped; finished runs are kept, run it again" in capsys.readouterr().err
