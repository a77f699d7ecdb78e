"""Families of tasks: what is asked, how it is solved, what proves it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from leanloop.suites.backoffice.world import World


@dataclass(frozen=True)
class Draft:
    """A task in the making.

    Args:
        wordings: The question as search, holdout and examples put it.
        steps: Tool calls that solve it, results left out, with the fields needed.
        answer: The right value, as text.
        rivals: Values of the same kind that a right answer does not name.
        change: Table, key, column and value that the end state must have, for updates.
    """

    wordings: tuple[str, str, str]
    steps: tuple[tuple[str, dict[str, str], tuple[str, ...]], ...]
    answer: str
    rivals: tuple[str, ...] = ()
    change: tuple[str, str, str, str] | None = None


Maker = Callable[[random.Random, World], Draft]


def lookup(rng: random.Random, world: World) -> Draft:
    """One record, one field."""
    person = rng.choice(world.rows["people"])
    return Draft(
        (
            f"What is the phone extension of {person['name']}?",
            f"On which phone extension is {person['name']}?",
            f"Give me {person['name']}'s phone extension.",
        ),
        (("get_person", {"name": person["name"]}, ("phone_extension",)),),
        str(person["phone_extension"]),
    )


def two_hops(rng: random.Random, world: World) -> Draft:
    """A record that names another record."""
    if rng.random() < 0.5:
        person = rng.choice(world.rows["people"])
        manager = world.one("people", person["manager"])
        return Draft(
            (
                f"In which city does the manager of {person['name']} work?",
                f"Where is the manager of {person['name']} based? Name the city.",
                f"Name the city where the manager of {person['name']} works.",
            ),
            (
                ("get_person", {"name": person["name"]}, ("manager",)),
                ("get_person", {"name": manager["name"]}, ("city",)),
            ),
            manager["city"],
            others(world.values("people", "city"), manager["city"]),
        )
    order = rng.choice(world.rows["orders"])
    product = world.one("products", order["product"])
    return Draft(
        (
            f"How many of the product in order {order['order_id']} are in stock?",
            f"What is the stock of the product that order {order['order_id']} is for?",
            f"What stock is there of the product in order {order['order_id']}?",
        ),
        (
            ("get_order", {"order_id": order["order_id"]}, ("product",)),
            ("get_product", {"name": product["name"]}, ("stock",)),
        ),
        str(product["stock"]),
    )


def three_hops(rng: random.Random, world: World) -> Draft:
    """Ticket to team to lead to a field."""
    ticket = rng.choice(world.rows["tickets"])
    team = world.one("teams", ticket["team"])
    lead = world.one("people", team["lead"])
    ident = ticket["ticket_id"]
    return Draft(
        (
            f"What is the phone extension of the lead of the team that has ticket {ident}?",
            f"Ticket {ident} belongs to a team. On which extension is that team's lead?",
            f"Give me the phone extension of the lead of the team of ticket {ident}.",
        ),
        (
            ("get_ticket", {"ticket_id": ident}, ("team",)),
            ("get_team", {"name": team["name"]}, ("lead",)),
            ("get_person", {"name": lead["name"]}, ("phone_extension",)),
        ),
        str(lead["phone_extension"]),
    )


def total(rng: random.Random, world: World) -> Draft:
    """A sum over three records."""
    orders = rng.sample(world.rows["orders"], 3)
    a, b, c = (o["order_id"] for o in orders)
    return Draft(
        (
            f"What is the total quantity of orders {a}, {b} and {c}?",
            f"Add up the quantity of orders {a}, {b} and {c}.",
            f"Sum the quantity over orders {a}, {b} and {c}.",
        ),
        tuple(("get_order", {"order_id": o["order_id"]}, ("quantity",)) for o in orders),
        str(sum(o["quantity"] for o in orders)),
    )


def compare(rng: random.Random, world: World) -> Draft:
    """The largest of three records."""
    products = rng.sample(world.rows["products"], 3)
    best = max(products, key=lambda p: p["stock"])
    a, b, c = (p["name"] for p in products)
    return Draft(
        (
            f"Which product has the most stock: {a}, {b} or {c}?",
            f"Of the products {a}, {b} and {c}, which one has the highest stock?",
            f"Among {a}, {b} and {c}, which product has the largest stock?",
        ),
        tuple(("get_product", {"name": p["name"]}, ("stock",)) for p in products),
        best["name"],
        tuple(n for n in (a, b, c) if n != best["name"]),
    )


def count(rng: random.Random, world: World) -> Draft:
    """A search, then a count of what fits."""
    assignee = rng.choice(world.rows["tickets"])["assignee"]
    open_ = [
        t for t in world.rows["tickets"] if t["assignee"] == assignee and t["status"] == "open"
    ]
    return Draft(
        (
            f"How many open tickets does {assignee} have?",
            f"Count the tickets of {assignee} that are still open.",
            f"What number of open tickets is assigned to {assignee}?",
        ),
        (("find_tickets", {"assignee": assignee}, ("status",)),),
        str(len(open_)),
    )


def update(rng: random.Random, world: World) -> Draft:
    """A look-up, then a change of state."""
    ticket = rng.choice(world.rows["tickets"])
    ident = ticket["ticket_id"]
    teams = [t for t in world.rows["teams"] if t["lead"] != ticket["assignee"]]
    team = rng.choice(teams or world.rows["teams"])
    return Draft(
        (
            f"Assign ticket {ident} to the lead of team {team['name']}.",
            f"The lead of team {team['name']} takes over ticket {ident}: assign it.",
            f"Assign to the lead of team {team['name']} the ticket {ident}.",
        ),
        (
            ("get_team", {"name": team["name"]}, ("lead",)),
            ("assign_ticket", {"ticket_id": ident, "name": team["lead"]}, ()),
        ),
        "done",
        change=("tickets", ident, "assignee", team["lead"]),
    )


FAMILIES: dict[str, Maker] = {
    f.__name__: f for f in (two_hops, total, update, count, compare, three_hops, lookup)
}
"""Families by name, in the order in which worked examples show them."""

FAMILY_TOOLS: dict[str, tuple[str, ...]] = {
    "lookup": ("get_person",),
    "two_hops": ("get_person", "get_order", "get_product"),
    "three_hops": ("get_ticket", "get_team", "get_person"),
    "total": ("get_order",),
    "compare": ("get_product",),
    "count": ("find_tickets",),
    "update": ("get_team", "assign_ticket"),
}


def others(values: list[str], value: str) -> tuple[str, ...]:
    """The values other than one of them, each once, in order."""
    return tuple(sorted(set(values) - {value}))
