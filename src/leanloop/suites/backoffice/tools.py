"""The tools of the back office, carried out on its database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TypeAlias

from leanloop.core.message import Contract, Json, ToolCall, ToolMessage, ToolSpec
from leanloop.suites.backoffice.noise import Noise, with_noise
from leanloop.suites.backoffice.world import (
    ORDER_STATUSES,
    TABLES,
    TICKET_STATUSES,
    Record,
    World,
    open_database,
)

Verifier: TypeAlias = Callable[[str | None, sqlite3.Connection], float]
STRING: Json = {"type": "string"}


KINDS = {"people": "person", "teams": "team", "orders": "order", "products": "product"}
KINDS |= {"tickets": "ticket"}
FIELD_KINDS = {
    "people": {"name": "person", "team": "team", "manager": "person"},
    "teams": {"name": "team", "lead": "person"},
    "orders": {"order_id": "order", "product": "product", "customer": "customer"},
    "products": {"name": "product"},
    "tickets": {"ticket_id": "ticket", "assignee": "person", "team": "team"},
}
"""Table to its fields that name a thing, and what kind of thing."""
ARGUMENT_KINDS = {"order_id": "order", "ticket_id": "ticket", "assignee": "person"}
ARGUMENT_KINDS |= {"team": "team", "product": "product", "customer": "customer"}
SETS = {"name": "assignee", "status": "status"}
LOOKS = {"order": "O-[0-9]+", "ticket": "T-[0-9]+"}


def _spec(
    name: str, description: str, parameters: dict[str, Json], table: str | None = None
) -> ToolSpec:
    schema = {"type": "object", "properties": parameters, "required": list(parameters)}
    kinds = {a: ARGUMENT_KINDS.get(a, KINDS.get(table or "people", "")) for a in parameters}
    kinds = {a: k for a, k in kinds.items() if a != "status"}
    if table is None:
        sets = {a: f for a, f in SETS.items() if a in parameters}
        contract = Contract(kinds, known=tuple(kinds), sets=sets, looks=LOOKS)
        return ToolSpec(name, description, schema, read_only=False, contract=contract)
    contract = Contract(kinds, FIELD_KINDS[table], known=tuple(kinds), looks=LOOKS)
    return ToolSpec(name, description, schema, True, TABLES[table], contract)


def _keys(name: str, description: str, given: str, key: str) -> ToolSpec:
    schema = {"type": "object", "properties": {given: STRING}, "required": [given]}
    contract = Contract({given: ARGUMENT_KINDS[given]}, {key: ARGUMENT_KINDS[key]}, looks=LOOKS)
    return ToolSpec(name, description, schema, True, (key,), contract)


TOOLS: dict[str, ToolSpec] = {
    t.name: t
    for t in (
        _spec("get_person", "A person's record.", {"name": STRING}, "people"),
        _spec("get_team", "A team's record.", {"name": STRING}, "teams"),
        _spec("get_order", "An order's record.", {"order_id": STRING}, "orders"),
        _spec("get_product", "A product's record.", {"name": STRING}, "products"),
        _spec("get_ticket", "A ticket's record.", {"ticket_id": STRING}, "tickets"),
        _spec("find_tickets", "All tickets of a person.", {"assignee": STRING}, "tickets"),
        _spec("find_orders", "All orders of a customer.", {"customer": STRING}, "orders"),
        _spec(
            "set_ticket_status",
            "Change a ticket's status.",
            {"ticket_id": STRING, "status": {"enum": list(TICKET_STATUSES)}},
        ),
        _spec("assign_ticket", "Give a ticket to a person.", {"ticket_id": STRING, "name": STRING}),
        _spec(
            "set_order_status",
            "Change an order's status.",
            {"order_id": STRING, "status": {"enum": list(ORDER_STATUSES)}},
        ),
    )
}
"""The tools that tasks need."""

EXTRA_TOOLS: dict[str, ToolSpec] = {
    t.name: t
    for t in (
        _keys("list_team_tickets", "Numbers of a team's tickets.", "team", "ticket_id"),
        _keys("list_product_orders", "Numbers of a product's orders.", "product", "order_id"),
    )
}
"""The tools that only further families need; they return keys and no record."""


class Backoffice:
    """The environment of one run: a database of its own and tools on it.

    Args:
        world: The company.
        tools: The tools to offer.
        noise: How much every record is padded.
        verifier: Scores an answer and an end state.
    """

    def __init__(
        self,
        world: World,
        tools: tuple[ToolSpec, ...],
        noise: Noise,
        verifier: Verifier,
    ) -> None:
        self._verifier = verifier
        self._world = world
        self._tools = tools
        self._noise = noise
        self.database: sqlite3.Connection = open_database(world)
        self._calls: dict[str, Callable[[Record], Json]] = {
            "get_person": lambda a: self._get("people", a["name"]),
            "get_team": lambda a: self._get("teams", a["name"]),
            "get_order": lambda a: self._get("orders", a["order_id"]),
            "get_product": lambda a: self._get("products", a["name"]),
            "get_ticket": lambda a: self._get("tickets", a["ticket_id"]),
            "find_tickets": lambda a: self._find("tickets", "assignee", a["assignee"]),
            "find_orders": lambda a: self._find("orders", "customer", a["customer"]),
            "list_team_tickets": lambda a: self._keys("tickets", "team", a["team"]),
            "list_product_orders": lambda a: self._keys("orders", "product", a["product"]),
            "set_ticket_status": lambda a: self._set(
                "tickets", a["ticket_id"], "status", a["status"]
            ),
            "assign_ticket": lambda a: self._assign(a["ticket_id"], a["name"]),
            "set_order_status": lambda a: self._set("orders", a["order_id"], "status", a["status"]),
        }

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools offered."""
        return self._tools

    async def call(self, call: ToolCall) -> ToolMessage:
        """Carry out a call; an unknown tool, argument or key is an error result."""
        if all(call.name != tool.name for tool in self._tools):
            return _result(call, f"no tool named {call.name}", error=True)
        try:
            return _result(call, self.carry_out(call.name, call.arguments))
        except KeyError as error:
            return _result(call, f"argument {error} is missing", error=True)
        except (LookupError, UnicodeEncodeError) as error:
            return _result(call, str(error), error=True)

    def verify(self, answer: str | None) -> float:
        """1 when the answer and the end state are right, 0 otherwise."""
        return self._verifier(answer, self.database)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def carry_out(self, tool: str, arguments: dict[str, Json]) -> Json:
        """The result of a call.

        Raises:
            KeyError: An argument is missing.
            LookupError: There is no such record, or the value is not allowed.
        """
        known = self._calls.get(tool)
        return {"result": "nothing to report"} if known is None else known(arguments)

    def _row(self, table: str, key: object) -> Record:
        column = TABLES[table][0]
        found = self.database.execute(
            f"SELECT * FROM {table} WHERE {column} = ? COLLATE NOCASE",  # noqa: S608 - own names
            (str(key),),
        ).fetchone()
        if found is None:
            raise LookupError(f"{table} has no {column} {key!r}")
        return dict(found)

    def _get(self, table: str, key: object) -> Record:
        return with_noise(self._row(table, key), self._noise, self._world.seed)

    def _find(self, table: str, column: str, value: object) -> list[Record]:
        rows = self._rows(table, column, value)
        return [with_noise(row, self._noise, self._world.seed) for row in rows]

    def _keys(self, table: str, column: str, value: object) -> list[Record]:
        key = TABLES[table][0]
        return [{key: row[key]} for row in self._rows(table, column, value)]

    def _rows(self, table: str, column: str, value: object) -> list[Record]:
        rows = self.database.execute(
            f"SELECT * FROM {table} WHERE {column} = ? COLLATE NOCASE",  # noqa: S608 - own names
            (str(value),),
        ).fetchall()
        return [dict(row) for row in rows]

    def _set(self, table: str, key: object, column: str, value: Json) -> Record:
        self._row(table, key)
        allowed = ORDER_STATUSES if table == "orders" else TICKET_STATUSES
        if column == "status" and value not in allowed:
            raise LookupError(f"{value!r} is no status; it is one of {', '.join(allowed)}")
        self.database.execute(
            f"UPDATE {table} SET {column} = ? WHERE {TABLES[table][0]} = ? COLLATE NOCASE",  # noqa: S608
            (value, str(key)),
        )
        self.database.commit()
        return {"done": True}

    def _assign(self, ticket_id: object, name: object) -> Record:
        return self._set("tickets", ticket_id, "assignee", self._row("people", name)["name"])


def _result(call: ToolCall, value: Json, *, error: bool = False) -> ToolMessage:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return ToolMessage(call.call_id, call.name, text, error)
