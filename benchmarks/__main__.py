"""``make bench``: the slow measurements behind figures in the docs, one after another."""

from __future__ import annotations

from benchmarks import parallel_slots

if __name__ == "__main__":
    parallel_slots.main()
