"""The benchmark's function documents as tools."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from leanloop.core.message import Json, ToolSpec
from leanloop.suites.bfcl.package import BACKENDS, part, read_lines
from leanloop.suites.bfcl.records import STATELESS

TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array", "int": "integer"}
TYPES |= {"bool": "boolean", "str": "string"}
"""Words of the benchmark's dialect to those of JSON Schema; the others are the same."""


@cache
def tools_of(api: str) -> Sequence[ToolSpec]:
    """The tools of a simulated API.

    Raises:
        BadInputError: The package is not installed.
    """
    files = part(BACKENDS).MULTI_TURN_FUNC_DOC_FILE_MAPPING
    documents = read_lines(f"multi_turn_func_doc/{files[api]}")
    return tuple(_tool(document, api) for document in documents)


def json_schema(dialect: Json) -> Json:
    """A schema in the benchmark's dialect as JSON Schema."""
    if not isinstance(dialect, dict):
        return dialect
    schema = dict(dialect)
    kind = schema.get("type")
    if kind == "any":
        del schema["type"]
    elif isinstance(kind, str):
        schema["type"] = TYPES.get(kind, kind)
    if isinstance(schema.get("properties"), dict):
        schema["properties"] = {n: json_schema(s) for n, s in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = json_schema(schema["items"])
    return schema


def _tool(document: dict[str, Json], api: str) -> ToolSpec:
    returned = document.get("response", {}).get("properties", {})
    return ToolSpec(
        document["name"],
        document["description"],
        json_schema(document["parameters"]),
        # Functions of an API without a state cannot change one; of the others it is not said.
        True if api in STATELESS else None,
        tuple(returned),
    )
