"""The tools of the library desk; ``data`` is the database, changed in place."""
# ruff: noqa: D417 - the database is no argument of the tools

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

READ_ONLY = ("find_member", "find_books", "get_book")
LOAN_DAYS = 21
RENEWAL_DAYS = 14
TODAY = date(2031, 5, 3)


def find_member(data: dict[str, Any], member_id: str) -> dict[str, Any]:
    """A member's record: name, fees owed, books on loan and reservations.

    Args:
        member_id: The membership number, such as M-104.
    """
    member = _member(data, member_id)
    loans = [b | {"book_id": i} for i, b in data["books"].items() if b["lent_to"] == member_id]
    reserved = [i for i, b in data["books"].items() if b["reserved_by"] == member_id]
    return {"member_id": member_id, **member, "loans": loans, "reservations": reserved}


def find_books(data: dict[str, Any], words: str) -> list[dict[str, Any]]:
    """Books whose title or author holds the words.

    Args:
        words: Part of a title or of an author's name.
    """
    wanted = words.casefold()
    return [
        {"book_id": ident, **book}
        for ident, book in data["books"].items()
        if wanted in f"{book['title']} {book['author']}".casefold()
    ]


def get_book(data: dict[str, Any], book_id: str) -> dict[str, Any]:
    """A book's record: title, who has it, until when, who has reserved it.

    Args:
        book_id: Such as B-12.
    """
    return {"book_id": book_id, **_book(data, book_id)}


def lend_book(data: dict[str, Any], member_id: str, book_id: str) -> dict[str, Any]:
    """Lend a book that stands on the shelf, for 21 days.

    Args:
        member_id: Who takes it.
        book_id: The book.
    """
    _member(data, member_id)
    book = _book(data, book_id)
    if book["lent_to"] is not None:
        raise ValueError(f"{book_id} is on loan")
    book |= {"lent_to": member_id, "due": str(TODAY + timedelta(days=LOAN_DAYS)), "renewed": False}
    return {"book_id": book_id, **book}


def return_book(data: dict[str, Any], book_id: str) -> dict[str, Any]:
    """Take a book back.

    Args:
        book_id: The book.
    """
    book = _book(data, book_id)
    if book["lent_to"] is None:
        raise ValueError(f"{book_id} is not on loan")
    book |= {"lent_to": None, "due": None, "renewed": False}
    return {"book_id": book_id, **book}


def renew_loan(data: dict[str, Any], book_id: str) -> dict[str, Any]:
    """Put off the day on which a book is due by 14 days.

    Args:
        book_id: The book.
    """
    book = _book(data, book_id)
    if book["due"] is None:
        raise ValueError(f"{book_id} is not on loan")
    due = date.fromisoformat(book["due"]) + timedelta(days=RENEWAL_DAYS)
    book |= {"due": str(due), "renewed": True}
    return {"book_id": book_id, **book}


def reserve_book(data: dict[str, Any], member_id: str, book_id: str) -> dict[str, Any]:
    """Keep a book for a member once it comes back.

    Args:
        member_id: Who wants it.
        book_id: The book.
    """
    _member(data, member_id)
    book = _book(data, book_id)
    if book["reserved_by"] is not None:
        raise ValueError(f"{book_id} is reserved already")
    book["reserved_by"] = member_id
    return {"book_id": book_id, **book}


def take_payment(data: dict[str, Any], member_id: str, amount: float) -> dict[str, Any]:
    """Take a payment of fees.

    Args:
        member_id: Who pays.
        amount: How much; no more than is owed.
    """
    member = _member(data, member_id)
    if not 0 < amount <= member["fees"]:
        raise ValueError(f"{member_id} owes {member['fees']:.2f}")
    member["fees"] = round(member["fees"] - amount, 2)
    return {"member_id": member_id, "fees": member["fees"]}


def _member(data: dict[str, Any], member_id: str) -> dict[str, Any]:
    if member_id not in data["members"]:
        raise ValueError(f"no member {member_id}")
    member: dict[str, Any] = data["members"][member_id]
    return member


def _book(data: dict[str, Any], book_id: str) -> dict[str, Any]:
    if book_id not in data["books"]:
        raise ValueError(f"no book {book_id}")
    book: dict[str, Any] = data["books"][book_id]
    return book
