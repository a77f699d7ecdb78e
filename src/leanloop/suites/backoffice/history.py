"""A long free-text field that pads a record, and the one value that can hide in it."""

from __future__ import annotations

import random

FIELD = "history_log"
BADGE = "Badge {number} was handed out at the front desk."

SUBJECTS = (
    "The quarterly import",
    "A clerk in records",
    "The night job",
    "An external reviewer",
    "The migration script",
    "Somebody in accounting",
    "The data steward",
    "The archive service",
)
ACTIONS = (
    "compared this entry with the paper file",
    "rebuilt the search index for this entry",
    "asked for a second look at the spelling",
    "copied this entry to the backup site",
    "merged two drafts of the remarks",
    "corrected the encoding of a comment",
    "sent a notice that nobody answered",
    "replaced the form by its newer edition",
)
ENDINGS = (
    "and found nothing to change",
    "after a delay of some days",
    "because the yearly rules ask for it",
    "as agreed in the last meeting",
    "without any effect on the figures",
    "and left the rest for later",
)


def badge_number(seed: str, key: str) -> str:
    """The badge that a record's log names, such as ``B-40213``."""
    return f"B-{_rng(seed, key, 'badge').randint(10000, 99999)}"


def history_log(seed: str, key: str, characters: int) -> str:
    """Lines of office prose about a record, the same ones at every reading.

    One line, somewhere among the others, names the record's badge.

    Args:
        seed: The company's.
        key: The record's.
        characters: Length that is reached and passed by less than two lines.
    """
    rng = _rng(seed, key, FIELD)
    lines: list[str] = []
    length = 0
    badge = BADGE.format(number=badge_number(seed, key))
    while length + len(badge) < characters:
        said = f"{rng.choice(SUBJECTS)} {rng.choice(ACTIONS)} {rng.choice(ENDINGS)}."
        lines.append(said)
        length += len(said) + _DATE_LENGTH
    lines.insert(rng.randint(0, len(lines)), badge)
    return "\n".join(f"{_day(i, len(lines))} {line}" for i, line in enumerate(lines))


_DATE_LENGTH = len("2020-01-01 \n")


def _day(index: int, count: int) -> str:
    """Days in order, spread over six years of 360 days."""
    day = index * 2160 // count
    return f"{2019 + day // 360}-{1 + day % 360 // 30:02}-{1 + day % 30:02}"


def _rng(*parts: str) -> random.Random:
    return random.Random("/".join(parts))  # noqa: S311 - noise, not a secret
