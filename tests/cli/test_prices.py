"""``leanloop prices`` as a user runs it."""

from __future__ import annotations

import json

from tests.command_line import leanloop


def test_prices_are_a_million_tokens_with_the_caches_rule(tmp_path):
    stated = tmp_path / "p.toml"
    stated.write_text('["mine"]\ninput = 1.5\noutput = 3\ncache_read = 0.15\ncache = "openai"\n')
    done = leanloop(
        "prices", "openai/gpt-4.1", "claude-sonnet-4-5", "mine", "--prices", stated, "--json"
    )
    first, second, mine = json.loads(done.stdout)["models"]
    assert first["usd_per_million"] == {
        "input": 2.0, "cache_read": 0.5, "cache_write": 2.0, "output": 8.0
    }  # fmt: skip
    assert second["rises_beyond_tokens"] == [200_000]
    assert second["cache"]["name"] == "anthropic"
    assert mine["usd_per_million"]["cache_read"] == 0.15
    assert (mine["source"], mine["cache"]["step_tokens"]) == ("stated", 128)


def test_without_a_name_the_rules_are_listed_with_their_sources():
    said = leanloop("prices").stdout
    assert "anthropic: a prefix of 1,024 tokens or more" in said
    assert said.count("Source: ") >= 6


def test_a_model_that_nobody_knows_is_one_line():
    done = leanloop("prices", "m-none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "m-none: no price is known of this model" in done.stderr


def test_a_price_that_is_wrong_names_its_field(tmp_path):
    stated = tmp_path / "p.toml"
    stated.write_text('["mine"]\ninput = "dear"\noutput = 1\n')
    done = leanloop("prices", "--prices", stated)
    assert done.returncode == 2
    assert "p.toml: models.mine: " in done.stderr
    assert "input" in done.stderr
