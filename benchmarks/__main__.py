"""``make bench``: the slow measurements behind figures in the docs, one after another: many hours.

Each can be run alone, ``python -m benchmarks.NAME``, with options of its own. ``traces`` needs
ccusage and cost-per-task on the path, ``loop`` and the fuzzers what is in
``requirements/bench.txt``; what is missing is said to be.
"""

from __future__ import annotations

from benchmarks import (
    coverage,
    design_or_size,
    fuzz_readers,
    fuzz_wires,
    gateway,
    judging,
    levers,
    loop,
    memory,
    overhead,
    parallel_slots,
    persistent,
    search,
    suites,
    traces,
    warm_start,
)

ORDER = (
    judging, coverage, memory, parallel_slots, overhead, gateway, traces, loop, levers, search,
    persistent, design_or_size, warm_start, suites, fuzz_readers, fuzz_wires,
)  # fmt: skip

if __name__ == "__main__":
    for benchmark in ORDER:
        benchmark.main()
