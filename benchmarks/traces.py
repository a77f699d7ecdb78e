"""Reading Claude Code logs beside ccusage and cost-per-task: throughput, memory, totals.

``python -m benchmarks.traces --mb 100 1000 --ccusage PATH --cpt PATH`` makes logs of that size,
has each program total them as a whole process, side by side, and prints wall time, the ratio to
leanloop's, peak memory and the totals. leanloop's is the whole of ``leanloop profile --redact
--json``, which also says what was sent again; the others say tokens and dollars. A program whose
path is not given, or that is not there, is said to be missing.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MODEL = "claude-sonnet-4-5-20250929"
TOOLS = ("Read", "Bash", "Grep", "Edit", "WebFetch")
STEPS = 60
WORDS = ("function", "returns", "list", "files", "names", "match", "pattern", "changed", "while")


@dataclass
class Totals:
    """What a program says.

    Args:
        wall_s: Wall seconds of the whole process.
        peak_mb: Peak memory of the process.
        tokens: All tokens, by its own count.
        usd: Dollars, by its own prices.
    """

    wall_s: float
    peak_mb: float
    tokens: int | None = None
    usd: float | None = None


class Session:
    """Writes the lines of one session."""

    def __init__(self, chance: random.Random, start: datetime) -> None:
        self._chance = chance
        self._id = str(uuid.UUID(int=chance.getrandbits(128)))
        self._at = start
        self._last: str | None = None
        self._context = 12_000

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self._id}.jsonl"

    def lines(self) -> Iterator[str]:
        """A question, and steps of thinking, a call and its result."""
        yield self._line("user", {"role": "user", "content": self._text(200)})
        for _ in range(STEPS):
            yield from self._step()

    def _step(self) -> Iterator[str]:
        message_id, request_id = f"msg_{self._hex()}", f"req_{self._hex()}"
        call_id, out = f"toolu_{self._hex()}", self._chance.randrange(100, 900)
        written = self._chance.randrange(500, 3000)
        usage = {
            "input_tokens": 4,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": self._context,
            "cache_creation": {
                "ephemeral_5m_input_tokens": written,
                "ephemeral_1h_input_tokens": 0,
            },
            "output_tokens": out,
            "service_tier": "standard",
        }
        self._context += written
        call = {
            "type": "tool_use",
            "id": call_id,
            "name": self._chance.choice(TOOLS),
            "input": {"file_path": self._text(40), "pattern": self._text(20)},
        }
        blocks = (
            {"type": "thinking", "thinking": self._text(1500), "signature": self._hex() * 20},
            {"type": "text", "text": self._text(300)},
            call,
        )
        for block in blocks:
            said = {
                "id": message_id,
                "type": "message",
                "role": "assistant",
                "model": MODEL,
                "content": [block],
                "stop_reason": None,
                "usage": usage,
            }
            yield self._line("assistant", said, requestId=request_id)
        size = self._chance.choice((300, 2000, 4000, 10_000))
        result = {"type": "tool_result", "tool_use_id": call_id, "content": self._text(size)}
        yield self._line("user", {"role": "user", "content": [result]})

    def _line(self, kind: str, message: dict[str, Any], **more: str) -> str:
        self._at += timedelta(seconds=self._chance.uniform(0.5, 8))
        own = str(uuid.UUID(int=self._chance.getrandbits(128)))
        line = {
            "parentUuid": self._last,
            "isSidechain": False,
            "userType": "external",
            "cwd": "/home/user/project",
            "sessionId": self._id,
            "version": "2.0.14",
            "type": kind,
            "message": message,
            "uuid": own,
            "timestamp": self._at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **more,
        }
        self._last = own
        return json.dumps(line, separators=(",", ":"))

    def _text(self, chars: int) -> str:
        words = self._chance.choices(WORDS, k=chars // 5)
        return (" ".join(words) + '\n\t"' + "x" * 40)[:chars]

    def _hex(self) -> str:
        return f"{self._chance.getrandbits(96):024x}"


def generate(folder: Path, mb: int, seed: int = 1) -> int:
    """Write sessions of so many megabytes in all; returns bytes."""
    chance, size = random.Random(seed), 0
    start = datetime(2026, 9, 1, tzinfo=UTC)
    project = folder / "projects" / "-home-user-project"
    project.mkdir(parents=True, exist_ok=True)
    while size < mb * 1_000_000:
        start += timedelta(minutes=chance.randrange(5, 90))
        session = Session(chance, start)
        data = "\n".join(session.lines()) + "\n"
        (project / session.name).write_text(data)
        size += len(data)
    return size


def timed(command: list[str], env: dict[str, str]) -> tuple[Totals, str]:
    """Run a program; its wall time, peak memory and output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    start = time.perf_counter()
    done = subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr[-500:]}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Totals(wall, max(peak, before) / 1024), done.stdout


def leanloop(folder: Path, program: str) -> Totals:
    """``leanloop profile``."""
    command = [program, "-m", "leanloop", "profile", str(folder / "projects"), "--redact", "--json"]
    found, out = timed(command, {})
    said = json.loads(out)
    found.tokens, found.usd = said["tokens"], said["usd"]
    return found


def ccusage(folder: Path, program: str) -> Totals:
    """``ccusage session``."""
    command = [program, "session", "--json", "--offline"]
    found, out = timed(command, {"CLAUDE_CONFIG_DIR": str(folder)})
    totals = json.loads(out)["totals"]
    found.tokens, found.usd = totals.get("totalTokens"), totals.get("totalCost")
    return found


def cost_per_task(folder: Path, program: str) -> Totals:
    """``cpt sessions summary``, which says its figures in words."""
    command = [program, "sessions", "summary", "--top", "0", "--path", str(folder / "projects")]
    found, out = timed(command, {})
    said = re.search(r"list prices.*: ([0-9.,]+) USD", out)
    found.usd = float(said[1].replace(",", "")) if said else None
    return found


PROGRAMS = {"leanloop": leanloop, "ccusage": ccusage, "cost-per-task": cost_per_task}


def one(name: str, folder: Path, program: str) -> None:
    """Measure one program in a process of its own, so that peaks do not mix."""
    found = PROGRAMS[name](folder, program)
    print(json.dumps(found.__dict__))


def main() -> None:
    """Measure all programs on all sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--ccusage", default="ccusage")
    parser.add_argument("--cpt", default="cpt")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("NAME", "FOLDER", "PROGRAM"))
    given = parser.parse_args()
    if given.one:
        one(given.one[0], Path(given.one[1]), given.one[2])
        return
    programs = {"leanloop": sys.executable, "ccusage": given.ccusage, "cost-per-task": given.cpt}
    print("| program | MB | seconds | × leanloop | MB a second | peak MB | tokens | dollars |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for mb in given.mb:
        with tempfile.TemporaryDirectory() as name:
            size = generate(Path(name), mb) / 1e6
            show(measured(programs, Path(name), given.turns), size)


def measured(programs: dict[str, str], folder: Path, turns: int) -> dict[str, Totals]:
    """The best of some turns of each program, taken in turns."""
    best: dict[str, Totals] = {}
    for _ in range(turns):
        for name, program in programs.items():
            command = [sys.executable, "-m", "benchmarks.traces", "--one", name, str(folder)]
            done = subprocess.run([*command, program], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{name} is missing or failed: {done.stderr.strip()[-200:]}", file=sys.stderr)
                continue
            found = Totals(**json.loads(done.stdout.splitlines()[-1]))
            if name not in best or found.wall_s < best[name].wall_s:
                best[name] = found
    return best


def show(best: dict[str, Totals], size: float) -> None:
    """Rows of the table."""
    own = best["leanloop"].wall_s
    for name, t in best.items():
        tokens = "not said" if t.tokens is None else f"{t.tokens:,}"
        usd = "not said" if t.usd is None else f"{t.usd:,.2f}"
        print(
            f"| {name} | {size:,.0f} | {t.wall_s:.2f} | {t.wall_s / own:.2f} | "
            f"{size / t.wall_s:,.0f} | {t.peak_mb:,.0f} | {tokens} | {usd} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
