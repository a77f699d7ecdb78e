"""How providers cache prompts: one table, each line with its source."""

from __future__ import annotations

from dataclasses import replace

from leanloop.pricing.prompt_cache import HOUR_S, CacheRule

ANTHROPIC = CacheRule(
    name="anthropic",
    minimum_tokens=1024,
    breakpoints=True,
    writes_cost=True,
    source="Anthropic, Prompt caching, platform.claude.com, 2026-11: reads 0.1, writes 1.25 of the "
    "input price, five minutes from the last use, four marks, 20 blocks back.",
    doubts="The minimum is 512 to 4096 tokens by model. Marks are taken to stand behind the tools, "
    "the system text and the last message; a client may set others.",
)
OPENAI = CacheRule(
    name="openai",
    minimum_tokens=1024,
    step_tokens=128,
    ttl_s=600.0,
    source="OpenAI, Prompt caching, developers.openai.com, 2026-11: automatic from 1024 tokens in "
    "steps of 128, kept 5 to 10 minutes without use, writes free before GPT-5.6.",
    doubts="How long a prefix is kept depends on load and on prompt_cache_retention, up to 24 "
    "hours; beyond some 15 requests a minute those of one prefix may miss.",
)
RULES: dict[str, CacheRule] = {
    r.name: r
    for r in (
        ANTHROPIC,
        replace(ANTHROPIC, name="anthropic-1h", ttl_s=HOUR_S),
        OPENAI,
        replace(
            OPENAI,
            name="openai-5.6",
            ttl_s=1800.0,
            writes_cost=True,
            source="OpenAI, Prompt caching, 2026-11: from GPT-5.6 on writes cost 1.25 of input.",
            doubts="Seen in excerpts only; whether steps are still of 128 tokens is not sure.",
        ),
        CacheRule(
            name="google",
            minimum_tokens=1024,
            ttl_s=300.0,
            source="Google, Context caching, ai.google.dev, 2026-11: implicit caching, reads 0.1 "
            "of the input price on Gemini 2.5 and later.",
            doubts="Minimum 1024 to 4096 by model; a hit is not promised and no time is stated.",
        ),
        CacheRule(
            name="deepseek",
            minimum_tokens=64,
            step_tokens=64,
            ttl_s=2 * HOUR_S,
            source="DeepSeek, Context caching, api-docs.deepseek.com, 2026-11: on disk, automatic, "
            "units of 64 tokens, kept for hours to days.",
            doubts="Best effort; the time kept is not stated.",
        ),
        CacheRule(
            name="llama.cpp",
            ttl_s=float("inf"),
            last_only=True,
            unread_tokens=1,
            source="llama.cpp, server, cache_prompt: the longest common prefix with what the slot "
            "holds is kept, and one token at least is evaluated; checked against its cache_n.",
        ),
        CacheRule(
            name="none",
            ttl_s=float("-inf"),
            minimum_tokens=2**62,
            source="No cache at all.",
        ),
    )
}
"""Name to rule."""

MINIMUM_TOKENS: dict[str, int] = {
    "claude-opus-4-6": 4096,
    "claude-opus-4-5": 4096,
    "claude-haiku-4-5": 4096,
    "claude-sonnet-4-6": 2048,
    "claude-3-5-haiku": 2048,
    "claude-3-haiku": 2048,
}
"""The least prefix of models, told by how their names begin, that is not their provider's usual one
(docs.orq.ai, Prompt caching, read 2026-11, which quotes Anthropic; newer models are not in it)."""

BY_PROVIDER = {
    "anthropic": "anthropic",
    "openai": "openai",
    "azure": "openai",
    "google": "google",
    "deepseek": "deepseek",
    "embedded": "llama.cpp",
}
"""Provider, as the price list names it, to its rule."""


def rule_of(provider: str, model: str = "") -> CacheRule | None:
    """The rule of a provider's model; None where none is known.

    Args:
        provider: As the price list names it, such as ``anthropic``.
        model: The model's name.
    """
    named = "anthropic" if "claude" in model else BY_PROVIDER.get(provider)
    if named is None:
        return None
    if named == "openai" and _is_from_5_6(model):
        named = "openai-5.6"
    rule = RULES[named]
    least = [n for start, n in MINIMUM_TOKENS.items() if model.startswith(start)]
    return replace(rule, minimum_tokens=max(least)) if least else rule


def _is_from_5_6(model: str) -> bool:
    version = model.removeprefix("gpt-").split("-")[0].split(".")
    if not model.startswith("gpt-") or not version[0].isdigit():
        return False
    return (int(version[0]), int(version[1]) if version[1:] and version[1].isdigit() else 0) >= (
        5,
        6,
    )
