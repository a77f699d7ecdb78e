"""List the levers, or show the card of one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from leanloop.cli.options import JsonOption, answers_console, emit
from leanloop.levers.builtin import all_levers, find_lever
from leanloop.levers.protocol import Card

NameArgument = Annotated[str | None, typer.Argument(metavar="[LEVER]")]


def levers(name: NameArgument = None, json: JsonOption = False) -> None:
    """List the levers, or show the card of one."""
    cards = [find_lever(name, "levers").card] if name else [x.card for x in all_levers().values()]
    if json:
        emit([_document(c) for c in cards])
    elif name:
        answers_console().print(_card(cards[0]), highlight=False, soft_wrap=True)
    else:
        table = Table("lever", "settings beside off", "acts on", "what it does")
        for card in sorted(cards, key=lambda c: c.name):
            table.add_row(card.name, str(card.domain), ", ".join(card.acts_on), card.summary)
        answers_console().print(table)


def _document(card: Card) -> dict[str, object]:
    return {
        "name": card.name,
        "summary": card.summary,
        "settings": str(card.domain),
        "search": list(card.search),
        "acts_on": list(card.acts_on),
        "needs": list(card.needs),
        "source": card.source,
    }


def _card(card: Card) -> str:
    tried = ", ".join(map(str, card.search)) or "those that the study names"
    return (
        f"{card.name}\n  {card.summary}\n  settings: off, or {card.domain}\n"
        f"  a search tries: {tried}\n  acts on: {', '.join(card.acts_on)}\n"
        f"  needs: {', '.join(card.needs) or 'nothing more'}\n  source: {card.source}"
    )
