"""``make bench``: the slow measurements behind figures in the docs, one after another."""

from __future__ import annotations

from benchmarks import coverage, judging, parallel_slots

if __name__ == "__main__":
    judging.main()
    coverage.main()
    parallel_slots.main()
