"""Further families, drawn only when they are named: long, repeated, wide and unsolvable tasks."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence

from leanloop.suites.backoffice.families import Draft, Maker, others
from leanloop.suites.backoffice.history import FIELD, badge_number
from leanloop.suites.backoffice.world import Record, World

AT_LEAST = 15
"""Records that an audit reads, one by one, at the least."""

IMPOSSIBLE = "impossible"


def audit(rng: random.Random, world: World) -> Draft:
    """Every record of a group, read one by one, then a count or a sum."""
    return _team_audit(world) if rng.random() < 0.5 else _product_audit(world)


def recheck(rng: random.Random, world: World) -> Draft:
    """Five tickets of two people: who goes ticket by ticket reads the same people again."""
    tickets = world.rows["tickets"]
    busy = [name for name, _ in Counter(t["assignee"] for t in tickets).most_common(2)]
    chosen = rng.sample([t for t in tickets if t["assignee"] in busy], 5)
    managers = [world.one("people", t["assignee"])["manager"] for t in chosen]
    # Five tickets and at most two managers: one of them always has more.
    ((most, _),) = Counter(managers).most_common(1)
    idents = _listed([t["ticket_id"] for t in chosen])
    return Draft(
        (
            f"Take the tickets {idents} in turn and look up the manager of the person that each "
            "is assigned to. Which manager comes up most often?",
            f"Each of the tickets {idents} is assigned to somebody who has a manager. Go through "
            "them one after the other: who is the manager in most cases?",
            f"Go over tickets {idents}. For each, find the assignee and the assignee's manager. "
            "Name the manager found most often.",
        ),
        tuple(
            step
            for t in chosen
            for step in (
                ("get_ticket", {"ticket_id": t["ticket_id"]}, ("assignee",)),
                ("get_person", {"name": t["assignee"]}, ("manager",)),
            )
        ),
        most,
        others(world.values("people", "name"), most),
    )


def parallel(rng: random.Random, world: World) -> Draft:
    """Four look-ups of two hops that do not wait for each other, then a sum."""
    people = rng.sample(world.rows["people"], 4)
    teams = [world.one("teams", p["team"]) for p in people]
    names = _listed([p["name"] for p in people])
    return Draft(
        (
            f"On which floor is the team of each of {names}? Add up the four floor numbers.",
            f"Find the floor of the team that each of {names} is in, and give the sum of the four.",
            f"Sum the floors of four teams: those of {names}. A floor that comes twice counts "
            "twice.",
        ),
        tuple(
            step
            for person, team in zip(people, teams, strict=True)
            for step in (
                ("get_person", {"name": person["name"]}, ("team",)),
                ("get_team", {"name": team["name"]}, ("floor",)),
            )
        ),
        str(sum(t["floor"] for t in teams)),
    )


def unsolvable(rng: random.Random, world: World) -> Draft:
    """A record, a field or a tool is missing, and to say so is right.

    Beside other families only: by itself, a study would find that it is best never to try.
    """
    maker = rng.choice((_no_record, _no_field, _no_tool))
    return maker(rng, world)


def long(rng: random.Random, world: World) -> Draft:
    """A chain of six hops."""
    tickets = world.rows["tickets"]
    chains = [(t, _chain(world, t["team"])) for t in tickets]
    # Where both teams have one lead, three hops would do.
    uneven = [(t, c) for t, c in chains if c[0] != c[2]]
    ticket, (lead, boss, last) = rng.choice(uneven or chains)
    ident = ticket["ticket_id"]
    return Draft(
        (
            f"Ticket {ident} belongs to a team, and that team has a lead. Who is the lead's "
            "manager, in which team is that manager, and on which phone extension is the lead of "
            "the manager's team? Give the extension.",
            f"Start with the team of ticket {ident}. Take the manager of its lead, then the lead "
            "of the team that this manager is in. What is that lead's phone extension?",
            f"Follow the chain: ticket {ident}, its team, the team's lead, the lead's manager, the "
            "manager's team, that team's lead. Give the phone extension at the end.",
        ),
        (
            ("get_ticket", {"ticket_id": ident}, ("team",)),
            ("get_team", {"name": ticket["team"]}, ("lead",)),
            ("get_person", {"name": lead["name"]}, ("manager",)),
            ("get_person", {"name": boss["name"]}, ("team",)),
            ("get_team", {"name": boss["team"]}, ("lead",)),
            ("get_person", {"name": last["name"]}, ("phone_extension",)),
        ),
        str(last["phone_extension"]),
    )


def history(rng: random.Random, world: World) -> Draft:
    """A value that is one line of a record's long free text."""
    name = rng.choice(world.rows["people"])["name"]
    badges = {p["name"]: badge_number(world.seed, p["name"]) for p in world.rows["people"]}
    return Draft(
        (
            f"Which badge was handed out to {name}? It is in the history log of their record.",
            f"The history log of {name} names the badge they were given. Which one is it?",
            f"Find in the history log of {name} the badge that was handed out.",
        ),
        (("get_person", {"name": name}, (FIELD,)),),
        badges[name],
        others(list(badges.values()), badges[name]),
    )


EXTRA_FAMILIES: dict[str, Maker] = {
    f.__name__: f for f in (audit, recheck, parallel, unsolvable, long, history)
}
"""Families by name that a suite draws from only when they are named."""

EXTRA_FAMILY_TOOLS: dict[str, tuple[str, ...]] = {
    "audit": ("list_team_tickets", "list_product_orders", "get_ticket", "get_order"),
    "recheck": ("get_ticket", "get_person"),
    "parallel": ("get_person", "get_team"),
    "unsolvable": ("get_order", "get_person", "get_ticket", "set_ticket_status"),
    "long": ("get_ticket", "get_team", "get_person"),
    "history": ("get_person",),
}

WORLD_NUMBERS: dict[str, int] = {"audit": 6 * AT_LEAST}
"""Orders, and tickets, of a company where a family needs more: six products share the orders."""


def _team_audit(world: World) -> Draft:
    team, tickets = _smallest_group(world.rows["tickets"], "team")
    return Draft(
        (
            f"Check every ticket of team {team}, one by one. How many of them are open?",
            f"Of all tickets that team {team} has, how many are open? Read each one.",
            f"Count the open tickets of team {team}: list its tickets, then read each.",
        ),
        (
            ("list_team_tickets", {"team": team}, ("ticket_id",)),
            *(("get_ticket", {"ticket_id": t["ticket_id"]}, ("status",)) for t in tickets),
        ),
        str(sum(t["status"] == "open" for t in tickets)),
    )


def _product_audit(world: World) -> Draft:
    product, orders = _smallest_group(world.rows["orders"], "product")
    return Draft(
        (
            f"Check every order of the product {product}, one by one. What is the total quantity "
            "of those that are shipped?",
            f"Read each order of the product {product} and add up the quantity of the shipped "
            "ones.",
            f"Sum the quantity over the shipped orders of product {product}: list its orders, "
            "then read each.",
        ),
        (
            ("list_product_orders", {"product": product}, ("order_id",)),
            *(("get_order", {"order_id": o["order_id"]}, ("status", "quantity")) for o in orders),
        ),
        str(sum(o["quantity"] for o in orders if o["status"] == "shipped")),
    )


def _smallest_group(rows: Sequence[Record], column: str) -> tuple[str, list[Record]]:
    """The smallest group that is large enough for an audit, in key order."""
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    name = min((g for g in groups if len(groups[g]) >= AT_LEAST), key=lambda g: len(groups[g]))
    return name, sorted(groups[name], key=lambda r: str(next(iter(r.values()))))


def _chain(world: World, team: str) -> tuple[Record, Record, Record]:
    """The lead of a team, the lead's manager, and the lead of that manager's team."""
    lead = world.one("people", world.one("teams", team)["lead"])
    boss = world.one("people", lead["manager"])
    return lead, boss, world.one("people", world.one("teams", boss["team"])["lead"])


def _no_record(rng: random.Random, world: World) -> Draft:
    idents = set(world.values("orders", "order_id"))
    first = min(int(i.removeprefix("O-")) for i in idents)
    # Of twice as many numbers as there are orders, half are no order.
    near = (f"O-{n}" for n in range(first, first + 2 * len(idents)))
    ident = rng.choice([i for i in near if i not in idents])
    return Draft(
        _or_impossible(
            f"Which product is order {ident} for?",
            f"Name the product that was bought with order {ident}.",
            f"What product is in order {ident}?",
        ),
        (("get_order", {"order_id": ident}, ()),),
        IMPOSSIBLE,
        others(world.values("products", "name"), IMPOSSIBLE),
    )


def _no_field(rng: random.Random, world: World) -> Draft:
    name = rng.choice(world.rows["people"])["name"]
    return Draft(
        _or_impossible(
            f"What is the home address of {name}?",
            f"At which address does {name} live?",
            f"Give me the home address of {name}.",
        ),
        (("get_person", {"name": name}, ()),),
        IMPOSSIBLE,
        others(world.values("people", "city"), IMPOSSIBLE),
    )


def _no_tool(rng: random.Random, world: World) -> Draft:
    ident = rng.choice(world.rows["tickets"])["ticket_id"]
    return Draft(
        _or_impossible(
            f"Delete ticket {ident}, so that no record of it is left.",
            f"Ticket {ident} has to go: delete it for good.",
            f"Remove ticket {ident} from the records.",
        ),
        (("get_ticket", {"ticket_id": ident}, ()),),
        IMPOSSIBLE,
        ("done",),
    )


def _or_impossible(search: str, holdout: str, example: str) -> tuple[str, str, str]:
    return (
        f"{search} If that cannot be done, answer {IMPOSSIBLE}.",
        f"{holdout} Should there be no way to do so, the answer is {IMPOSSIBLE}.",
        f"{example} Say {IMPOSSIBLE} if there is no way.",
    )


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
