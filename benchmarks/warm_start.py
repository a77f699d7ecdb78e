"""What a saved prefix is worth to an agent whose every task is a process of its own.

``python -m benchmarks.warm_start`` runs tasks of the back office, each in a new process with the
embedded model, once as it is and once with ``memory.warm_prefix``, in turns: what the first task
left on disk, the others begin with. It prints how long the first reply and the whole run took,
without the time to load the weights, and how many tokens were read anew. ``--json`` keeps the
figures and ``--page`` puts them into ``docs/persistent.md``.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.levers import machine
from benchmarks.persistent import BASELINE, MODELS, PAGE, ratio, spec_of, today
from leanloop.core.configuration import Configuration, Setting
from leanloop.core.run import Run
from leanloop.core.task import Split
from leanloop.models.builtin import build_model
from leanloop.models.embedded import EmbeddedModel
from leanloop.models.weights import CACHE_VARIABLE, weights_folder
from leanloop.search.study import Study
from leanloop.stats.interval import Interval
from leanloop.stats.per_solved import per_solved_ratio
from leanloop.stats.resampling import sample_of

SETTINGS: dict[str, dict[str, Setting]] = {"off": {}, "on": {"memory.warm_prefix": "on"}}
MEASURED = PAGE.parent / "measured" / "warm-start.json"
BEGIN, END = "<!-- warm start -->\n", "<!-- end of warm start -->\n"
HEAD = (
    "| model | n | success, off and on | seconds to the first reply, off and on | × "
    "| seconds a run | × | tokens read anew a run | × |\n|---|---|---|---|---|---|---|---|---|"
)


class Began(msgspec.Struct):
    """A run in a process of its own.

    Attributes:
        success: 0 to 1.
        first_reply_s: Wall seconds of the first call, reading and writing.
        run_s: Wall seconds of all calls and tools.
        uncached_tokens: Input tokens that llama.cpp had to read.
    """

    success: float
    first_reply_s: float
    run_s: float
    uncached_tokens: float


class Measured(msgspec.Struct):
    """What was measured, on what, and when; each model's runs in the order of the tasks.

    Attributes:
        day: In UTC.
        machine: Its processor.
        cores: That the processes had.
        off: Without a saved prefix, by model.
        on: With one; the first has to save it.
        note: What else there is to know of the machine.
    """

    day: str
    machine: str
    cores: int
    off: dict[str, list[Began]]
    on: dict[str, list[Began]]
    note: str = ""


async def run_here(model: str, setting: str, number: int) -> Began:
    """One run in this process, whose clock starts once the weights are loaded."""
    acting = build_model(model, MODELS[model])
    assert isinstance(acting, EmbeddedModel)
    await acting.load()
    study = Study(spec_of(model), models=dict.fromkeys(MODELS, acting))
    runner = study.runner()
    configuration = Configuration({**BASELINE, **SETTINGS[setting]})
    run = await runner.run(configuration, study.suite.tasks(Split.SEARCH)[number])
    await study.close()
    return _began(run)


def _began(run: Run) -> Began:
    read = [c.tokens.uncached_input_tokens for c in run.model_calls]
    return Began(
        run.success or 0.0,
        next(run.model_calls).latency_s,
        run.critical_path_s,
        float(sum(r for r in read if r is not None)),
    )


def elsewhere(model: str, setting: str, number: int, cache: Path) -> Began:
    """The same in a process of its own, with its states kept in that cache."""
    here = [sys.executable, "-m", "benchmarks.warm_start"]
    asked = [*here, "--here", model, setting, str(number)]
    place = os.environ | {CACHE_VARIABLE: str(cache)}
    # The command is this file.
    done = subprocess.run(asked, env=place, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Began)


def measure(models: Sequence[str], tasks: int, note: str) -> Measured:
    """Every task twice, in turns."""
    found = Measured(today(), machine(), len(os.sched_getaffinity(0)), {}, {}, note)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "weights").symlink_to(weights_folder())
        for model in models:
            found.off[model], found.on[model] = [], []
            for number in range(tasks):
                found.off[model].append(elsewhere(model, "off", number, Path(folder)))
                found.on[model].append(elsewhere(model, "on", number, Path(folder)))
                print(model, number, found.off[model][-1], found.on[model][-1], flush=True)
    return found


def page(found: Measured) -> str:
    """The table."""
    lines = [
        f"Measured on {found.day}, {found.cores} core(s) of {found.machine}: a process for each "
        f"task, its weights loaded before the clock starts; `memory.warm_prefix` off and on, in "
        f"turns; the first task that has it on saves what the others begin with, and is left out "
        f"on both sides. {found.note} × is the ratio of the sums over the tasks, with its 95% "
        "interval.",
        "",
        HEAD,
        *(_line(model, off[1:], found.on[model][1:]) for model, off in found.off.items()),
    ]
    return "\n".join(lines) + "\n"


def _line(model: str, off: Sequence[Began], on: Sequence[Began]) -> str:
    cells = [model, str(len(off)), " and ".join(f"{_mean(s, 'success'):.2f}" for s in (off, on))]
    for name, digits in (("first_reply_s", 1), ("run_s", 1), ("uncached_tokens", 0)):
        cells.append(" and ".join(f"{_mean(side, name):,.{digits}f}" for side in (off, on)))
        cells.append(ratio(_ratio(off, on, name)))
    return "| " + " | ".join(cells) + " |"


def _mean(side: Sequence[Began], name: str) -> float:
    return float(np.mean([getattr(b, name) for b in side]))


def _ratio(off: Sequence[Began], on: Sequence[Began], name: str) -> Interval:
    """Of sums: every task counts as one, solved or not."""
    a, b = (np.array([[1.0, getattr(x, name)] for x in side]).T for side in (off, on))
    return per_solved_ratio(a, b, sample_of(len(off)))


def with_table(text: str) -> str:
    """The page of docs with the table of what was measured in its place."""
    known = msgspec.json.decode(MEASURED.read_bytes(), type=Measured)
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + page(known) + END + rest.partition(END)[2]


def main() -> None:
    """Measure, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument(
        "--tasks", type=int, default=21, help="Of the search; the first is no figure."
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--note", default="", help="What else there is to know of the machine.")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--here", nargs=3, metavar=("MODEL", "SETTING", "TASK"))
    given = parser.parse_args()
    if given.here:
        model, setting, number = given.here
        began = asyncio.run(run_here(model, setting, int(number)))
        print(msgspec.json.encode(began).decode())
    elif given.page:
        PAGE.write_text(with_table(PAGE.read_text()))
    else:
        found = measure(given.models, given.tasks, given.note)
        print(page(found))
        if given.json:
            given.json.write_bytes(
                msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
            )


if __name__ == "__main__":
    main()
