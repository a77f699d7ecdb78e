"""Atheris against the readers of traces: no crash, no hang, no unbounded memory.

``python -m benchmarks.fuzz_readers NAME --seconds 600`` feeds one reader what coverage-guided
mutation makes of its test files; without a name every reader has its turn, each in a process of
its own. A run that raises, takes longer than 20 seconds or more than 2 GB ends with the input in
``--artifacts``. Atheris is in ``requirements/bench.txt``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "tests" / "traces" / "data"
RECORDED = Path(__file__).parents[2] / "shared" / "data"
"""Recorded runs of others, where they are there."""
MOST_BYTES = 200_000
ONE_INPUT_S = 20
MEMORY_MB = 2048
LONGEST = 1 << 16


def fuzz(name: str, seconds: int, artifacts: Path) -> None:
    """Feed one reader until the time is over; ends the process."""
    import atheris  # noqa: PLC0415 - has to be there before what it is to watch

    with atheris.instrument_imports(include=["leanloop.traces"]):
        from tests.traces.conformance import check  # noqa: PLC0415

        from leanloop.traces.builtin import all_readers  # noqa: PLC0415
        from leanloop.traces.protocol import Wanted  # noqa: PLC0415
        from leanloop.traces.reading import head_of  # noqa: PLC0415
        from leanloop.traces.source import Source  # noqa: PLC0415

    reader = all_readers()[name]
    folder = Path(tempfile.mkdtemp())
    file = folder / "input"

    def once(data: bytes) -> None:
        file.write_bytes(data[1:])
        source = Source(file)
        reader.claims(head_of(source))
        for run in reader.read([source], Wanted(contents=bool(data[:1] > b"\x7f"))):
            check(run)

    corpus = folder / "corpus"
    corpus.mkdir()
    for i, sample in enumerate(samples(name)):
        (corpus / f"sample-{i}").write_bytes(b"\xff" + sample.read_bytes()[:LONGEST])
    artifacts.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={seconds}",
            f"-timeout={ONE_INPUT_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={LONGEST}",
            f"-artifact_prefix={artifacts}/{name}-",
            "-print_final_stats=1",
        ],
        once,
    )
    atheris.Fuzz()


def samples(name: str) -> list[Path]:
    """The test files that the reader itself claims."""
    from leanloop.core.errors import BadInputError  # noqa: PLC0415
    from leanloop.traces.builtin import reader_of  # noqa: PLC0415
    from leanloop.traces.reading import head_of  # noqa: PLC0415
    from leanloop.traces.source import Source  # noqa: PLC0415

    found = []
    files = (p for folder in (SAMPLES, RECORDED) for p in folder.rglob("*") if p.is_file())
    for path in sorted(p for p in files if p.stat().st_size < MOST_BYTES):
        try:
            if reader_of(head_of(Source(path)), str(path)).card.name == name:
                found.append(path)
        except BadInputError:
            continue
    return found


def main() -> None:
    """One reader here, or each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--artifacts", type=Path, default=Path(".leanloop/fuzz"))
    given = parser.parse_args()
    if given.name:
        fuzz(given.name, given.seconds, given.artifacts)
        return
    from leanloop.traces.builtin import BUILT_IN  # noqa: PLC0415

    failed = []
    for name in BUILT_IN:
        command = [sys.executable, "-m", "benchmarks.fuzz_readers", name]
        options = ["--seconds", str(given.seconds), "--artifacts", str(given.artifacts)]
        ended = subprocess.run([*command, *options], check=False, stderr=subprocess.PIPE, text=True)
        lines = [x for x in ended.stderr.splitlines() if x.startswith("stat::number_of_executed")]
        print(f"{name}: exit {ended.returncode}, {len(samples(name))} samples", *lines, flush=True)
        if ended.returncode:
            failed.append(name)
            print(ended.stderr[-3000:], flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
