"""The model of prompt caches: its laws, and what each provider's rule comes to."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanloop.pricing.prompt_cache import Block, CachedInput, CacheRule, PromptCache
from leanloop.pricing.prompt_cache_rules import RULES, rule_of

ANY = CacheRule("any")
BLOCKS = st.lists(
    st.builds(Block, st.integers(0, 5), st.integers(0, 900), st.booleans()), max_size=12
)
REQUESTS = st.lists(st.tuples(BLOCKS, st.floats(0, 400)), max_size=8)


def total(cached: CachedInput) -> int:
    return sum(astuple(cached))


def sent(rule: CacheRule, requests) -> list[CachedInput]:
    cache, now, found = PromptCache(rule), 0.0, []
    for blocks, wait in requests:
        now += wait
        found.append(cache.call(blocks, now))
    return found


@pytest.mark.parametrize("name", list(RULES))
@given(requests=REQUESTS)
def test_the_classes_add_up_to_the_input(name, requests):
    for cached, (blocks, _) in zip(sent(RULES[name], requests), requests, strict=True):
        assert total(cached) == sum(b.tokens for b in blocks)
        assert min(astuple(cached)) >= 0


@pytest.mark.parametrize("name", [n for n in RULES if n != "none"])
@given(requests=REQUESTS)
def test_nothing_is_read_that_did_not_begin_an_earlier_request(name, requests):
    earlier: list[list[Block]] = []
    for cached, (blocks, _) in zip(sent(RULES[name], requests), requests, strict=True):
        common = max((_common(e, blocks) for e in earlier), default=0)
        assert cached.read_tokens <= common
        earlier.append(blocks)


def _common(earlier: list[Block], now: list[Block]) -> int:
    """Tokens, as the later request has them, of what both begin with."""
    tokens = 0
    for a, b in zip(earlier, now, strict=False):
        if a.key != b.key:
            break
        tokens += b.tokens
    return tokens


@pytest.mark.parametrize("name", ["any", *(n for n in RULES if n != "none")])
def test_equal_blocks_are_found_whatever_size_they_are_taken_for(name):
    cache = PromptCache({**RULES, "any": ANY}[name])
    cache.call([Block(1, 3000, mark=True), Block(2, 5000, mark=True), Block(3, 100)], 0)
    found = cache.call([Block(1, 2600, mark=True), Block(2, 5600, mark=True), Block(4, 80)], 1)
    assert 8200 - 128 < found.read_tokens <= 8200


@given(requests=REQUESTS, more=st.floats(1, 1000))
def test_a_longer_life_never_reads_less(requests, more):
    short = sent(replace(ANY, ttl_s=100.0), requests)
    long = sent(replace(ANY, ttl_s=100.0 + more), requests)
    assert all(a.read_tokens <= b.read_tokens for a, b in zip(short, long, strict=True))


def test_a_history_that_only_grows_is_read_whole():
    cache, blocks = PromptCache(ANY), list[Block]()
    for i in range(50):
        before = sum(b.tokens for b in blocks)
        blocks.append(Block(i, 100 + i))
        assert cache.call(blocks, i).read_tokens == before


def test_a_changed_block_is_read_anew_with_all_behind_it():
    cache = PromptCache(ANY)
    blocks = [Block(i, 10) for i in range(10)]
    cache.call(blocks, 0)
    changed = [*blocks[:4], Block(99, 10), *blocks[5:]]
    assert cache.call(changed, 1).read_tokens == 40
    assert cache.call(blocks, 2).read_tokens == 100  # what was there before is there still


def test_below_the_minimum_nothing_is_read_and_nothing_is_written():
    rule = RULES["anthropic"]
    cache, blocks = PromptCache(rule), [Block(1, rule.minimum_tokens - 1)]
    assert cache.call(blocks, 0) == cache.call(blocks, 1) == CachedInput(1023, 0)


def test_prefixes_are_read_in_the_providers_steps():
    cache = PromptCache(RULES["openai"])
    cache.call([Block(1, 1500)], 0)
    assert cache.call([Block(1, 1500), Block(2, 10)], 1) == CachedInput(102, 1408)  # 1024 + 3 * 128


def test_anthropic_writes_cost_and_live_five_minutes_from_the_last_use():
    cache, one, two = (
        PromptCache(RULES["anthropic"]),
        [Block(1, 2000)],
        [Block(1, 2000), Block(2, 500)],
    )
    assert cache.call(one, 0) == CachedInput(0, 0, 2000)
    assert cache.call(two, 299) == CachedInput(0, 2000, 500)
    assert cache.call(two, 590) == CachedInput(0, 2500)  # refreshed at 299
    assert cache.call(two, 900) == CachedInput(0, 0, 2500)  # 310 s later it is gone


def test_the_hours_cache_writes_in_its_own_class():
    cache = PromptCache(RULES["anthropic-1h"])
    assert cache.call([Block(1, 2000)], 0) == CachedInput(0, 0, 0, 2000)
    assert cache.call([Block(1, 2000)], 3000) == CachedInput(0, 2000)


def test_a_mark_looks_back_twenty_blocks():
    many = [Block(i, 100) for i in range(60)]
    near, far = PromptCache(RULES["anthropic"]), PromptCache(RULES["anthropic"])
    near.call(many[:30], 0)
    far.call(many[:30], 0)
    assert near.call(many[:50], 1).read_tokens == 3000
    assert far.call(many[:51], 1).read_tokens == 0


def test_a_mark_behind_the_system_text_keeps_it_when_the_history_changes():
    system, plain = Block(0, 3000, mark=True), Block(0, 3000)
    for first, read in ((system, 3000), (plain, 0)):
        cache = PromptCache(RULES["anthropic"])
        cache.call([first, Block(1, 500), Block(2, 500)], 0)
        assert cache.call([first, Block(9, 50), Block(2, 500)], 1).read_tokens == read


def test_llama_cpp_holds_the_last_prompt_only_and_looks_at_one_token():
    cache = PromptCache(RULES["llama.cpp"])
    a, b = [Block(1, 100), Block(2, 50)], [Block(1, 100), Block(3, 50)]
    assert cache.call(a, 0).read_tokens == 0
    assert cache.call(a, 1).read_tokens == 149
    assert cache.call(b, 2).read_tokens == 100
    assert cache.call(a, 1e9).read_tokens == 100


def test_memory_is_that_of_what_is_kept():
    cache = PromptCache(replace(ANY, ttl_s=10.0))
    for i in range(2000):
        cache.call([Block(i, 100)], i)
    assert len(cache._kept) <= 30


def test_without_a_cache_nothing_is_read():
    cache = PromptCache(RULES["none"])
    blocks = [Block(1, 10**6)]
    assert cache.call(blocks, 0) == cache.call(blocks, 0) == CachedInput(10**6, 0)


@pytest.mark.parametrize(
    ("provider", "model", "rule", "minimum"),
    [
        ("anthropic", "claude-sonnet-4-5", "anthropic", 1024),
        ("anthropic", "claude-opus-4-5-20251101", "anthropic", 4096),
        ("anthropic", "claude-sonnet-4-6", "anthropic", 2048),
        ("aws", "us.anthropic.claude-sonnet-4-5", "anthropic", 1024),
        ("openai", "gpt-4.1", "openai", 1024),
        ("openai", "gpt-5.6-mini", "openai-5.6", 1024),
        ("openai", "gpt-6", "openai-5.6", 1024),
        ("deepseek", "deepseek-chat", "deepseek", 64),
        ("google", "gemini-2.5-pro", "google", 1024),
    ],
)
def test_each_model_has_its_providers_rule(provider, model, rule, minimum):
    found = rule_of(provider, model)
    assert (found.name, found.minimum_tokens) == (rule, minimum)


def test_a_provider_that_nobody_knows_has_none():
    assert rule_of("acme", "m-1") is None


def test_each_rule_says_where_it_is_from():
    assert all(r.source for r in RULES.values())
