"""Do llama.cpp's parallel slots pay on this machine? (docs/decisions/0003)

Eight requests of 40 tokens behind a shared prefix that is already computed, first one at a time
in one slot, then four at a time in four slots, side by side in one process each.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import xllamacpp

from leanloop.models.weights import obtain

PREFIX = "You are a helpful agent. " + " ".join(
    f"Tool {i} gets record {i * 37}." for i in range(80)
)
REQUESTS = 8
OUTPUT_TOKENS = 40


def tokens_per_s(path: str, slots: int) -> float:
    """Output tokens a second over all requests, in that many slots."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_parallel = slots
    parameters.n_ctx = 2048 * slots
    parameters.cpuparams.n_threads = os.cpu_count() or 1
    parameters.cache_ram_mib = 0
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)

    def ask(i: int) -> None:
        server.handle_completions(
            {
                "prompt": f"{PREFIX}\nTask {i}: find order {i * 77}.\n",
                "n_predict": OUTPUT_TOKENS,
                "temperature": 0,
                "ignore_eos": True,
                "cache_prompt": True,
            }
        )

    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(ask, range(slots * 2)))
        start = time.perf_counter()
        list(pool.map(ask, range(100, 100 + REQUESTS)))
        return REQUESTS * OUTPUT_TOKENS / (time.perf_counter() - start)


def main() -> None:
    """Print the ratio for the small embedded model."""
    path = str(obtain("qwen2.5-coder-0.5b"))
    one, four = tokens_per_s(path, 1), tokens_per_s(path, 4)
    print(f"one slot {one:.1f} tokens/s, four slots {four:.1f} tokens/s, ratio {four / one:.2f}")


if __name__ == "__main__":
    main()
