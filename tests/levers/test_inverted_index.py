"""The index of short texts: what it ranks, after any adding and taking away."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from leanloop.levers.bm25 import top_k
from leanloop.levers.inverted_index import InvertedIndex

WORDS = (
    *("team", "ticket", "lead", "phone", "order", "product", "stock", "city"),
    *("person", "manager", "floor"),
)
_words = st.sampled_from(WORDS[:8])
_texts = st.lists(_words, min_size=1, max_size=6).map(" ".join)
_steps = st.lists(st.tuples(st.integers(0, 12), st.none() | _texts), max_size=60)


@given(_steps, _texts)
def test_an_index_that_was_changed_ranks_like_one_that_was_made_anew(steps, query):
    changed = InvertedIndex()
    kept: dict[str, str] = {}
    for number, text in steps:
        name = str(number)
        kept.pop(name, None)
        changed.remove(name)
        if text is not None:
            kept[name] = text
            changed.add(name, text)
    new = InvertedIndex()
    for name, text in kept.items():
        new.add(name, text)
    assert len(changed) == len(kept)
    found = changed.top_k(query, 3)
    assert {n for n, _ in found} <= kept.keys()
    assert len(found) == min(
        3, sum(bool(set(t.split()) & set(query.split())) for t in kept.values())
    )
    if not any(text is None for _, text in steps) and len(kept) == len(steps):
        assert [n for n, _ in found] == [n for n, _ in new.top_k(query, 3)]


def test_it_ranks_as_the_library_does():
    rng = random.Random(2)
    words = WORDS
    texts = [" ".join(rng.choices(words, k=rng.randint(2, 7))) for _ in range(200)]
    index = InvertedIndex()
    for i, text in enumerate(texts):
        index.add(str(i), text)
    for _ in range(30):
        query = " ".join(rng.sample(words, 3))
        mine = [int(n) for n, _ in index.top_k(query, 5)]
        assert mine == top_k(texts, query, 5)


def test_words_that_tell_nothing_and_strangers_find_nothing():
    index = InvertedIndex()
    index.add("a", "the team of Ana")
    assert index.top_k("the of", 3) == []
    assert index.top_k("zebra", 3) == []
    assert [n for n, _ in index.top_k("ANA's team", 3)] == ["a"]


def test_a_look_up_among_many_is_quick():
    rng = random.Random(1)
    common = WORDS[:10]
    index = InvertedIndex()
    for i in range(30_000):
        index.add(str(i), " ".join([*rng.choices(common, k=4), f"w{rng.randrange(9000)}"]))
    took = []
    for _ in range(21):
        query = " ".join([*rng.sample(common, 6), f"w{rng.randrange(9000)}"])
        start = time.perf_counter()
        assert len(index.top_k(query, 5)) == 5
        took.append(time.perf_counter() - start)
    # A third of the entries, so a generous third of the time asked for, on a busy machine.
    assert sorted(took)[10] < 0.005
