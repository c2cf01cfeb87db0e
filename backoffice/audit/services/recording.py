"""The one way to write the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import models, transaction

from backoffice.audit.models import ActorKind, Entry
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.plain import plain


def record(
    *,
    actor: Actor,
    action: str,
    target: models.Model | str = "",
    entity_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> Entry:
    """Add a row to the audit log, in the caller's transaction: no change without its row, no row without it."""
    locking.require_transaction()
    return Entry.objects.create(
        at=clock.now(),
        actor_kind=ActorKind.PERSON if isinstance(actor, Person) else ActorKind.SYSTEM,
        actor_id=actor.user_id if isinstance(actor, Person) else None,
        actor_label=actor.label,
        action=action,
        target=target if isinstance(target, str) else name_of(target),
        entity_id=entity_id if entity_id is not None else getattr(target, "entity_id", None),
        data=plain(dict(data or {})),
        request_id=actor.request_id,
        ip=actor.ip if isinstance(actor, Person) else None,
    )


def read(
    *,
    actor: Actor,
    what: str,
    target: models.Model | str = "",
    entity_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> Entry:
    """Note that somebody looked at something sensitive: `what` is a dotted code, kept as "read.<what>"."""
    return record(actor=actor, action=f"read.{what}", target=target, entity_id=entity_id, data=data)


def read_once(
    *,
    actor: Person,
    what: str,
    target: models.Model,
    within: timedelta,
    data: Mapping[str, Any] | None = None,
) -> Entry | None:
    """The same, at most once per person, object and time: somebody who works with a page opens it again and again. None
    when it stands in the log already. Two windows at the same moment queue behind a lock."""
    with transaction.atomic():
        name = name_of(target)
        locking.advisory(locking.Lock.READING, f"{actor.user_id} {what} {name}")
        since = clock.now() - within
        noted = Entry.objects.filter(target=name, actor_id=actor.user_id, action=f"read.{what}", at__gt=since)
        return None if noted.exists() else read(actor=actor, what=what, target=target, data=data)


def name_of(row: models.Model) -> str:
    """The stable name of a row: "app.model:key"."""
    return f"{row._meta.label_lower}:{row.pk}"
