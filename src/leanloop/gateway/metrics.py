"""Prometheus metrics of a gateway, with the extra ``metrics``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from leanloop.core.tokens import CLASSES
from leanloop.traces.call_record import CallRecord

SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Counts calls, tokens by class, dollars and seconds; unknown figures are counted apart.

    Args:
        library: ``prometheus_client``.
    """

    def __init__(self, library: Any) -> None:  # noqa: ANN401 - a module
        self._library = library
        self._registry = library.CollectorRegistry()
        about = ["configuration", "model"]
        counter, histogram = self._counter, self._histogram
        self._calls = counter("calls", "Calls that ended", [*about, "purpose", "status"])
        self._tokens = counter("tokens", "Tokens by class", [*about, "class"])
        self._usd = counter("usd", "Dollars of calls whose price is known", about)
        self._unknown = counter("unpriced_calls", "Calls whose price is unknown", about)
        self._results = counter("tool_results", "Results of tools", about[:1])
        self._latency = histogram("latency_seconds", "Seconds of a call", about)
        self._first = histogram("first_byte_seconds", "Seconds to the first byte", about)

    def _counter(self, name: str, text: str, labels: list[str]) -> Any:  # noqa: ANN401
        name = f"leanloop_{name}"
        return self._library.Counter(name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, labels: list[str]) -> Any:  # noqa: ANN401
        return self._library.Histogram(
            f"leanloop_{name}", text, labels, registry=self._registry, buckets=SECONDS
        )

    def heard(self, record: CallRecord) -> None:
        """Count a call."""
        trace = record.trace
        about = (record.configuration_id, trace.model)
        self._calls.labels(*about, trace.purpose, str(record.status)).inc()
        for name in CLASSES:
            count = getattr(trace.counts.tokens, name)
            if count:
                self._tokens.labels(*about, name.removesuffix("_tokens")).inc(count)
        if trace.usd is None:
            self._unknown.labels(*about).inc()
        else:
            self._usd.labels(*about).inc(trace.usd)
        self._results.labels(about[0]).inc(record.tool_results)
        if trace.latency_s is not None:
            self._latency.labels(*about).observe(trace.latency_s)
        if record.first_byte_s is not None:
            self._first.labels(*about).observe(record.first_byte_s)

    def text(self) -> bytes:
        """All of them as Prometheus reads them."""
        shown: bytes = self._library.generate_latest(self._registry)
        return shown

    def close(self) -> None:
        """Nothing is left."""


def metrics() -> Metrics | None:
    """The metrics; None without the extra."""
    if find_spec("prometheus_client") is None:
        return None
    import prometheus_client  # noqa: PLC0415 - an extra

    return Metrics(prometheus_client)
