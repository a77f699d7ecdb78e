from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from leanloop.core.errors import BadInputError
from leanloop.search.result import Result
from leanloop.search.study import Study
from leanloop.store.sql import SqlStore
from tests.search.coins import LOG
from tests.search.studies import write_study
from tests.store.conformance import StoreConformance
from tests.store.postgres import SECRET, Server


@pytest.fixture(scope="module")
def server():
    running = Server()
    yield running
    running.stop()


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def reopen(self, server):
        place = server.database()
        return lambda: SqlStore(place)


def test_a_password_is_never_shown(server):
    store = SqlStore(server.database())
    assert SECRET not in store.place
    assert "***" in store.place
    store.close()
    for address in (
        f"postgresql://leanloop:{SECRET}@127.0.0.1:1/none",
        f"postgresql://leanloop:{SECRET}@127.0.0.1:{server.port}/none",
        f"mysql://leanloop:{SECRET}@127.0.0.1/none",
        f"postgresql://leanloop:{SECRET}@127.0.0.1:port/none",
    ):
        with pytest.raises(BadInputError) as raised:
            SqlStore(address)
        assert SECRET not in str(raised.value)


def leanloop(folder: Path, *arguments: object, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **more}
    return subprocess.Popen(
        [sys.executable, "-m", "leanloop", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=folder,
    )


def test_a_killed_server_loses_no_run_and_repeats_none(server, tmp_path):
    path = write_study(tmp_path)
    undisturbed = asyncio.run(Study.from_toml(path).optimize(SqlStore(tmp_path / "s.sqlite")))
    place, log = server.database(), tmp_path / "log"
    slow = {LOG: str(log), "COINS_SLEEP_S": "0.02"}
    said = ""
    for after in (10, 30, 50):
        running = leanloop(tmp_path, "optimize", path, "--store", place, **slow)
        while running.poll() is None and (
            not log.exists() or len(log.read_text().splitlines()) < after
        ):
            time.sleep(0.01)
        server.kill()
        out, errors = running.communicate(timeout=60)
        assert running.returncode == 2, errors
        said += out + errors
        server.start()
    running = leanloop(tmp_path, "optimize", path, "--store", place, "--json", **slow)
    out, errors = running.communicate(timeout=120)
    assert running.returncode == 0, errors
    found = msgspec.json.decode(out, type=Result)
    assert "run it again to go on" in said
    assert SECRET not in said + errors + out
    assert [m.id for m in found.frontier] == [m.id for m in undisturbed.frontier]
    assert found.recommended == undisturbed.recommended
    store = SqlStore(place)
    keys = Counter(r.key for r in store.runs("coins"))
    store.close()
    assert max(keys.values()) == 1
    assert len(keys) == undisturbed.runs
    # A run is made again only if the server died before it was kept: the one in hand.
    assert len(log.read_text().splitlines()) <= undisturbed.runs + 3 * (1 + 1)
