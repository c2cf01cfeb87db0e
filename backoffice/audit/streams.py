"""What is sealed. Each room registers its rows when it starts: a name and the SQL that spells each row canonically.

The SQL gives two columns, `key` (the row's id: a bigint, unique in the stream, handed out in ascending order) and
`leaf` (its content as JSON text). It names its columns one by one: a column that is added later must not change what
old rows said. When a stream has to say more, register it again with the next `form`; old batches keep theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stream:
    """`settles`: an id not seen for some time will never come (a transaction was rolled back). False where rows
    join the stream late by design, as a request does when it is executed."""

    name: str
    settles: bool
    forms: dict[int, str] = field(default_factory=dict)

    @property
    def form(self) -> int:
        """The newest form, with which new rows are sealed."""
        return max(self.forms)

    @property
    def sql(self) -> str:
        return self.forms[self.form]


_streams: dict[str, Stream] = {}


def register(name: str, sql: str, *, form: int = 1, settles: bool = True) -> None:
    """Have the rows of a query sealed. Called from the `ready` of an AppConfig."""
    stream = _streams.setdefault(name, Stream(name, settles))
    assert form not in stream.forms, f"two queries for form {form} of the stream {name}"
    assert "%" not in sql, "a query of a stream has no parameters"
    stream.forms[form] = sql


def registered() -> list[Stream]:
    """All streams, by name."""
    return [_streams[name] for name in sorted(_streams)]


def stream(name: str) -> Stream | None:
    return _streams.get(name)


ENTRIES = """
SELECT id AS key, json_build_object('id', id, 'at', at, 'actor_kind', actor_kind, 'actor_id', actor_id,
       'actor', actor_label, 'action', action, 'target', target, 'entity_id', entity_id, 'data', data,
       'request_id', request_id, 'ip', host(ip), 'xid', xid)::text AS leaf
  FROM audit_entry
"""
CHANGES = """
SELECT id AS key, json_build_object('id', id, 'at', at, 'xid', xid, 'table', table_name, 'operation', operation,
       'rows', rows, 'keys', keys, 'content', content, 'role', role, 'address', host(address))::text AS leaf
  FROM audit_change
"""
