"""An index of short texts that grows and shrinks, ranked by BM25."""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter
from typing import Any

import numpy as np

K1 = 1.5
B = 0.75
WORD = re.compile(r"[^\W_]+")
STOPWORDS = frozenset(
    """a an and are as at be by for from has have i in is it its of on or that the this to was were
    what which who will with you your""".split()  # noqa: SIM905 - easier to read
)


def words_of(text: str) -> list[str]:
    """The words of a text that tell something, in lower case."""
    return [w for w in WORD.findall(text.casefold()) if w not in STOPWORDS]


class InvertedIndex:
    """Texts by name, found by the words that they share with a query.

    The library that ranks a fixed list of texts (bm25s) has to be given the whole
    list again after each change; here one more text costs as much as it has words.
    Ranking is BM25 as Lucene has it (Kamphuis et al. 2020, ECIR, table 1). A text
    that is taken away leaves a hole, and holes are closed when they are a half.
    """

    def __init__(self) -> None:
        self._clear()

    def __len__(self) -> int:
        return len(self._place)

    def add(self, name: str, text: str) -> None:
        """Add a text, in the place of the one of that name."""
        self.remove(name)
        words = Counter(words_of(text))
        place = len(self._names)
        self._place[name] = place
        self._names.append(name)
        self._texts.append(text)
        self._lengths.append(sum(words.values()))
        for word, times in words.items():
            places, counts = self._postings.setdefault(word, (array("l"), array("l")))
            places.append(place)
            counts.append(times)

    def remove(self, name: str) -> None:
        """Take a text away; nothing when there is none of that name."""
        place = self._place.pop(name, None)
        if place is None:
            return
        self._names[place] = None
        if len(self._names) > 2 * len(self._place) + 64:
            self._close_holes()

    def top_k(self, query: str, k: int) -> list[tuple[str, float]]:
        """Names of the texts that rank highest with their scores, best first.

        Texts that share no word with the query are left out; ties go to the text
        that was added first.
        """
        scores = self._scores(query)
        if scores is None or k < 1:
            return []
        found: list[tuple[str, float]] = []
        # Holes may be among the best, and are passed over.
        for place in _best(scores, k + len(self._names) - len(self._place)):
            name = self._names[place]
            if name is not None and len(found) < k:
                found.append((name, float(scores[place])))
        return found

    def _scores(self, query: str) -> np.ndarray[Any, np.dtype[np.float64]] | None:
        count = len(self._place)
        words = dict.fromkeys(words_of(query))
        lists = [self._postings[w] for w in words if w in self._postings]
        if not lists or not count:
            return None
        lengths = np.frombuffer(self._lengths, dtype=_LONG)
        norms = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1.0))
        scores = np.zeros(len(lengths))
        for places, counts in lists:
            at, times = np.frombuffer(places, dtype=_LONG), np.frombuffer(counts, dtype=_LONG)
            rare = math.log1p((len(lengths) - len(at) + 0.5) / (len(at) + 0.5))
            scores[at] += rare * times / (times + norms[at])
        return scores

    def _close_holes(self) -> None:
        kept = [(n, t) for n, t in zip(self._names, self._texts, strict=True) if n is not None]
        self._clear()
        for name, text in kept:
            self.add(name, text)

    def _clear(self) -> None:
        self._place: dict[str, int] = {}
        self._names: list[str | None] = []
        self._texts: list[str] = []
        self._lengths = array("l")
        self._postings: dict[str, tuple[array[int], array[int]]] = {}


_LONG = np.dtype(f"i{array('l').itemsize}")


def _best(scores: np.ndarray[Any, np.dtype[np.float64]], k: int) -> list[int]:
    """Places of the highest scores above nothing, best first, the first of equals first."""
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        places = np.flatnonzero(scores >= max(least, np.finfo(float).tiny))
    else:
        places = np.flatnonzero(scores > 0)
    order = np.lexsort((places, -scores[places]))
    return [int(p) for p in places[order]]
