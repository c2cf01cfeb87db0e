"""The idempotency key of a fact version's journal: how booking finds what it has done, and pages find it too."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

_KEY_MAX = 150  # a journal's key holds 200 characters; a longer source key goes in by its hash


def source_key(kind: str, row: Mapping[str, Any]) -> str:
    """What identifies a fact at its source."""
    if kind == "deal":
        return str(row["ticket"])
    if kind == "fill":
        return f"{row['exec_id']}#{row['occurrence']}"
    return str(row["line_key"])


def journal_key(kind: str, connection_id: int, row: Mapping[str, Any], version: int) -> str:
    """ "deal:3:1001:v1": kind, connection, key at the source, version."""
    key = source_key(kind, row)
    if len(key) > _KEY_MAX:
        key = hashlib.sha256(key.encode()).hexdigest()
    return f"{kind}:{connection_id}:{key}:v{version}"
