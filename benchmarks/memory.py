"""How long a look-up takes among many entries, and that a memory keeps to its bound.

``python -m benchmarks.memory`` fills a memory in a store with ``--entries`` entries, looks up tasks
by words, as a run does at its start, and adds one entry more, which has to push another out.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path

from leanloop.core.memory import Entry, Kind, Put
from leanloop.search.kept_memory import KeptMemory
from leanloop.store.sql import SqlStore

COMMON = (
    *("team", "ticket", "lead", "phone", "extension", "manager", "order", "product", "stock"),
    *("city", "person", "record"),
)
BATCH = 2000


def entry(rng: random.Random, number: int) -> Entry:
    """An entry whose words are half common and half its own."""
    own = [f"w{rng.randrange(20_000)}" for _ in range(6)]
    cue = " ".join([*rng.choices(COMMON, k=4), *own])
    return Entry(Kind.PLAN, str(number), "plan", cue, {"text": cue})


def main() -> None:
    """Fill, look up, add."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000)
    given = parser.parse_args()
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        store = SqlStore(Path(folder) / "m.sqlite")
        kept = store.memory("m")
        start = time.perf_counter()
        for first in range(0, given.entries, BATCH):
            some = range(first, min(first + BATCH, given.entries))
            kept.apply([Put(entry(rng, i)) for i in some], given.entries)
        print(f"written: {given.entries:,} entries in {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        memory = KeptMemory(kept, given.entries)
        print(f"read and indexed in {time.perf_counter() - start:.1f} s")
        took = []
        for _ in range(500):
            text = " ".join([*rng.sample(COMMON, 5), f"w{rng.randrange(20_000)}"])
            start = time.perf_counter()
            memory.refresh()
            memory.find(Kind.PLAN, text, 4)
            took.append(1000 * (time.perf_counter() - start))
        took.sort()
        print(f"look-up: median {took[250]:.2f} ms, 99 of 100 under {took[494]:.2f} ms")
        start = time.perf_counter()
        memory.apply([Put(entry(rng, given.entries))])
        spent = 1000 * (time.perf_counter() - start)
        print(f"one more entry: {spent:.1f} ms; the memory holds {len(memory):,}")
        store.close()


if __name__ == "__main__":
    main()
