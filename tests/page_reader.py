"""Carries out a page's snippets as its reader would, with a local server where a provider is.

All in this one process, since a start of Python and of its clients takes seconds: commands of
leanloop are the real command line's ``main``, and what else a page runs is a program of its own.
"""

from __future__ import annotations

import asyncio
import gc
import io
import os
import shlex
import subprocess
import sys
import threading
import tomllib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import tomli_w

from leanloop.cli.app import main
from leanloop.gateway.model_server import serve_models
from leanloop.models.builtin import HOSTED
from leanloop.models.scripted import ScriptedModel
from leanloop.search.spec import read_study
from tests.page_model import script
from tests.pages import ROOT, Block, commands_of

MOST_RUNS = 24
"""Runs that the search of a page's study may make here."""


@contextmanager
def model_served() -> Iterator[str]:
    """A scripted model behind OpenAI's and Anthropic's APIs; yields its address."""
    told: Queue[tuple[str, Callable[[], object]]] = Queue()

    async def serve() -> None:
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        async with serve_models({"any": ScriptedModel(script, concurrency=8)}) as url:
            told.put((url, lambda: loop.call_soon_threadsafe(end.set)))
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    url, stop = told.get(timeout=20)
    try:
        yield url
    finally:
        stop()
        thread.join()


class PageReader:
    """Has a page's files in a folder of its own, and runs what it says there.

    Args:
        folder: Where.
        url: What answers in a provider's place.
        patch: Undoes what a reader's shell would forget.
    """

    def __init__(self, folder: Path, url: str, patch: pytest.MonkeyPatch) -> None:
        self._folder, self._url, self._patch = folder, url, patch
        self._said = ""
        patch.chdir(folder)
        patch.setenv("COLUMNS", "120")
        patch.setattr(sys, "path", [str(folder), *sys.path])
        patch.setenv("PYTHONPATH", f"{folder}:{ROOT / 'src'}:{ROOT}")
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        patch.setenv("OPENAI_API_KEY", "none")
        patch.setenv("ANTHROPIC_API_KEY", "none")

    def put(self, block: Block) -> None:
        """Write the block where it is a file of the page's folder, as a whole study is."""
        table = tomllib.loads(block.text) if block.language == "toml" else {}
        study = table["name"] if {"name", "models"} <= {*table} else None
        name = block.marks.get("file", study and f"{study}.toml")
        if name is None:
            return
        text = tomli_w.dumps(nearer(table, self._url)) if study else block.text
        (self._folder / name).write_text(text)
        if study:
            read_study(self._folder / name)

    def carry_out(self, block: Block) -> None:
        """Run Python, or each command of a shell block."""
        if block.language == "python":
            exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})
            with warnings.catch_warnings():
                # A program that ends has closed what it left open.
                warnings.simplefilter("ignore", ResourceWarning)
                gc.collect()
            return
        said = io.StringIO()
        with redirect_stdout(said):
            for words in commands_of(block.text):
                self._command(words, block.where)
        self._said = said.getvalue()

    def compare(self, block: Block) -> None:
        """Hold what a page says was printed to what was."""
        file = block.marks["output"]
        said = (ROOT / file).read_text() if file else self._said
        printed = {line.strip() for line in said.splitlines()}
        for line in block.text.splitlines():
            assert line.strip() in printed, f"{block.where}: not printed: {line}\n{said}"

    def _command(self, words: list[str], where: str) -> None:
        if words[0] == "export":
            for word in words[1:]:
                self._patch.setenv(*word.split("=", 1))
        elif words[0] == "leanloop":
            self._patch.setattr(sys, "argv", words)
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code, f"{where}: {shlex.join(words)} ended with {ended.value}"
        else:
            subprocess.run(words, check=True, timeout=60)

    def forget(self) -> None:
        """Unload the page's own modules: another page may have others of the same name."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(self._folder):
                del sys.modules[name]


def nearer(study: dict[str, Any], url: str) -> dict[str, Any]:
    """The study with its hosted models at another address, and no more runs than it takes."""
    budget = study.setdefault("budget", {})
    budget["max_runs"] = min(MOST_RUNS, budget.get("max_runs", MOST_RUNS))
    for model in study["models"].values():
        if model["provider"] in HOSTED:
            model["base_url"] = f"{url}/v1" if model["provider"] == "openai" else url
    return study
