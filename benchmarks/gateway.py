"""What a gateway adds: leanloop's beside LiteLLM's proxy and headroom's, before one stub.

``python -m benchmarks.gateway --litellm PROGRAM --headroom PROGRAM`` starts a stub that answers at
once, each gateway before it in turn with everything off that can be, and sends it bodies of three
sizes, streamed and not, from 1 and from 64 clients. Latency added is that through the gateway less
that of the stub alone, at p50 and at p99. ``--memory N`` sends N requests through leanloop's and
prints what it holds at each tenth. Versions measured: litellm 1.109.3, headroom-ai 0.42.0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STUB_PORT, PORT = 9100, 9101
SIZES = {"2 kB": 2_000, "100 kB": 100_000, "2 MB": 2_000_000}
CLIENTS = (1, 64)
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4.1-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "word " * 40},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 100, "completion_tokens": 40, "total_tokens": 140},
}


class Stub(asyncio.Protocol):
    """Answers every POST at once, with forty words, streamed where the body asks for it."""

    def __init__(self) -> None:
        self._held = b""
        self._pieces: list[bytes] = []
        self._need = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of a request has come; its last is answered."""
        if self._need < 0:
            self._held += data
            head, end, rest = self._held.partition(b"\r\n\r\n")
            if not end:
                return
            lines = head.lower().split(b"\r\n")
            lengths = [x for x in lines if x.startswith(b"content-length:")]
            self._need = int(lengths[0].split(b":")[1]) if lengths else 0
            if b"expect: 100-continue" in lines:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._pieces, self._held = [rest], b""
        else:
            self._pieces.append(data)
        if sum(map(len, self._pieces)) >= self._need:
            streams = any(
                b'"stream":true' in p or b'"stream": true' in p
                for p in (self._pieces[0][:300], self._pieces[-1][-300:])
            )
            self._need = -1
            self._transport.write(STREAMED if streams else PLAIN)


def _plain() -> bytes:
    body = json.dumps(ANSWER).encode()
    head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _streamed() -> bytes:
    about = {k: ANSWER[k] for k in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    deltas = [{"role": "assistant", "content": ""}, *({"content": "word "} for _ in range(40))]
    chunks = [{**about, "choices": [{"index": 0, "delta": d}]} for d in deltas]
    chunks.append({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**about, "choices": [], "usage": ANSWER["usage"]})
    events = [f"data: {json.dumps(c)}\n\n".encode() for c in chunks] + [b"data: [DONE]\n\n"]
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return head + b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in events) + b"0\r\n\r\n"


PLAIN, STREAMED = _plain(), _streamed()


async def stub(port: int) -> None:
    """Serve the stub for ever."""
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port)
    await server.serve_forever()


@dataclass(frozen=True)
class Load:
    """What is sent.

    Args:
        size: Bytes of a body, about.
        stream: Whether the answer is streamed.
        clients: At once, each with a connection of its own.
    """

    size: int
    stream: bool
    clients: int

    def body(self) -> bytes:
        """Ten messages that make up the size."""
        text = ("The quick brown fox jumps over the lazy dog. " * (self.size // 450 + 1))[
            : self.size // 10
        ]
        roles = ("user", "assistant") * 5
        messages = [{"role": r, "content": text} for r in roles[:-1]]
        messages.append({"role": "user", "content": "and now?"})
        about = {"model": "gpt-4.1-mini", "stream": self.stream}
        return json.dumps({**about, "messages": messages}).encode()


@dataclass(frozen=True)
class Figures:
    """What came of a load."""

    p50_ms: float
    p99_ms: float
    per_s: float
    requests: int


async def _client(port: int, body: bytes, until: Callable[[int], bool], out: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer sk-test\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    while until(len(out)):
        start = time.perf_counter()
        writer.write(head + body)
        status = await reader.readline()
        length, chunked = 0, False
        while (line := (await reader.readline()).lower()) not in (b"\r\n", b""):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            chunked = chunked or (line.startswith(b"transfer-encoding:") and b"chunked" in line)
        if chunked:
            while size := int((await reader.readline()).strip() or b"0", 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            await reader.readexactly(length)
        if b" 200 " not in status:
            raise SystemExit(f"port {port} answered {status!r}")
        out.append(time.perf_counter() - start)
    writer.close()


async def _load(port: int, load: Load, seconds: float) -> Figures:
    body, out = load.body(), list[float]()
    warm: list[float] = []
    await asyncio.gather(
        *(_client(port, body, lambda n: n < 3 * load.clients, warm) for _ in range(load.clients))
    )
    start = time.perf_counter()
    until = start + seconds
    await asyncio.gather(
        *(
            _client(port, body, lambda _: time.perf_counter() < until, out)
            for _ in range(load.clients)
        )
    )
    passed = time.perf_counter() - start
    ranks = statistics.quantiles(out, n=100) if len(out) > 1 else out * 99
    return Figures(1e3 * ranks[49], 1e3 * ranks[98], len(out) / passed, len(out))


@contextmanager
def _running(command: list[str], port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = (folder / f"{port}.log").open("wb")
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test", "PYTHONUNBUFFERED": "1"}
    # With a key of its own it would look at a database for every call.
    environment["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
    try:
        for _ in range(600):
            try:
                asyncio.run(_load(port, Load(2000, False, 1), 0.01))
                break
            except (OSError, asyncio.IncompleteReadError, SystemExit, ValueError):
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended: {log.name}") from None
                time.sleep(0.2)
        else:
            raise SystemExit(f"{command[0]} does not answer: {log.name}")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _leanloop(folder: Path) -> list[str]:
    store = str(folder / "store.sqlite")
    upstream = f"http://127.0.0.1:{STUB_PORT}/v1"
    program = str(Path(sys.executable).parent / "leanloop")
    return [program, "gateway", "--upstream", upstream, "--port", str(PORT), "--store", store]


def _litellm(program: str, folder: Path) -> list[str]:
    config = folder / "litellm.yaml"
    config.write_text(
        "model_list:\n  - model_name: gpt-4.1-mini\n    litellm_params:\n"
        "      model: openai/gpt-4.1-mini\n"
        f"      api_base: http://127.0.0.1:{STUB_PORT}/v1\n      api_key: sk-test\n"
    )
    return [program, "--config", str(config), "--port", str(PORT), "--host", "127.0.0.1"]


def _headroom(program: str) -> list[str]:
    off = ["--no-optimize", "--no-cache", "--no-rate-limit", "--no-http2", "--no-telemetry"]
    upstream = f"http://127.0.0.1:{STUB_PORT}"
    return [program, "proxy", "--port", str(PORT), *off, "--openai-api-url", upstream]


def _loads() -> list[tuple[str, Load]]:
    return [
        (
            f"{name}, {'streamed' if stream else 'whole'}, {n} client{'s' * (n > 1)}",
            Load(s, stream, n),
        )
        for name, s in SIZES.items()
        for stream in (False, True)
        for n in CLIENTS
    ]


def compare(commands: dict[str, list[str]], seconds: float, folder: Path) -> None:
    """Print a table: what each gateway adds, and how much passes."""
    found: dict[str, dict[str, Figures]] = {}
    with _running([sys.executable, "-m", "benchmarks.gateway", "--stub"], STUB_PORT, Path.cwd()):
        found["none"] = {
            name: asyncio.run(_load(STUB_PORT, load, seconds)) for name, load in _loads()
        }
        for gateway, command in commands.items():
            with _running(command, PORT, folder):
                found[gateway] = {
                    name: asyncio.run(_load(PORT, load, seconds)) for name, load in _loads()
                }
            print(f"{gateway} measured", file=sys.stderr, flush=True)
    columns = " | ".join(f"{g} p50 +ms | p99 +ms | /s" for g in commands)
    print(f"| load | {columns} |\n|---{'|---' * (3 * len(commands))}|")
    for name, _ in _loads():
        alone, cells = found["none"][name], []
        for gateway in commands:
            f = found[gateway][name]
            added = f"{f.p50_ms - alone.p50_ms:.2f} | {f.p99_ms - alone.p99_ms:.2f}"
            cells.append(f"{added} | {f.per_s:.0f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    _ratios(found)


def _ratios(found: dict[str, dict[str, Figures]]) -> None:
    others = [g for g in found if g not in ("none", "leanloop")]
    if "leanloop" not in found or not others:
        return
    print("\n| load | p50 added, of the better peer's | p99 added | throughput × the better's |")
    print("|---|---|---|---|")
    for name, _ in _loads():
        alone, own = found["none"][name], found["leanloop"][name]
        p50 = min(found[g][name].p50_ms for g in others) - alone.p50_ms
        p99 = min(found[g][name].p99_ms for g in others) - alone.p99_ms
        most = max(found[g][name].per_s for g in others)
        shares = ((own.p50_ms - alone.p50_ms) / p50, (own.p99_ms - alone.p99_ms) / p99)
        print(f"| {name} | {shares[0]:.2f} | {shares[1]:.2f} | {own.per_s / most:.1f} |")


def memory(requests: int, folder: Path) -> None:
    """Print what leanloop's gateway holds while requests of ever new conversations pass."""
    with (
        _running([sys.executable, "-m", "benchmarks.gateway", "--stub"], STUB_PORT, Path.cwd()),
        _running(_leanloop(folder), PORT, folder) as process,
    ):
        status = Path(f"/proc/{process.pid}/status")
        for tenth in range(11):
            if tenth:
                asyncio.run(_many(requests // 10, tenth))
            lines = status.read_text().splitlines()
            held = next(x for x in lines if x.startswith("VmRSS")).split()[1]
            print(f"{requests // 10 * tenth} requests: {int(held) / 1024:.0f} MB", flush=True)


async def _many(requests: int, salt: int) -> None:
    async def some(first: int, count: int) -> None:
        for i in range(first, first + count):
            body = Load(2000, False, 1).body().replace(b"and now?", f"{salt}-{i}?".encode())
            out: list[float] = []
            await _client(PORT, body, lambda n: n < 1, out)

    each = requests // 16
    await asyncio.gather(*(some(k * each, each) for k in range(16)))


def main() -> None:
    """Compare, or watch memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--litellm", help="LiteLLM's program, such as venv/bin/litellm")
    parser.add_argument("--headroom", help="headroom's program")
    parser.add_argument("--seconds", type=float, default=5.0, help="Of each load.")
    parser.add_argument("--memory", type=int, default=0, metavar="REQUESTS")
    parser.add_argument("--stub", action="store_true", help=argparse.SUPPRESS)
    given, _ = parser.parse_known_args()
    if given.stub:
        asyncio.run(stub(STUB_PORT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.memory:
            memory(given.memory, folder)
            return
        commands = {"leanloop": _leanloop(folder)}
        if given.litellm:
            commands["litellm"] = _litellm(given.litellm, folder)
        if given.headroom:
            commands["headroom"] = _headroom(given.headroom)
        compare(commands, given.seconds, folder)


if __name__ == "__main__":
    main()
