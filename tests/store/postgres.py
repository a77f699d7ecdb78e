"""A real PostgreSQL server on the loopback address, started and killed by the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

SECRET = "s3cr3t-word"


def programs() -> Path:
    """Where the server's programs are; skips, or fails in CI, where they are not."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found and (os.geteuid() != 0 or shutil.which("runuser")):
        return found[-1].parent
    why = "PostgreSQL is missing; 'python -m tests.parts' installs it as root"
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


class Server:
    """A server in a folder of its own; databases are made and never dropped."""

    def __init__(self) -> None:
        self._programs = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="leanloop-pg-"))
        self._count = 0
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        word = self._folder / "word"
        word.write_text(SECRET)
        word.chmod(0o644)
        self._run("initdb", "-D", f"{self._folder}/data", "-U", "leanloop", "-A", "scram-sha-256",
                  f"--pwfile={word}", "--no-sync")  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it, after a kill too."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        for _ in range(5):
            started = self._run(
                "pg_ctl", "start", "-w", "-D", f"{self._folder}/data", "-l",
                f"{self._folder}/log", "-o", options, check=False,
            )  # fmt: skip
            if started == 0:
                return
            time.sleep(0.5)
        raise AssertionError((self._folder / "log").read_text())

    def kill(self) -> None:
        """``kill -9`` of the server and of all that it started."""
        first = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        found = subprocess.run(
            ["pgrep", "-P", str(first)], capture_output=True, text=True, check=False
        )
        for number in (first, *map(int, found.stdout.split())):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def database(self) -> str:
        """The address of a new database."""
        self._count += 1
        name = f"d{self._count}"
        address = f"leanloop:{SECRET}@127.0.0.1:{self.port}"
        self._run("psql", f"postgresql://{address}/postgres", "-qc", f"CREATE DATABASE {name}")
        return f"postgresql://{address}/{name}"

    def stop(self) -> None:
        """Stop it and remove its folder."""
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", f"{self._folder}/data", check=False)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._programs / program), *arguments]
        if os.geteuid() == 0:
            # The server refuses to run as root.
            command = ["runuser", "-u", "postgres", "--", *command]
        # Output to nowhere: the server keeps what it inherits open, and a pipe would never end.
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{program} ended with {done.returncode}")
        return done.returncode
