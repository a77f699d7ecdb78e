"""A real browser for the pages."""

from __future__ import annotations

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

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
