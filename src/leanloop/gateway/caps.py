"""What a session, a key or a day may spend, and what it has."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from leanloop.core.errors import BadInputError

SCOPES = ("session", "key", "day")
UNITS = ("usd", "tokens")
MOST = 100_000
"""Sessions and keys whose sums are remembered."""


class Cap(msgspec.Struct, frozen=True):
    """A bound.

    Attributes:
        scope: ``session``, ``key`` (a client's key, for as long as the store knows it), or
            ``day`` (all clients, by UTC).
        unit: ``usd`` or ``tokens`` (all input and output, cached input included).
        most: The bound; a call is refused once it is reached.
    """

    scope: str
    unit: str
    most: float


def read_caps(table: dict[str, object], where: str) -> tuple[Cap, ...]:
    """Caps as a table such as ``session.usd = 2`` has them.

    Raises:
        BadInputError: A scope, a unit or a bound is none.
    """
    caps = []
    for scope, bounds in table.items():
        if scope not in SCOPES or not isinstance(bounds, dict):
            raise BadInputError(f"{where}.{scope}", f"a cap is of {', '.join(SCOPES)}")
        for unit, most in bounds.items():
            if unit not in UNITS:
                raise BadInputError(f"{where}.{scope}.{unit}", "a cap is in usd or tokens")
            if not isinstance(most, int | float) or isinstance(most, bool) or not most > 0:
                raise BadInputError(f"{where}.{scope}.{unit}", "takes more than 0")
            caps.append(Cap(scope, unit, float(most)))
    return tuple(caps)


@dataclass
class Spent:
    """Dollars and tokens so far."""

    usd: float = 0.0
    tokens: float = 0.0

    def add(self, usd: float | None, tokens: int | None) -> None:
        """Count a call; what is unknown counts as none."""
        self.usd += usd or 0.0
        self.tokens += tokens or 0


class Purse:
    """Counts what is spent, and says when a cap is reached.

    A cap is passed by at most the calls that were under way when it was reached.

    Args:
        caps: The bounds.
    """

    def __init__(self, caps: Iterable[Cap]) -> None:
        self.caps = tuple(caps)
        self._scopes = {c.scope for c in self.caps}
        self._spent: OrderedDict[tuple[str, str], Spent] = OrderedDict()

    def add(self, session: str, key: str, at_s: float, spent: Spent) -> None:
        """Count what a call cost."""
        for scope, name in (("session", session), ("key", key), ("day", day_of(at_s))):
            if scope not in self._scopes:
                continue
            sums = self._spent.setdefault((scope, name), Spent())
            sums.add(spent.usd, int(spent.tokens))
            self._spent.move_to_end((scope, name))
        while len(self._spent) > MOST:
            self._spent.popitem(last=False)

    def load(self, scope: str, name: str, spent: Spent) -> None:
        """Start from what was spent before."""
        if scope in self._scopes:
            self._spent[scope, name] = spent

    def spent(self, scope: str, name: str) -> Spent:
        """What a session, key or day has spent."""
        return self._spent.get((scope, name), Spent())

    def reached(self, session: str, key: str, now_s: float) -> Cap | None:
        """The cap that a call would be beyond; None when it may be made."""
        names = {"session": session, "key": key, "day": day_of(now_s)}
        for cap in self.caps:
            spent = self._spent.get((cap.scope, names[cap.scope]))
            if spent is not None and getattr(spent, cap.unit) >= cap.most:
                return cap
        return None


def day_of(at_s: float) -> str:
    """The day of a moment, by UTC."""
    return dt.datetime.fromtimestamp(at_s, tz=dt.UTC).date().isoformat()
