"""The kinds of model there are, and how a study names one."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from leanloop.core.errors import BadInputError
from leanloop.core.imports import load_object
from leanloop.models.calls_in_text import CallsInText
from leanloop.models.embedded import EmbeddedModel, EmbeddedOptions
from leanloop.models.endpoint import KEY, Endpoint
from leanloop.models.protocol import Model
from leanloop.models.scripted import ScriptedModel
from leanloop.models.weights import KNOWN, Progress, obtain

HOSTED = ("openai", "anthropic")
"""Providers whose models answer elsewhere."""
HOSTED_AT_ONCE = 8
"""Requests under way at once at a hosted model whose study names no other number."""


class ModelSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of a study, as its TOML file says it.

    Attributes:
        provider: ``embedded``, ``openai``, ``anthropic`` or ``scripted``.
        name: The model's name; for ``scripted`` ``module:function``.
        path: For ``embedded``: a GGUF file, instead of known weights.
        base_url: For ``openai`` and ``anthropic``: an address other than the provider's.
        api_key_env: The environment variable that holds the key.
        price: Dollars a million tokens: ``input``, ``output``, and perhaps
            ``cache_read`` and ``cache_write``. List prices when None.
        context_tokens: For ``embedded``: the longest conversation.
        concurrency: Requests under way at once, where the model is not embedded; models
            of one provider, address and key share the least that any of them names. When
            None, 8 of a hosted model and 1 of a scripted one.
        requests_per_minute: For ``openai`` and ``anthropic``; None for no bound but
            the provider's own.
        tokens_per_minute: The same for input and output tokens.
        calls_in_text: For ``openai``: read an answer that is nothing but tool calls in JSON as
            those calls, where the server does not.
        timeout_s: Seconds of silence before a hosted model's try is given up.
        delay_s: For ``scripted``: seconds before each answer.
    """

    provider: str
    name: str
    path: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    price: dict[str, Decimal] | None = None
    context_tokens: int = 8192
    concurrency: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    calls_in_text: bool = False
    timeout_s: float = 120.0
    delay_s: float = 0.0

    @property
    def requests_at_once(self) -> int:
        """``concurrency``, or what it is when that is None."""
        usual = HOSTED_AT_ONCE if self.provider in HOSTED else 1
        return self.concurrency or usual

    @property
    def place(self) -> tuple[str | None, ...]:
        """What tells providers apart: kind, address and key."""
        return self.provider, self.base_url, self.api_key_env


def build_model(alias: str, spec: ModelSpec, progress: Progress | None = None) -> Model:
    """The model that a study names.

    Raises:
        BadInputError: The kind, the weights or the key is missing.
    """
    maker = BUILT_IN.get(spec.provider)
    if maker is None:
        raise BadInputError(
            f"models.{alias}.provider",
            f"no provider {spec.provider!r}; there are {', '.join(BUILT_IN)}",
        )
    if spec.calls_in_text and spec.provider != "openai":
        raise BadInputError(f"models.{alias}.calls_in_text", "is for the provider 'openai' alone")
    return maker(alias, spec, progress)


def _embedded(alias: str, spec: ModelSpec, progress: Progress | None) -> Model:
    if spec.path is not None:
        path = Path(spec.path).expanduser()
        if not path.is_file():
            raise BadInputError(f"models.{alias}.path", f"{path}: no such file of weights")
    elif spec.name in KNOWN:
        path = obtain(spec.name, progress)
    else:
        raise BadInputError(
            f"models.{alias}.name",
            f"no such model {spec.name!r}; there are {', '.join(KNOWN)}, or give a path",
        )
    return EmbeddedModel(spec.name, path, EmbeddedOptions(spec.context_tokens))


def _endpoint(alias: str, spec: ModelSpec, default_variable: str) -> Endpoint:
    variable = spec.api_key_env or default_variable
    # An address of one's own may need no key; one that is named should be there.
    may_miss = spec.base_url is not None and spec.api_key_env is None
    key = os.environ.get(variable, "none" if may_miss else "")
    where = f"models.{alias}.api_key_env"
    if not key:
        raise BadInputError(where, f"the environment variable {variable} is not set")
    if KEY.fullmatch(key) is None:
        raise BadInputError(where, f"the environment variable {variable} holds a space or no key")
    _check_address(alias, spec.base_url)
    return Endpoint(key, spec.base_url, spec.requests_at_once, spec.timeout_s, alias=alias)


def _check_address(alias: str, url: str | None) -> None:
    parts = urlsplit(url or "https://usual")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problem = "takes an address with its http:// or https://, such as http://127.0.0.1:8000/v1"
        raise BadInputError(f"models.{alias}.base_url", problem)


def _openai(alias: str, spec: ModelSpec, progress: Progress | None) -> Model:
    from leanloop.models.openai_compatible import OpenAICompatible  # noqa: PLC0415 - slow to load

    del progress
    model = OpenAICompatible(spec.name, _endpoint(alias, spec, "OPENAI_API_KEY"))
    return CallsInText(model) if spec.calls_in_text else model


def _anthropic(alias: str, spec: ModelSpec, progress: Progress | None) -> Model:
    from leanloop.models.anthropic_messages import AnthropicMessages  # noqa: PLC0415 - slow to load

    del progress
    return AnthropicMessages(spec.name, _endpoint(alias, spec, "ANTHROPIC_API_KEY"))


def _scripted(alias: str, spec: ModelSpec, progress: Progress | None) -> Model:
    del progress
    script = load_object(spec.name, f"models.{alias}.name")
    return ScriptedModel(
        script, name=spec.name, delay_s=spec.delay_s, concurrency=spec.requests_at_once
    )


BUILT_IN: dict[str, Callable[[str, ModelSpec, Progress | None], Model]] = {
    "embedded": _embedded,
    "openai": _openai,
    "anthropic": _anthropic,
    "scripted": _scripted,
}
"""Provider name to what builds its models."""
