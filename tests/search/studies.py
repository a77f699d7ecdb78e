"""Studies over coins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STUDY = """
name = "coins"
seed = 3
margin = 0.3

[suite]
name = "tests.search.coins:coins"

[models.scripted]
provider = "scripted"
name = "tests.search.coins:script"
price = { input = 1.0, output = 4.0 }

[levers]
tools.projection = ["on"]
tools.result_cache = ["on"]
stopping.max_steps = [6]

[objectives]
success = "max"
tokens = "min"

[plan]
block = 6
proposals = 6
finalists = 2
"""


def write_study(folder: Path, text: str = STUDY, **replaced: Any) -> Path:
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, str(new))
    path = folder / "study.toml"
    path.write_text(text)
    return path
