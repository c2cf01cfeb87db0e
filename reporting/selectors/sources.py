"""What was received for a business day: facts per source, files with their control totals, files held back.

Told from rows that are only ever added (facts, listings) and, for files, from when each step happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from integrations import registry
from integrations.models import FileImport, ImportState


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A connection and what it said about the day up to the cut-off. `listed` and `balances` are the server's own
    listing of the day's deals and the accounts it gave balances for; None where it is no trade server."""

    entity: str
    name: str
    reads: str
    facts: int
    last_received_at: datetime | None
    listed: int | None
    listed_at: datetime | None
    balances: int | None


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file that was handed in. `new` and `duplicate` are None until its rows were stored; `proves` is None for
    files without totals of their own."""

    id: int
    entity: str
    name: str
    source: str
    state: str
    rows: int
    new: int | None
    duplicate: int | None
    rejected: int
    proves: bool | None
    received_at: datetime
    received_by: str
    sha256: str
    totals: tuple[TotalLine, ...]


@dataclass(frozen=True, slots=True)
class TotalLine:
    """One self-check of a file (an import's number): what it says of itself, and what its rows say."""

    file: int
    source: str
    entity: str
    name: str
    says: str
    found: str
    holds: bool


def source_lines(codes: Mapping[int, str], day: date, cutoff: datetime) -> list[SourceLine]:
    """Every connection of these entities (id to code), by entity and name."""
    values: dict[str, Any] = {"entities": list(codes), "day": day, "cutoff": cutoff}
    with connection.cursor() as cursor:
        cursor.execute(_SOURCES, values)
        rows = cursor.fetchall()
    return [
        SourceLine(
            entity=codes[entity_id],
            name=name,
            reads=registry.title(adapter),
            facts=facts,
            last_received_at=last,
            listed=listed,
            listed_at=listed_at,
            balances=balances if registry.is_server(adapter) else None,
        )
        for entity_id, name, adapter, facts, last, listed, listed_at, balances in rows
    ]


def file_lines(codes: Mapping[int, str], *, since: Mapping[int, datetime], cutoff: datetime) -> list[FileLine]:
    """Files received since the day before's report (per entity; absent: ever), and those that were held by then."""
    recent = Q(pk__in=[])
    for entity_id in codes:
        begun = since.get(entity_id)
        recent |= Q(entity_id=entity_id) if begun is None else Q(entity_id=entity_id, received_at__gt=begun)
    rows = FileImport.objects.filter(recent | Q(state=ImportState.HELD) | Q(balanced=False, finished_at__gt=cutoff))
    rows = rows.filter(entity_id__in=codes, received_at__lte=cutoff)
    return [
        _file(row, codes[row.entity_id], cutoff)
        for row in rows.select_related("connection").order_by("entity__code", "id")
    ]


def state_at(row: FileImport, cutoff: datetime) -> str:
    """The state of an import at a moment: its last step may have come later."""
    if row.finished_at is None or row.finished_at <= cutoff:
        return row.state
    return ImportState.HELD if row.balanced is False else ImportState.PREVIEW


def _file(row: FileImport, entity: str, cutoff: datetime) -> FileLine:
    state = state_at(row, cutoff)
    stored = state == ImportState.STORED
    source = row.connection.name
    return FileLine(
        id=row.pk,
        entity=entity,
        name=row.filename,
        source=source,
        state=state,
        rows=row.rows,
        new=row.new if stored else None,
        duplicate=row.duplicate if stored else None,
        rejected=row.rejected,
        proves=row.balanced,
        received_at=row.received_at,
        received_by=row.received_by,
        sha256=row.sha256,
        totals=tuple(
            TotalLine(row.pk, source, entity, t["name"], t["expected"], t["found"], bool(t["holds"]))
            for t in row.control_totals
        ),
    )


_SOURCES = """
SELECT c.entity_id, c.name, c.adapter, coalesce(f.facts, 0), f.last, l.rows, l.taken_at, coalesce(s.balances, 0)
  FROM integrations_connection c
  JOIN organisation_legalentity e ON e.id = c.entity_id
  LEFT JOIN LATERAL (
      SELECT sum(n) AS facts, max(at) AS last FROM (
          SELECT count(*) AS n, max(received_at) AS at FROM integrations_deal
           WHERE connection_id = c.id AND business_date = %(day)s AND received_at <= %(cutoff)s
          UNION ALL
          SELECT count(*), max(received_at) FROM integrations_fill
           WHERE connection_id = c.id AND trade_date = %(day)s AND received_at <= %(cutoff)s
          UNION ALL
          SELECT count(*), max(received_at) FROM integrations_pspline
           WHERE entity_id = c.entity_id AND connection_id = c.id AND business_date = %(day)s
             AND received_at <= %(cutoff)s
          UNION ALL
          SELECT count(*), max(received_at) FROM integrations_bankline
           WHERE entity_id = c.entity_id AND connection_id = c.id AND booking_date = %(day)s
             AND received_at <= %(cutoff)s) each_kind) f ON true
  LEFT JOIN LATERAL (
      SELECT rows, taken_at FROM integrations_serverlisting
       WHERE connection_id = c.id AND business_date = %(day)s AND taken_at <= %(cutoff)s
       ORDER BY id DESC LIMIT 1) l ON true
  LEFT JOIN LATERAL (
      SELECT count(DISTINCT login) AS balances FROM integrations_accountsnapshot
       WHERE entity_id = c.entity_id AND connection_id = c.id AND business_date = %(day)s
         AND received_at <= %(cutoff)s) s ON true
 WHERE c.entity_id = ANY (%(entities)s) AND c.created_at <= %(cutoff)s
 ORDER BY e.code, c.name
"""
