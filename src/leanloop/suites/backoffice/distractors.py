"""Tools that no task needs: they answer, and change nothing."""

from __future__ import annotations

from leanloop.core.message import Json, ToolSpec

STRING: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
INTEGER: Json = {"type": "integer"}
FLAG: Json = {"type": "boolean"}
WORDS: Json = {"type": "array", "items": STRING}


def _tool(
    name: str,
    description: str,
    parameters: dict[str, Json],
    optional: tuple[str, ...] = (),
    *,
    reads: bool = False,
) -> ToolSpec:
    required = [p for p in parameters if p not in optional]
    schema = {"type": "object", "properties": parameters, "required": required}
    return ToolSpec(name, description, schema, reads)


def _read(name: str, description: str, parameters: dict[str, Json], *optional: str) -> ToolSpec:
    return _tool(name, description, parameters, optional, reads=True)


_PLAIN = (
    _tool("get_weather", "The weather in a city.", {"city": STRING}),
    _tool("get_holidays", "Public holidays of a city.", {"city": STRING}),
    _tool("convert_currency", "Convert US dollars.", {"usd": NUMBER, "to": STRING}),
    _tool("book_room", "Book a meeting room.", {"floor": INTEGER}),
    _tool("get_building", "Opening hours of a building.", {"city": STRING}),
    _tool("list_vehicles", "Company cars of a team.", {"team": STRING}),
)

_CLOSE = (
    _read("get_person_photo", "A person's photo, as a link.", {"name": STRING}),
    _read("get_team_charter", "A team's mission statement.", {"name": STRING}),
    _read("get_order_invoice", "An order's invoice, as a PDF link.", {"order_id": STRING}),
    _read("get_product_manual", "A product's user manual.", {"name": STRING, "language": STRING}),
    _read("get_ticket_attachments", "Files attached to a ticket.", {"ticket_id": STRING}),
    _read("find_trainings", "All trainings that a person took.", {"name": STRING}),
    _read("find_contracts", "All contracts with a customer.", {"customer": STRING}),
    _tool(
        "set_ticket_reminder",
        "Be reminded of a ticket after some days.",
        {"ticket_id": STRING, "days": INTEGER},
    ),
    _tool("assign_desk", "Give a desk to a person.", {"desk": STRING, "name": STRING}),
    _tool(
        "set_order_gift_wrap",
        "Have an order wrapped as a gift, or not.",
        {"order_id": STRING, "wrapped": FLAG},
    ),
)
"""In name and wording these resemble tools that are needed."""

_FURTHER = (
    _read(
        "get_exchange_rate",
        "The exchange rate between two currencies on a day; today's when no day is given.",
        {"base": STRING, "quote": STRING, "day": STRING},
        "day",
    ),
    _read(
        "get_train_times",
        "Departures of trains from one city to another after an hour of the day.",
        {"origin": STRING, "destination": STRING, "after_hour": INTEGER},
        "after_hour",
    ),
    _read("get_canteen_menu", "What the canteen serves on a weekday.", {"weekday": STRING}),
    _read(
        "get_travel_policy",
        "Company rules on business travel.",
        {"topic": {"enum": ["flights", "hotels", "meals", "mileage"]}},
    ),
    _read("get_supplier_rating", "A supplier's rating by the buyers, 1 to 5.", {"name": STRING}),
    _read("get_product_reviews", "What customers wrote about a product.", {"name": STRING}),
    _read("list_printers", "Printers on a floor.", {"floor": INTEGER}),
    _read("list_newsletters", "Newsletters that employees can subscribe to.", {}),
    _read(
        "list_shifts",
        "Who works which shift in a week.",
        {"week": INTEGER, "site": STRING},
        "site",
    ),
    _read(
        "search_wiki",
        "Pages of the company wiki that contain the words, best first.",
        {"words": WORDS, "limit": INTEGER},
        "limit",
    ),
    _read(
        "search_mail",
        "Mail in the shared inbox.",
        {"sender": STRING, "words": WORDS, "unread_only": FLAG},
        "sender",
        "unread_only",
    ),
    _read("search_press", "Press articles about the company in a year.", {"year": INTEGER}),
    _read("translate_text", "Translate a text.", {"text": STRING, "to": STRING}),
    _read("check_spelling", "Spelling mistakes in a text.", {"text": STRING}),
    _read("get_room_sensors", "Temperature and air in a meeting room.", {"room": STRING}),
    _tool(
        "schedule_call",
        "Put a call into somebody's calendar.",
        {"name": STRING, "day": STRING, "minutes": INTEGER},
    ),
    _tool(
        "send_reminder",
        "Send a person a short reminder by chat.",
        {"name": STRING, "text": STRING, "urgent": FLAG},
        ("urgent",),
    ),
    _tool("order_supplies", "Order office supplies.", {"item": STRING, "pieces": INTEGER}),
    _tool(
        "report_outage",
        "Tell the operators that a system is down.",
        {"system": {"enum": ["mail", "phones", "network", "doors"]}, "details": STRING},
        ("details",),
    ),
    _tool("print_label", "Print an address label.", {"address": STRING, "copies": INTEGER}),
    _tool("book_parking", "Book a parking space for a day.", {"plate": STRING, "day": STRING}),
    _tool(
        "submit_expense",
        "Hand in an expense for refund.",
        {"usd": NUMBER, "purpose": STRING, "receipts": WORDS},
        ("receipts",),
    ),
    _tool("register_visitor", "Announce a visitor at the front desk.", {"visitor": STRING}),
    _tool(
        "share_document",
        "Give a team access to a document.",
        {"document": STRING, "team": STRING, "may_edit": FLAG},
    ),
)

DISTRACTORS: tuple[ToolSpec, ...] = (*_PLAIN, *_CLOSE, *_FURTHER)
"""All of them, in the order in which a suite takes them."""
