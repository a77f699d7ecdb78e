"""Every command and snippet of the documentation is what leanloop takes, and runs.

``tests.pages`` says how blocks are told apart and what a page may say above one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from leanloop.gateway.model_server import serve_models
from leanloop.models.builtin import HOSTED
from leanloop.models.scripted import ScriptedModel
from leanloop.search.spec import read_study
from leanloop.suites.builtin import BUILT_IN
from tests.page_model import script
from tests.pages import PAGES, ROOT, SHELL, BadBlockError, Block, blocks_of, check

MOST_RUNS = 24
"""Runs that the search of a page's study may make here."""
BESIDE = {
    "README.md": {"my_tasks.py": "from examples.own_suite import Countries as Suite\n"},
}
"""What a page's snippets take for granted."""
WITH_BLOCKS = {
    str(p.relative_to(ROOT)): found
    for p in PAGES
    if (found := blocks_of(p.read_text(), str(p.relative_to(ROOT))))
}


def runs(block: Block) -> bool:
    """Whether the block is carried out."""
    if "not run" in block.marks:
        return False
    return block.language == "python" or (block.language in SHELL and "run" in block.marks)


TO_RUN = {page: found for page, found in WITH_BLOCKS.items() if any(map(runs, found))}


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_blocks_are_what_leanloop_takes(page):
    for block in WITH_BLOCKS[page]:
        check(block)


@pytest.mark.parametrize("page", TO_RUN)
async def test_blocks_run(page, tmp_path):
    missing = {b.marks["needs suite"] for b in TO_RUN[page] if "needs suite" in b.marks}
    missing -= {*BUILT_IN}
    for name, text in BESIDE.get(page, {}).items():
        (tmp_path / name).write_text(text)
    ran = 0
    async with serve_models({"any": ScriptedModel(script, concurrency=8)}) as url:
        for block in TO_RUN[page]:
            put_file(block, tmp_path, url)
            if runs(block) and block.marks.get("needs suite") not in missing:
                await carry_out(block, tmp_path, url)
                ran += 1
    if missing:
        pytest.skip(f"{ran} blocks ran; leanloop has no suite {', '.join(sorted(missing))} yet")


def put_file(block: Block, folder: Path, url: str) -> None:
    """Write the block where it is a file of the page's folder."""
    table = tomllib.loads(block.text) if block.language == "toml" else {}
    study = table["name"] if {"name", "models"} <= {*table} else None
    name = block.marks.get("file", study and f"{study}.toml")
    if name is None:
        return
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(tomli_w.dumps(nearer(table, url)) if study else block.text)
    if study:
        read_study(file)


def nearer(study: dict[str, Any], url: str) -> dict[str, Any]:
    """The study with its hosted models at another address, and no more runs than it takes."""
    budget = study.setdefault("budget", {})
    budget["max_runs"] = min(MOST_RUNS, budget.get("max_runs", MOST_RUNS))
    for model in study["models"].values():
        if model["provider"] in HOSTED:
            model["base_url"] = f"{url}/v1" if model["provider"] == "openai" else url
    return study


async def carry_out(block: Block, folder: Path, url: str) -> None:
    """Run the block in the page's folder, as its reader would."""
    if block.language == "python":
        command = [sys.executable, "-W", "error", "-c", block.text]
    else:
        command = ["sh", "-eu", "-c", block.text]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment(folder, url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, f"{block.where}\n{said.decode()[-3000:]}"


def environment(folder: Path, url: str) -> dict[str, str]:
    """A reader's own, with a local server where a provider would be."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{folder}:{ROOT / 'src'}:{ROOT}",
        "HOME": str(folder),
        "OPENAI_API_KEY": "none",
        "ANTHROPIC_API_KEY": "none",
        "OPENAI_BASE_URL": f"{url}/v1",
        "ANTHROPIC_BASE_URL": url,
    }


def one(text: str) -> Block:
    (block,) = blocks_of(text, "page.md")
    return block


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```sh\nleanloop optimise x.toml\n```", "no such command"),
        ("```sh\nleanloop optimize x.toml --max-euros 3\n```", "--max-euros"),
        ("```sh\nleanloop optimize\n```", "Missing parameter"),
        ("<!-- not run: a provider is asked -->\n```sh\nleanloop optimize --no\n```", "--no"),
        ("```sh\nmy-agent --fast\n```", "say why it is not run"),
        ("```sh\npip install 'leanloop[pandas]'\n```", "say why it is not run"),
        ("```sh\nmake coffee\n```", "say why it is not run"),
        ("```rust\nfn main() {}\n```", "say why it is not run"),
        ("```toml\n[levers]\nmemory.keep_everything = [1]\n```", "keep_everything"),
        ("```toml\n[suite]\nfile = 'x'\n```", "file"),
        ("```toml\nmemory.keep_turns = 'many'\n```", "keep_turns"),
        ("```toml\nname = 'x'\n[models.a]\nprovidr = 'openai'\n```", "provid"),
        ("```toml\nname =\n```", "page.md:1"),
        ("```json\n{]\n```", "page.md:1"),
        ("```jsonl\n{}\n{]\n```", "page.md:1"),
        ("```python\nimport\n```", "page.md:1"),
    ],
)
def test_a_wrong_or_unmarked_block_is_found(text, said):
    with pytest.raises(BadBlockError, match=said):
        check(one(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- not run -->\n```sh\nx\n```", "say what"),
        ("<!-- run it -->\n```sh\nx\n```", "no such mark"),
        ("<!-- run -->\nwords\n```sh\nx\n```", "right above"),
        ("```sh\nx", "without an end"),
    ],
)
def test_a_mark_that_says_nothing_is_found(text, said):
    with pytest.raises(BadBlockError, match=said):
        blocks_of(text, "page.md")


def test_a_reason_excuses_a_program_that_nobody_knows():
    check(one("<!-- not run: it is yours -->\n```sh\nmy-agent --fast | leanloop\n```"))


async def test_a_block_that_fails_fails(tmp_path):
    with pytest.raises(AssertionError, match="no such file"):
        await carry_out(
            one("```sh\nleanloop frontier nothing.csv\n```"), tmp_path, "http://127.0.0.1:1"
        )
    text = "```python\nimport warnings\nwarnings.warn('x', DeprecationWarning)\n```"
    with pytest.raises(AssertionError, match="DeprecationWarning"):
        await carry_out(one(text), tmp_path, "http://127.0.0.1:1")
