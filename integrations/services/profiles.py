"""Mapping profiles: looking at what one would read, storing a version of it, and finding the one a connection names."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import LegalEntity
from integrations import registry
from integrations.models import Connection, FileProfile
from integrations.records import ControlTotal, Unreadable

SAMPLE_MAX = 1024 * 1024
ROWS_SHOWN = 20


class BadProfile(DomainError):
    """A profile that says what cannot be, or that reads nothing of the sample it is stored with."""


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """A row as it would be read, or why it cannot be."""

    line: int
    cells: Sequence[str] = ()
    field: str = ""
    reason: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a sample with what is wrong in its place; how many could be read and how many not."""

    headings: Sequence[str] = ()
    rows: Sequence[PreviewRow] = ()
    read: int = 0
    rejected: int = 0
    totals: Sequence[ControlTotal] = ()
    warnings: Sequence[str] = ()


def try_out(*, spec: Mapping[str, Any], sample: bytes) -> Preview:
    """What this profile makes of a sample. Nothing is stored. Raises BadProfile naming the key or the column."""
    if len(sample) > SAMPLE_MAX:
        raise BadProfile(f"The sample is larger than {SAMPLE_MAX // 1024} kB. Its first lines are enough.")
    try:
        seen = registry.look_by_profile(profile=json.dumps(spec), stream=io.BytesIO(sample), filename="sample")
    except Unreadable as error:
        raise BadProfile(str(error)) from None
    shown = list(seen.rows[:ROWS_SHOWN])
    names = [name for name in dict.fromkeys(n for _, row in seen.rows for n in row) if _is_used(name, seen.rows)]
    rows = [PreviewRow(line, [_text(row.get(name)) for name in names]) for line, row in shown]
    last = shown[-1][0] if len(shown) == ROWS_SHOWN else None
    rows += [
        PreviewRow(bad.line, (), bad.field, bad.reason, bad.raw)
        for bad in islice(seen.rejected, ROWS_SHOWN)
        if last is None or bad.line <= last
    ]
    return Preview(
        headings=[name.replace("_", " ") for name in names],
        rows=sorted(rows, key=lambda row: row.line)[:ROWS_SHOWN],
        read=len(seen.rows),
        rejected=len(seen.rejected),
        totals=seen.totals,
        warnings=seen.warnings,
    )


@transaction.atomic
def make(*, actor: Actor, entity_id: int, name: str, spec: Mapping[str, Any], note: str, sample: bytes) -> FileProfile:
    """Store a profile as the next version of its name. It must read at least one row of a sample, which is not kept."""
    if name in registry.SHIPPED_PROFILES:
        raise BadProfile(f"{name} comes with the product. Choose another name.")
    seen = try_out(spec=spec, sample=sample)
    if not seen.read:
        raise BadProfile("Not one row of the sample can be read with this. Look at the preview first.")
    LegalEntity.objects.select_for_update(no_key=True).get(pk=entity_id)
    newest = FileProfile.objects.filter(entity_id=entity_id, name=name).order_by("-version").first()
    if newest is not None and newest.kind != spec["kind"]:
        raise BadProfile(f"{name} is for a {newest.get_kind_display()}. Choose another name.")
    made = FileProfile.objects.create(
        entity_id=entity_id,
        name=name,
        version=newest.version + 1 if newest else 1,
        kind=spec["kind"],
        spec=dict(spec),
        note=note,
        made_at=clock.now(),
        made_by=actor.label,
    )
    audit.record(
        actor=actor,
        action="file_profile.made",
        target=made,
        data={"name": name, "version": made.version, "rows_read": seen.read, "rows_rejected": seen.rejected},
    )
    return made


def choices(entity_ids: Sequence[int] | None = None) -> list[tuple[str, str]]:
    """What a connection may name: profiles that come with the product, and every version of one's own."""
    own = FileProfile.objects.filter(entity_id__in=entity_ids or []).exclude(kind="ledger")
    return [
        *((name, f"{name} (comes with the product)") for name in registry.SHIPPED_PROFILES),
        *((str(p), str(p)) for p in own),
    ]


def spec_of(*, entity_id: int, name: str) -> Mapping[str, Any]:
    """A profile by what a connection says: "wise_statement", or "name:version". Raises Unreadable."""
    if name in registry.SHIPPED_PROFILES:
        return registry.SHIPPED_PROFILES[name]
    slug, _, version = name.partition(":")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else 0
    found = FileProfile.objects.filter(entity_id=entity_id, name=slug, version=number).first()
    if found is None:
        raise Unreadable(f"There is no mapping profile {name!r}. Choose one in the connection's settings.")
    spec: Mapping[str, Any] = found.spec
    return spec


def settings_of(connection: Connection) -> Mapping[str, str]:
    """The connection's settings as its reader wants them: with the profile itself in the place of its name."""
    given: Mapping[str, str] = connection.settings
    if connection.adapter != registry.BY_PROFILE:
        return given
    spec = dict(spec_of(entity_id=connection.entity_id, name=given.get("file_profile", "")))
    if given.get("account") and "account" not in spec.get("columns", {}):
        spec["constants"] = {**spec.get("constants", {}), "account": given["account"]}
    return {**given, "profile": json.dumps(spec)}


def _is_used(name: str, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> bool:
    return any(row.get(name) not in (None, "", Decimal(0), False) for _, row in rows)


def _text(value: Any) -> str:
    return "" if value is None else str(getattr(value, "value", value))
