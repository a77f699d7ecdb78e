"""A real browser for the pages, and a store to look at."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from leanloop.store.sql import SqlStore
from tests.report.live import make_gateway, optimize, write_live

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished study and a gateway."""
    folder = tmp_path_factory.mktemp("dashboard")
    store = SqlStore(folder / "store.sqlite")
    optimize(write_live(folder, "coins"), store)
    make_gateway(store, folder)
    store.close()
    return folder / "store.sqlite"


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("chromium is missing; 'python -m tests.parts' installs it as root")
    if path is None:
        pytest.skip("chromium is missing; install Debian's package of that name")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()
