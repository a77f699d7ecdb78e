"""What a gateway writes down of a call."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from leanloop.traces.trace import TraceCall

NANO = 10**9


class CallRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One call that passed the gateway.

    Attributes:
        call_id: Unique.
        session_id: The session that it is part of.
        configuration_id: The levers that the session runs with.
        key: A digest of the client's key, which is kept nowhere.
        mark: Digest of the request's conversation, in hexadecimal.
        trace: The call as a trace has it: usage by class, seconds, and what was said, by size.
        status: The HTTP status that the client got; 499 where it went away.
        first_byte_s: Seconds until the first byte of the answer; None when there was none.
        task: The client's label of the session.
        settings: The levers' settings.
        tool_results: Results of tools that the client sent for the first time.
        success: What the client says of the session so far, 0 to 1; None when it says nothing.
    """

    call_id: str
    session_id: str
    configuration_id: str
    key: str
    mark: str
    trace: TraceCall
    status: int = 200
    first_byte_s: float | None = None
    task: str = ""
    settings: dict[str, str | int | float | bool] = {}
    tool_results: int = 0
    success: float | None = None

    @property
    def nano_usd(self) -> int | None:
        """Billionths of a dollar; None when the price is unknown."""
        return None if self.trace.usd is None else round(Decimal(repr(self.trace.usd)) * NANO)

    @property
    def tokens(self) -> int | None:
        """All input and output; None when unknown."""
        counts = self.trace.counts
        if counts.input_tokens is None or counts.output_tokens is None:
            return None
        return counts.input_tokens + counts.output_tokens


ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(CallRecord)
