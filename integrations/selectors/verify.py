"""Recompute the hashes of raw messages and facts, and name what does not fit."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.kernel.findings import Finding
from integrations.models.columns import TABLES

_LIMIT = 50
_RAW = """
SELECT 'raw message ' || r.id, 'its bytes do not match its hash'
  FROM integrations_rawmessage r
 WHERE (r.body IS NOT NULL AND (sha256(r.body) <> r.sha256 OR length(r.body) <> r.size))
"""
_CHUNKED = """
SELECT 'raw message ' || r.id, coalesce(sum(length(c.body)), 0) || ' of ' || r.size || ' bytes are there'
  FROM integrations_rawmessage r LEFT JOIN integrations_rawchunk c ON c.raw_id = r.id
 WHERE r.body IS NULL GROUP BY r.entity_id, r.id, r.size
HAVING coalesce(sum(length(c.body)), 0) <> r.size OR sha256(coalesce(string_agg(c.body, ''::bytea ORDER BY c.number), '')) <> r.sha256
"""
_VERSIONS = """
SELECT f.connection_id || ' ' || {key}, 'versions ' || min(f.version) || ' to ' || max(f.version) || ' are ' || count(*) || ' rows'
  FROM {table} f GROUP BY f.entity_id, f.connection_id, {key}
HAVING min(f.version) <> 1 OR max(f.version) <> count(*)
"""
_POINTER = """
SELECT '{kind} ' || f.id, 'its raw message ' || f.raw_id || ' is not there'
  FROM {table} f
 WHERE NOT EXISTS (SELECT FROM integrations_rawmessage r WHERE r.entity_id = f.entity_id AND r.id = f.raw_id)
"""
# The farthest a trade server's clock stands from UTC, with daylight saving: +14 h, and an hour of room.
_DEAL_TIMES = """
SELECT 'deal ' || id, 'dealt at ' || dealt_at || ', by the server ' || server_time || ', business day ' || business_date
  FROM integrations_deal
 WHERE business_date <> server_time::date
    OR abs(extract(epoch FROM (dealt_at AT TIME ZONE 'UTC') - server_time)) > 15 * 3600
"""

_WEBHOOK = """
SELECT 'webhook ' || id, 'its bytes do not match its hash' FROM integrations_webhook
 WHERE sha256(body) <> sha256 OR length(body) <> size
"""

_COMMAND = """
SELECT 'command ' || c.id, 'its message ' || m.id || ' carries something else'
  FROM integrations_servercommand c JOIN outbox_message m ON m.id = c.message_id
 WHERE m.kind <> 'server.user' OR m.payload IS DISTINCT FROM
       jsonb_build_object('connection', c.connection_id, 'login', c.login, 'wanted', c.wanted)
"""
# The reading that ended a command has every value that was wished for.
_READ_BACK = """
SELECT 'command ' || c.id, format('wanted %s, read back %s', c.wanted, coalesce(m.answer -> 'found', 'null'))
  FROM integrations_servercommand c JOIN outbox_message m ON m.id = c.message_id
 WHERE m.state = 'DONE' AND (m.answer -> 'found' @> c.wanted) IS NOT TRUE
"""

_OPERATION = """
SELECT 'operation ' || o.id, format('it is %s, its message %s', o.state, m.state)
  FROM integrations_serveroperation o JOIN outbox_message m ON m.id = o.message_id
 WHERE m.kind <> 'server.balance' OR m.key <> o.key
    OR o.state <> CASE WHEN m.state IN ('DONE', 'REFUSED') THEN m.state ELSE 'OPEN' END
"""
_TICKET = """
SELECT 'operation ' || o.id, format('ticket %s, by its message %s', o.ticket, coalesce(m.answer ->> 'ticket', 'none'))
  FROM integrations_serveroperation o JOIN outbox_message m ON m.id = o.message_id
 WHERE o.state = 'DONE' AND m.state = 'DONE' AND (m.answer ->> 'ticket')::bigint IS DISTINCT FROM o.ticket
"""
_PAYOUT = """
SELECT 'payout ' || p.reference, format('it is %s, its message %s', p.state, m.state)
  FROM integrations_payoutorder p JOIN outbox_message m ON m.id = p.message_id
 WHERE m.kind <> 'psp.payout' OR m.key <> p.key OR m.payload ->> 'reference' IS DISTINCT FROM p.reference
    OR (p.state = 'OPEN') <> (m.state NOT IN ('DONE', 'REFUSED'))
    OR (m.state = 'REFUSED' AND p.state <> 'FAILED')
"""


def findings() -> Iterator[Finding]:
    """At most fifty findings per rule and table."""
    rules = [
        ("a raw message is what was received", _RAW),
        ("a large raw message is what was received", _CHUNKED),
        ("a webhook is what was received", _WEBHOOK),
        ("a command says what its message carries", _COMMAND),
        ("a command that is done was read back", _READ_BACK),
        ("an operation is as settled as its message", _OPERATION),
        ("an operation that is done has its message's ticket", _TICKET),
        ("a payout is as settled as its message", _PAYOUT),
        ("the times of a deal follow from the server's", _DEAL_TIMES),
    ]
    for table in TABLES:
        key = ", ".join(f"f.{name}" for name in table.key)
        text_key = " || '/' || ".join(f"f.{name}" for name in table.key)
        rules += [
            (
                f"a {table.kind} fact is what the source said",
                f"SELECT '{table.kind} ' || id, 'content does not match its hash' FROM {table.table}"
                f" WHERE content_hash <> {table.hash_sql()}",
            ),
            (
                f"versions of a {table.kind} fact have no gap",
                _VERSIONS.replace("{key}, 'versions", f"{text_key}, 'versions").format(key=key, table=table.table),
            ),
            (f"a {table.kind} fact has its raw message", _POINTER.format(kind=table.kind, table=table.table)),
        ]
    with connection.cursor() as cursor:
        for rule, query in rules:
            cursor.execute(f"{query} LIMIT {_LIMIT}")
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
