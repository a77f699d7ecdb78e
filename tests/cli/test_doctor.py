"""``leanloop doctor`` says what works here, and what does not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from leanloop.cli import doctor


def test_it_loads_every_part():
    said = subprocess.run(
        [sys.executable, "-m", "leanloop", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {c["what"]: c for c in json.loads(said.stdout)["checks"]}
    assert checks["leanloop"]["ok"]
    assert checks["leanloop"]["found"].endswith("every part loads")


def test_a_part_that_cannot_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "PARTS", ("leanloop.no_such_part",))
    found = doctor._parts()
    assert not found["ok"]
    assert "leanloop.no_such_part" in str(found["found"])
