"""What a provider's refusal or silence means for a run, in one line without secrets."""

from __future__ import annotations

from leanloop.core.errors import LeanloopError, ModelError, OutageError
from leanloop.core.message import Json

LONGEST = 300
"""Characters of a provider's own words that an error repeats."""

SHORTEST_KEY = 8
"""Characters below which a key is no secret."""

PASSING = frozenset({402, 408, 409, 429})
"""Statuses below 500 that are no configuration's fault; the SDKs retry all but the first."""

NO_CREDIT = "credit balance is too low"
"""How Anthropic words an empty account, which it answers with 400 (2026-11)."""

REMEDIES = {
    401: "check the key in the variable that the study names",
    402: "the account has no credit left; top it up and resume the study",
    403: "check that the key may use this model",
    404: "check the model's name and base_url",
    413: "the conversation is too long; use a lever that shortens it",
    429: "lower the study's concurrency, or resume the study later",
}


def refusal(ref: str, status: int, body: Json, key: str) -> LeanloopError:
    """What a status other than success means.

    Args:
        ref: ``provider:model``.
        status: The HTTP status.
        body: The answer's JSON, or its text when it is none.
        key: The key, which the message never shows.

    Returns:
        An OutageError for what may pass, by then after every retry; a ModelError
        for what a request of this configuration will always meet.
    """
    said = shown(_message(body), key)
    meant = 402 if NO_CREDIT in said else status
    remedy = f" ({REMEDIES[meant]})" if meant in REMEDIES else ""
    text = f"{ref}: HTTP {status}: {said}{remedy}"
    passing = meant in PASSING or meant >= 500
    return OutageError(text) if passing else ModelError(text)


def silence(called: str, error: Exception, tries: int) -> OutageError:
    """What an endpoint that cannot be reached means: an outage.

    Args:
        called: The model and where it answers, without secrets.
        error: What the SDK raised; only its kind is shown.
        tries: How often it was tried.
    """
    kind = type(error).__name__
    return OutageError(
        f"{called}: no answer, tried {tries} times ({kind}); see that the address is right and "
        "that something answers there, or resume the study later"
    )


def gibberish(ref: str, body: Json, key: str) -> LeanloopError:
    """What a success that carries no message means.

    Gateways answer 200 with the error of the provider behind them: its code is
    then the status. Everything else is an outage, since it is no model's doing.

    Args:
        ref: ``provider:model``.
        body: The answer's JSON, or its text when it is none.
        key: The key, which the message never shows.
    """
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and code >= 400:
        return refusal(ref, code, body, key)
    said = shown(_message(body), key)
    return OutageError(f"{ref}: an answer without a message (check base_url): {said}")


def shown(text: str, key: str) -> str:
    """The text in one line, trimmed, the key blanked out before anything is cut."""
    # What stands in for a key where none is asked for may be any word of the text.
    open_text = text.replace(key, "[key]") if len(key) >= SHORTEST_KEY else text
    line = " ".join(open_text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _message(body: Json) -> str:
    """The words of an error, wherever the endpoint put them."""
    while isinstance(body, dict):
        inner = next((body[k] for k in ("error", "message", "detail") if body.get(k)), None)
        if inner is None:
            break
        body = inner
    return str(body) if body else "no reason given"
