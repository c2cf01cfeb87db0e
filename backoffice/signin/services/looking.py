"""Looking at the pages as somebody else, once it has begun (impersonating.py): noted page by page, and ended."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person, System
from backoffice.signin.models import Impersonation, LookEnd, Session
from backoffice.signin.selectors import looking

_READ = "impersonated"


@transaction.atomic
def end(*, actor: Actor, impersonation_id: int, why: LookEnd) -> bool:
    """End a look; False when it had ended already."""
    row = Impersonation.objects.select_for_update(of=("self",)).get(pk=impersonation_id)
    if row.ended_at is not None:
        return False
    row.ended_at, row.end = clock.now(), why
    row.save(update_fields=["ended_at", "end"])
    data = {"as": row.user_id, "by": row.by_id, "why": why.value, "reason": row.reason}
    audit.record(actor=actor, action="signin.impersonation_ended", target=row, data=data)
    return True


def end_with(*, actor: Actor, session: Session) -> None:
    """What was looked at from a session ends with it."""
    for pk in Impersonation.objects.filter(session=session, ended_at=None).values_list("pk", flat=True):
        end(actor=actor, impersonation_id=pk, why=LookEnd.SESSION)


def end_due() -> int:
    """End what is over by time or rights and nobody asked for since. Called by schedule."""
    actor, count = System("signin.end_due"), 0
    for row in Impersonation.objects.filter(ended_at=None).select_related("by", "user").order_by("pk"):
        why = looking.over(row)
        if why is not None:
            count += end(actor=actor, impersonation_id=row.pk, why=why)
    return count


@transaction.atomic
def note(*, actor: Person, row: Impersonation, path: str, parameters: Iterable[str], once: bool) -> None:
    """A page that was looked at is a sensitive read. Of the address only the names of its parameters are kept: what was
    searched for may be about a person. `once` is for parts that a page asks for by itself every few seconds."""
    target = audit.name_of(row)
    if once and Entry.objects.filter(target=target, action=f"read.{_READ}", data__path=path).exists():
        return
    data = {"as": row.user_id, "path": path, "parameters": sorted(parameters)}
    audit.read(actor=actor, what=_READ, target=target, data=data)
