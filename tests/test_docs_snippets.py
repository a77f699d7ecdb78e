"""Every command and snippet of the documentation is what leanloop takes, and runs.

``tests.pages`` says how blocks are told apart and what a page may say above one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from leanloop.core.task import Split
from leanloop.search.result import Result
from leanloop.store.sql import SqlStore
from leanloop.suites.builtin import BUILT_IN
from tests.page_reader import PageReader, model_served
from tests.pages import PAGES, ROOT, SHELL, BadBlockError, Block, blocks_of, check

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


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with model_served() as url:
        yield url


@pytest.fixture
def reader(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PageReader]:
    made = PageReader(tmp_path, model, monkeypatch)
    yield made
    made.forget()


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_blocks_are_what_leanloop_takes(page):
    for block in WITH_BLOCKS[page]:
        check(block)


@pytest.mark.parametrize("page", TO_RUN)
def test_blocks_run(page, reader, tmp_path):
    missing = {b.marks["needs suite"] for b in TO_RUN[page] if "needs suite" in b.marks}
    missing -= {*BUILT_IN}
    for name, text in BESIDE.get(page, {}).items():
        (tmp_path / name).write_text(text)
    ran = 0
    for block in TO_RUN[page]:
        reader.put(block)
        if runs(block) and block.marks.get("needs suite") not in missing:
            reader.carry_out(block)
            ran += 1
        if "output" in block.marks:
            reader.compare(block)
    assert not missing, f"{ran} blocks ran; leanloop has no suite {', '.join(sorted(missing))}"


def test_the_first_study_ends_with_a_frontier(reader, tmp_path):
    for block in WITH_BLOCKS["docs/first-study.md"]:
        reader.put(block)
        if "leanloop optimize" in block.text:
            reader.carry_out(block)
    store = SqlStore(tmp_path / ".leanloop" / "store.sqlite")
    found = msgspec.json.decode(store.result("orders") or b"", type=Result)
    runs = store.runs("orders")
    store.close()
    assert found.frontier
    assert found.baseline.holdout is not None
    assert (found.baseline.holdout.success.mean, found.baseline.holdout.success.n) == (1.0, 4)
    # A look-up takes one call of the tool, and both splits are there.
    assert {r.usage.tool_calls for r in runs} == {1}
    assert {r.split for r in runs} == {*Split}
    assert (tmp_path / "orders.html").exists()


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


def test_what_was_not_printed_is_found(reader):
    reader.carry_out(one("```sh\nleanloop levers\n```"))
    reader.compare(one("<!-- output: README.md -->\n```text\n# leanloop\n```"))
    for mark in ("output", "output: README.md"):
        with pytest.raises(AssertionError, match="not printed: 12 levers"):
            reader.compare(one(f"<!-- {mark} -->\n```text\n12 levers\n```"))


def test_a_block_that_fails_fails(reader):
    with pytest.raises(AssertionError, match=r"page\.md:1: leanloop frontier"):
        reader.carry_out(one("```sh\nleanloop frontier nothing.csv\n```"))
    with pytest.raises(ZeroDivisionError):
        reader.carry_out(one("```python\n1 / 0\n```"))
