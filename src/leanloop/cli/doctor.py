"""Say what works here, and what to do about what does not."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import import_module

import typer

from leanloop import __version__
from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.core.errors import BadInputError
from leanloop.models.weights import KNOWN, locate, weights_folder

PARTS = (
    *("leanloop.search.study", "leanloop.report.html", "leanloop.store.sql"),
    *("leanloop.gateway.server", "leanloop.models.openai_compatible"),
    "leanloop.models.anthropic_messages",
)
"""Modules that load all that leanloop needs."""


def doctor(json: JsonOption = False) -> None:
    """Check this machine; exit code 1 when the demo could not run here."""
    checks = [_python(), _parts(), _embedded(), *_weights(), _disk(), _keys()]
    if json:
        emit({"version": __version__, "checks": checks})
    else:
        for check in checks:
            mark = "ok  " if check["ok"] else "no  "
            answers_console().print(f"{mark}{check['what']}: {check['found']}", highlight=False)
    if not all(check["ok"] for check in checks):
        raise typer.Exit(1)


def _check(what: str, found: str, *, ok: bool = True) -> dict[str, object]:
    return {"what": what, "ok": ok, "found": found}


def _python() -> dict[str, object]:
    cores = os.cpu_count()
    return _check(
        "python",
        f"{platform.python_version()} on {platform.machine()}, {cores} cores",
        ok=sys.version_info >= (3, 11),
    )


def _parts() -> dict[str, object]:
    """Whether what every study needs can be loaded."""
    try:
        for name in PARTS:
            import_module(name)
    except ImportError as error:
        return _check("leanloop", f"cannot be loaded: {error}; install it anew", ok=False)
    return _check("leanloop", f"{__version__}, every part loads")


def _embedded() -> dict[str, object]:
    try:
        import xllamacpp  # noqa: PLC0415 - whether it loads at all is the question
    except ImportError as error:
        return _check("llama.cpp", f"cannot be loaded: {error}", ok=False)
    return _check("llama.cpp", f"xllamacpp {xllamacpp.__version__}")


def _weights() -> list[dict[str, object]]:
    return [_weight(name) for name in KNOWN]


def _weight(name: str) -> dict[str, object]:
    try:
        found = locate(name)
    except BadInputError as error:
        return _check(name, str(error), ok=False)
    return _check(name, str(found) if found else "not here yet; the demo fetches it")


def _disk() -> dict[str, object]:
    folder = weights_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return _check("disk", f"{free / 1e9:.1f} GB free for weights", ok=free > 4e9)


def _keys() -> dict[str, object]:
    names = [n for n in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY") if os.environ.get(n)]
    return _check("keys", ", ".join(names) + " set" if names else "none set; none needed")
