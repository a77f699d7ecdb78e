"""The company behind the back office: drawn from a seed, kept in SQLite."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from leanloop.suites.backoffice.names import Pool

Record: TypeAlias = dict[str, Any]

TABLES: dict[str, tuple[str, ...]] = {
    "people": ("name", "title", "team", "manager", "city", "phone_extension", "start_year"),
    "teams": ("name", "lead", "floor", "budget_usd", "members"),
    "orders": ("order_id", "customer", "product", "quantity", "total_usd", "status"),
    "products": ("name", "price_usd", "stock", "warehouse", "supplier"),
    "tickets": ("ticket_id", "title", "assignee", "team", "priority", "status"),
}
"""Columns of each table; the first is its key."""

ORDER_STATUSES = ("pending", "shipped", "cancelled")
TICKET_STATUSES = ("open", "closed")
TITLES = ("analyst", "engineer", "buyer", "planner", "auditor")
PROBLEMS = ("login fails", "invoice missing", "slow report", "wrong address", "broken link")
USUAL_NUMBERS = 12
"""Orders, and tickets, of a company."""


@dataclass(frozen=True)
class World:
    """One company.

    Args:
        rows: Table name to its records.
        seed: What it was drawn from.
    """

    rows: dict[str, list[Record]]
    seed: str

    def one(self, table: str, key: str) -> Record:
        """The record with that key."""
        column = TABLES[table][0]
        return next(r for r in self.rows[table] if r[column] == key)

    def values(self, table: str, column: str) -> list[Any]:
        """Every value of a column."""
        return [r[column] for r in self.rows[table]]


def make_world(pool: Pool, seed: str, numbers: int = USUAL_NUMBERS) -> World:
    """Draw a company whose words come from a pool; the same seed gives the same company.

    Args:
        pool: Where names come from.
        seed: Decides every draw.
        numbers: Orders, and tickets, that the company has.
    """
    rng = random.Random(seed)  # noqa: S311 - a world, not a secret
    names = _full_names(rng, pool, 12)
    teams = rng.sample(pool.teams, 4)
    people = [_person(rng, pool, name, names, teams) for name in names]
    products = rng.sample(pool.products, 6)
    drawn = rng.sample(range(pool.first_number, pool.first_number + 900), numbers)
    rows = {
        "people": people,
        "teams": [_team(rng, t, people) for t in teams],
        "products": _products(rng, pool, products),
        "orders": [_order(rng, pool, products, n) for n in drawn],
        "tickets": [_ticket(rng, names, teams, n + 1) for n in drawn],
    }
    return World(rows, seed)


def open_database(world: World) -> sqlite3.Connection:
    """A fresh SQLite database in memory that holds the company."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.row_factory = sqlite3.Row
    for table, columns in TABLES.items():
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)}, PRIMARY KEY ({columns[0]}))")
        marks = ", ".join("?" * len(columns))
        database.executemany(
            f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608 - our own table names
            [tuple(r[c] for c in columns) for r in world.rows[table]],
        )
    database.commit()
    return database


def snapshot(database: sqlite3.Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, in key order."""
    return {
        table: [
            tuple(row)
            for row in database.execute(
                f"SELECT * FROM {table} ORDER BY {columns[0]}"  # noqa: S608 - our own table names
            )
        ]
        for table, columns in TABLES.items()
    }


def _full_names(rng: random.Random, pool: Pool, count: int) -> list[str]:
    first = rng.sample(pool.first, count)
    return [f"{f} {rng.choice(pool.last)}" for f in first]


def _person(
    rng: random.Random, pool: Pool, name: str, names: Sequence[str], teams: Sequence[str]
) -> Record:
    return {
        "name": name,
        "title": rng.choice(TITLES),
        "team": rng.choice(teams),
        "manager": rng.choice([n for n in names if n != name]),
        "city": rng.choice(pool.cities),
        "phone_extension": rng.randint(2000, 9999),
        "start_year": rng.randint(2005, 2025),
    }


def _team(rng: random.Random, team: str, people: Sequence[Record]) -> Record:
    return {
        "name": team,
        "lead": rng.choice(people)["name"],
        "floor": rng.randint(1, 9),
        "budget_usd": rng.randint(20, 90) * 1000,
        "members": sum(p["team"] == team for p in people),
    }


def _products(rng: random.Random, pool: Pool, names: Sequence[str]) -> list[Record]:
    stocks = rng.sample(range(10, 200), len(names))
    prices = rng.sample(range(15, 400), len(names))
    return [
        {
            "name": name,
            "price_usd": price,
            "stock": stock,
            "warehouse": rng.choice(pool.cities),
            "supplier": rng.choice(pool.customers),
        }
        for name, stock, price in zip(names, stocks, prices, strict=True)
    ]


def _order(rng: random.Random, pool: Pool, products: Sequence[str], number: int) -> Record:
    return {
        "order_id": f"O-{number}",
        "customer": rng.choice(pool.customers),
        "product": rng.choice(products),
        "quantity": rng.randint(2, 12),
        "total_usd": rng.randint(40, 900),
        "status": rng.choice(ORDER_STATUSES),
    }


def _ticket(rng: random.Random, names: Sequence[str], teams: Sequence[str], number: int) -> Record:
    return {
        "ticket_id": f"T-{number}",
        "title": rng.choice(PROBLEMS),
        "assignee": rng.choice(names[:4]),
        "team": rng.choice(teams),
        "priority": rng.choice(("low", "normal", "high")),
        "status": rng.choice(TICKET_STATUSES),
    }
