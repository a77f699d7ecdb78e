"""Ranking of short texts by BM25."""

from __future__ import annotations

from collections.abc import Sequence

import bm25s


def top_k(texts: Sequence[str], query: str, k: int) -> list[int]:
    """Indices of the ``k`` texts that rank highest for the query, best first.

    Ties go to the text that comes first.
    """
    if not texts:
        return []
    tokenise = bm25s.tokenization.Tokenizer(stopwords="en")
    corpus = tokenise.tokenize(list(texts), show_progress=False)
    index = bm25s.BM25()
    index.index((corpus, tokenise.get_vocab_dict()), show_progress=False)
    words = tokenise.tokenize([query], update_vocab=False, show_progress=False)[0]
    scores = index.get_scores(words) if len(words) else [0.0] * len(texts)
    return sorted(range(len(texts)), key=lambda i: (-float(scores[i]), i))[:k]
