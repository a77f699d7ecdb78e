"""Tools of the shop in ``questions.toml``: plain functions."""

from __future__ import annotations

from leanloop.suites.folder import reads

SHOP: dict[str, dict[str, object]] = {
    "kettle": {"name": "kettle", "euros": 24, "colours": ["black"]},
    "lamp": {"name": "lamp", "euros": 31, "colours": ["white", "black"]},
    "chair": {"name": "chair", "euros": 58, "colours": ["red", "green"]},
}


@reads
def get_article(name: str) -> dict[str, object]:
    """An article's record: its price in euros and its colours."""
    if name not in SHOP:
        raise LookupError(f"no article {name!r}; there are {', '.join(SHOP)}")
    return SHOP[name]


@reads
def add(first: float, second: float) -> float:
    """Add two numbers."""
    return first + second


TOOLS = [get_article, add]
