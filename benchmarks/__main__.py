"""``make bench``: the slow measurements behind figures in the docs, one after another: many hours.

Each can be run alone, ``python -m benchmarks.NAME``, with options of its own. ``traces`` needs
ccusage and cost-per-task on the path, ``loop`` and the fuzzers what is in
``requirements/bench.txt``; what is missing is said to be.
"""

from __future__ import annotations

from benchmarks import (
    coverage,
    fuzz_readers,
    fuzz_wires,
    gateway,
    judging,
    levers,
    loop,
    overhead,
    parallel_slots,
    search,
    traces,
)

ORDER = (
    judging, coverage, parallel_slots, overhead, gateway, traces, loop, levers, search,
    fuzz_readers, fuzz_wires,
)  # fmt: skip

if __name__ == "__main__":
    for benchmark in ORDER:
        benchmark.main()
