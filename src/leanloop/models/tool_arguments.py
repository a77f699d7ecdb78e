"""Arguments of a tool call as a model wrote them."""

from __future__ import annotations

import msgspec

from leanloop.core.message import Json

MALFORMED = "_malformed"
"""The one argument of a call whose arguments are not a JSON object: what the model wrote.

No tool has an argument of this name, so a tool that asks for any answers with an
error, which is what the model must see. No arguments at all would be a silent lie.
"""


def read_arguments(written: Json) -> dict[str, Json]:
    """The arguments as an object.

    Args:
        written: JSON text, or a value where the provider decodes it. Nothing, or
            an empty text, is how some endpoints write a call without arguments.

    Returns:
        The object, or one with ``MALFORMED`` alone.
    """
    if written is None or written == "":
        return {}
    value = written
    if isinstance(written, str):
        try:
            value = msgspec.json.decode(written)
        except (msgspec.DecodeError, RecursionError):
            value = None
    return value if isinstance(value, dict) else {MALFORMED: written}
