"""Which levers can act at a gateway, where the client runs the loop and its tools."""

from __future__ import annotations

from collections.abc import Mapping

from leanloop.core.configuration import OFF, Configuration
from leanloop.levers.protocol import Card, Lever

HERE = frozenset({"request", "edit", "response", "step"})
"""Hooks that a gateway has."""
OWN_TOOLS = frozenset({"memory.fold", "memory.notes"})
"""Levers whose calls of tools are of tools of their own, which are answered here."""
CANNOT = {
    "planning.examples": "a client's task has no worked examples of a suite",
    "planning.samples": "an answer of several would be put together from what was streamed",
    "stopping.abort_doomed": "it learns from a study's runs",
    "memory.warm_prefix": "which part tasks share is known of a suite",
}
STABLE = "memory.stable_prefix"
EDITORS = ("memory.keep_observations", "memory.keep_turns", "memory.summarise")
"""Levers that take old messages away, which breaks a prompt's cached prefix."""


def why_not(card: Card) -> str | None:
    """Why a lever cannot act at a gateway; None when it can."""
    if card.name in CANNOT:
        return CANNOT[card.name]
    if "memory" in card.needs:
        return "what is carried from task to task is carried by leanloop's own agent"
    if "tools" in card.needs:
        return "it makes tool calls, and the tools are the client's"
    beyond = set(card.acts_on) - HERE
    if beyond and card.name not in OWN_TOOLS:
        return f"it acts on {' and '.join(sorted(beyond))}, which is the client's"
    return None


def acting(
    configuration: Configuration, levers: Mapping[str, Lever]
) -> tuple[Configuration, dict[str, str]]:
    """The part of a configuration that can act, and why the rest cannot."""
    reasons = {n: why_not(levers[n].card) for n in configuration}
    refused = {n: why for n, why in reasons.items() if why is not None}
    return configuration.changed(dict.fromkeys(refused, OFF)), refused


def with_stable_prefix(configuration: Configuration, *, said: bool) -> Configuration:
    """Edits are held back until they pay for the cache that they break, unless told otherwise.

    Args:
        configuration: As given.
        said: Whether the user named the lever, off or on.
    """
    if said or not any(name in configuration for name in EDITORS):
        return configuration
    return configuration.changed({STABLE: "on"})
