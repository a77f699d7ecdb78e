"""Atheris against what the gateway reads: no crash, no hang.

``python -m benchmarks.fuzz_wires NAME --seconds 600`` feeds one API's bodies, answers and streams;
without a name each of the three has its turn, in a process of its own. Atheris is in
``requirements/bench.txt``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chat-completions", "responses", "messages")
LONGEST = 1 << 14


def fuzz(name: str, seconds: int, artifacts: Path) -> None:
    """Feed one API until the time is over; ends the process."""
    import atheris  # noqa: PLC0415 - has to be there before what it is to watch

    with atheris.instrument_imports(include=["leanloop.gateway", "leanloop.models"]):
        from tests.gateway import test_wires  # noqa: PLC0415
        from tests.gateway.conformance import SAID, TOKENS  # noqa: PLC0415

        from leanloop.core.errors import BadInputError  # noqa: PLC0415
        from leanloop.core.message import Response  # noqa: PLC0415
        from leanloop.gateway.builtin import BUILT_IN  # noqa: PLC0415
        from leanloop.gateway.event_stream import EventStream  # noqa: PLC0415
        from leanloop.gateway.model_server import answer_body  # noqa: PLC0415
        from leanloop.gateway.session import digests  # noqa: PLC0415

    wire = BUILT_IN[name]

    def once(data: bytes) -> None:
        stream, joiner = EventStream(), wire.joiner()
        half = len(data) // 2
        for piece in (data[:half], data[half:], b"\n\n"):
            for kind, event in stream.feed(piece):
                joiner.feed(kind, event)
        wire.reply(joiner.body)
        try:
            peeked = wire.peek(data)
            digests(peeked, "key")
            body = json.loads(data)
            wire.reply(body)
            read = wire.read(body)
        except (BadInputError, ValueError, RecursionError):
            return
        assert read.write(read.request) is body
        assert wire.messages(peeked.items, peeked.head) == read.request.messages

    folder = Path(tempfile.mkdtemp())
    tests = (test_wires.TestChatCompletions, test_wires.TestResponses, test_wires.TestMessages)
    sample = next(t.body for t in tests if t.wire is wire)
    seeds = [json.dumps({**sample, "model": "m", "stream": True}).encode()]
    for said in SAID.values():
        answer = answer_body(wire, Response(said, TOKENS, 0.1), "p:m")
        seeds += [json.dumps(answer).encode(), b"".join(wire.events(answer, usage=True))]
    for i, seed in enumerate(seeds):
        (folder / str(i)).write_bytes(seed)
    artifacts.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", "-timeout=20", f"-max_len={LONGEST}"]
    where = f"-artifact_prefix={artifacts}/{name}-"
    atheris.Setup([sys.argv[0], str(folder), *limits, where, "-print_final_stats=1"], once)
    atheris.Fuzz()


def main() -> None:
    """Fuzz one API here, or all of them one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--artifacts", type=Path, default=Path(tempfile.gettempdir()) / "fuzz")
    given, _ = parser.parse_known_args()
    if given.name:
        fuzz(given.name, given.seconds, given.artifacts)
        return
    for name in NAMES:
        where = ["--seconds", str(given.seconds), "--artifacts", str(given.artifacts)]
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.fuzz_wires", name, *where], check=False
        )
        print(f"{name}: {'no crash' if not ended.returncode else 'a crash'}", flush=True)


if __name__ == "__main__":
    main()
