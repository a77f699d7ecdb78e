"""tools.shortlist by embeddings, with a tiny real model of its library."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from model2vec import StaticModel
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from leanloop.core.domain import check_setting
from leanloop.core.errors import BadInputError
from leanloop.core.message import ToolSpec
from leanloop.levers import embeddings
from leanloop.levers.tools.shortlist import LEVER, rank_tools

WORDS = {
    "[UNK]": (0, 0, 0),
    "car": (1, 0, 0.1),
    "vehicle": (1, 0, 0),
    "rent": (0.5, 0, 0),
    "flight": (0, 1, 0),
    "mail": (0, 0, 1),
    "letter": (0, 0.1, 1),
}
TOOLS = tuple(ToolSpec(n, n.replace("_", " "), {}) for n in ("flight", "vehicle", "mail"))


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    tokens = Tokenizer(WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokens.pre_tokenizer = Whitespace()
    StaticModel(np.array([*WORDS.values()], dtype=np.float32), tokens).save_pretrained(tmp_path)
    monkeypatch.setenv(embeddings.MODEL_VARIABLE, str(tmp_path))
    embeddings._model.cache_clear()
    yield tmp_path
    embeddings._model.cache_clear()


def test_a_tool_is_found_by_meaning_where_words_do_not_help(tiny):
    assert rank_tools(TOOLS, "rent car", "embeddings:1") == {"vehicle"}
    assert rank_tools(TOOLS, "letter", "embeddings:1") == {"mail"}
    assert rank_tools(TOOLS, "rent car", 1) == {"flight"}  # BM25: a tie, so the first


def test_ties_and_few_tools_are_as_with_bm25(tiny):
    assert rank_tools(TOOLS, "zebra", "embeddings:2") == {"flight", "vehicle"}
    assert rank_tools(TOOLS, "zebra", "embeddings:3") == {t.name for t in TOOLS}
    assert embeddings.top_k([], "car", 3, "x") == []


@pytest.mark.parametrize("setting", [4, "embeddings:4", "embeddings:128"])
def test_both_kinds_of_setting_are_accepted(setting):
    assert check_setting("tools.shortlist", LEVER.card.domain, setting, "x") == setting


@pytest.mark.parametrize("setting", [0, 129, "4", "embeddings:0", "embeddings:129", "bm25:4", True])
def test_others_are_refused_with_what_is_taken(setting):
    with pytest.raises(BadInputError, match="embeddings:N"):
        check_setting("tools.shortlist", LEVER.card.domain, setting, "x")


def test_a_missing_extra_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "model2vec", None)
    embeddings._model.cache_clear()
    with pytest.raises(BadInputError, match=r"tools.shortlist: .*leanloop\[embeddings\]"):
        rank_tools(TOOLS, "car", "embeddings:1")


def test_a_missing_model_is_one_line_that_names_it(monkeypatch, tmp_path):
    monkeypatch.setenv(embeddings.MODEL_VARIABLE, str(tmp_path / "none"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInputError, match="LEANLOOP_EMBEDDINGS"):
        rank_tools(TOOLS, "car", "embeddings:1")
