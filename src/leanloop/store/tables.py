"""The tables of a SQL store."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from leanloop.core.run import RunKey

METADATA = sa.MetaData()
STUDIES = sa.Table(
    "studies",
    METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("spec_json", sa.String, nullable=False),
    sa.Column("fingerprint", sa.String, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)
RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("study", sa.ForeignKey("studies.name"), nullable=False),
    sa.Column("configuration_id", sa.String, nullable=False),
    sa.Column("task_id", sa.String, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("success", sa.Float),
    sa.Column("run_json", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("study", "configuration_id", "task_id", "seed"),
)
TASKS = sa.Table(
    "tasks",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("task_id", sa.String, primary_key=True),
    sa.Column("split", sa.String, nullable=False),
    sa.Column("digest", sa.String, nullable=False),
    sa.Column("task_json", sa.LargeBinary, nullable=False),
)
RESULTS = sa.Table(
    "results",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("result_json", sa.LargeBinary, nullable=False),
)
LEASES = sa.Table(
    "leases",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("configuration_id", sa.String, primary_key=True),
    sa.Column("task_id", sa.String, primary_key=True),
    sa.Column("seed", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String, nullable=False, index=True),
    sa.Column("until", sa.Float, nullable=False),
)
PAYMENTS = sa.Table(
    "payments",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("nano_usd", sa.BigInteger, nullable=False),
    sa.Column("unknown_calls", sa.Integer, nullable=False),
)
CONTROLS = sa.Table(
    "controls",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("max_usd", sa.Float),
    sa.Column("max_runs", sa.BigInteger),
)
STANDINGS = sa.Table(
    "standings",
    METADATA,
    sa.Column("study", sa.ForeignKey("studies.name"), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("standing_json", sa.LargeBinary, nullable=False),
)
CALLS = sa.Table(
    "calls",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("gateway", sa.String, nullable=False),
    sa.Column("call_id", sa.String, nullable=False, unique=True),
    sa.Column("session_id", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("mark", sa.String, nullable=False),
    sa.Column("day", sa.String, nullable=False),
    sa.Column("nano_usd", sa.BigInteger),
    sa.Column("tokens", sa.BigInteger),
    sa.Column("call_json", sa.LargeBinary, nullable=False),
    sa.Index("calls_by_session", "gateway", "session_id"),
)
OUTCOMES = sa.Table(
    "outcomes",
    METADATA,
    sa.Column("gateway", sa.String, primary_key=True),
    sa.Column("session_id", sa.String, primary_key=True),
    sa.Column("configuration_id", sa.String, nullable=False),
    sa.Column("success", sa.Float, nullable=False),
)
MEMORIES = sa.Table(
    "memories",
    METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("swept", sa.BigInteger, nullable=False),
)
ENTRIES = sa.Table(
    "entries",
    METADATA,
    sa.Column("memory", sa.String, primary_key=True),
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("worth", sa.Float, nullable=False),
    sa.Column("entry_json", sa.LargeBinary),
    sa.Index("entries_by_number", "memory", "number"),
    sa.Index("entries_by_worth", "memory", "worth"),
)


def key_columns(table: sa.Table) -> tuple[sa.Column[Any], ...]:
    """What a run or its lease is known by in its study."""
    return table.c.configuration_id, table.c.task_id, table.c.seed


def is_of(table: sa.Table, study: str, key: RunKey) -> sa.ColumnElement[bool]:
    """Whether a row is of the run of that key."""
    same = zip(key_columns(table), msgspec.structs.astuple(key), strict=True)
    return sa.and_(table.c.study == study, *(column == value for column, value in same))
