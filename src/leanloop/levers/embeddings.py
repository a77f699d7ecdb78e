"""Ranking of short texts by static embeddings: meaning where BM25 goes by words."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from leanloop.core.errors import BadInputError

MODEL_VARIABLE = "LEANLOOP_EMBEDDINGS"
"""Names the model: a folder, or a repository of the Hugging Face hub."""
DEFAULT_MODEL = "minishlab/potion-base-8M"
"""MIT licence, 30 MB; https://huggingface.co/minishlab/potion-base-8M, 2026-11."""


def top_k(texts: Sequence[str], query: str, k: int, where: str) -> list[int]:
    """Indices of the ``k`` texts that are nearest to the query by cosine, best first.

    Ties go to the text that comes first. The model is read once a process.

    Args:
        texts: What to rank.
        query: What to rank them for.
        k: How many to return at most.
        where: The setting that asks for it, for the error message.

    Raises:
        BadInputError: The extra is not installed, or there is no such model.
    """
    if not texts:
        return []
    vectors = _encoded((query, *texts), where)
    sizes = np.linalg.norm(vectors, axis=1)
    near = vectors[1:] @ vectors[0] / np.maximum(sizes[1:] * sizes[0], np.finfo(float).tiny)
    return sorted(range(len(texts)), key=lambda i: (-float(near[i]), i))[:k]


def _encoded(texts: Sequence[str], where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    model = _model(os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL, where)
    return np.asarray(model.encode(list(texts), use_multiprocessing=False), dtype=float)


@functools.cache
def _model(name: str, where: str) -> Any:  # noqa: ANN401 - a third party's
    try:
        from model2vec import StaticModel  # noqa: PLC0415 - an extra
    except ImportError:
        raise BadInputError(
            where, "embeddings need the extra: pip install 'leanloop[embeddings]'"
        ) from None
    try:
        return StaticModel.from_pretrained(name, force_download=False)
    except Exception as error:  # the hub's client has errors of many kinds
        raise BadInputError(
            where,
            f"no embedding model at {name!r} ({type(error).__name__}); "
            f"{MODEL_VARIABLE} names a folder or a repository of the Hugging Face hub",
        ) from None
