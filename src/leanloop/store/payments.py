"""What studies have paid, in a SQL database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from leanloop.store.database import Database
from leanloop.store.protocol import Paid
from leanloop.store.tables import PAYMENTS

NANO = 10**9
"""Payments are kept in billionths of a dollar: both databases add whole numbers exactly."""


def _totals() -> tuple[sa.Column[Any], ...]:
    return PAYMENTS.c.nano_usd, PAYMENTS.c.unknown_calls


PAID = sa.select(*_totals()).where(PAYMENTS.c.study == sa.bindparam("of"))
"""What a study has paid."""


class SqlPayments:
    """Adds up payments as they are made, by several programs at once.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Built once: building a statement takes longer than carrying it out.
        self._add_payment = self._paying()

    def pay(self, study: str, usd: Decimal | None) -> Paid:
        """Count a call before anything else is done with it; None is an unknown price.

        Returns:
            What the study has paid with it, to a billionth of a dollar.
        """
        row = {
            "study": study,
            "nano_usd": round((usd or 0) * NANO),
            "unknown_calls": int(usd is None),
        }
        with self._database.writing() as connection:
            total = connection.execute(self._add_payment, row).one()
        return Paid(Decimal(total[0]) / NANO, total[1])

    def paid(self, study: str) -> Paid:
        """What a study has paid."""
        with self._database.engine.connect() as connection:
            total = connection.execute(PAID, {"of": study}).first()
        return Paid() if total is None else Paid(Decimal(total[0]) / NANO, total[1])

    def _paying(self) -> sa.Executable:
        """Adds a payment, and says what was paid in all."""
        names = ("nano_usd", "unknown_calls")
        values: dict[str, Any] = {name: sa.bindparam(name) for name in ("study", *names)}
        insert = self._database.insert(PAYMENTS).values(values)
        added = {name: PAYMENTS.c[name] + insert.excluded[name] for name in names}
        upsert = insert.on_conflict_do_update(index_elements=["study"], set_=added)
        found: sa.Executable = upsert.returning(*_totals())
        return found
