"""Closing with the list in view: what is red closes with a written reason only, and a month behind four eyes."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from backoffice.approvals.registry import Level
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.locking import Lock
from backoffice.kernel.plain import plain
from ledger.models import Closing, Period
from ledger.registry import Finding
from ledger.selectors import closing as found
from ledger.services import periods
from ledger.services.periods import CannotClose


@transaction.atomic
def close_day(*, actor: Actor, entity_id: int, day: date, reason: str = "") -> Closing:
    """Close a day as a person does it: red lines need a reason, and the list is kept in the log.

    The list is read before postings are kept waiting. Raises CannotClose."""
    listed = found.of_day(entity_id, day)
    red = found.reds(listed)
    if red and not reason.strip():
        said = "; ".join(f"{row.label}: {row.detail}" for row in red)
        raise CannotClose(f"Not everything is done ({said}). Do it, or write why the day is closed all the same.")
    closing = periods.close_day(actor=actor, entity_id=entity_id, day=day, reason=reason.strip())
    audit.record(actor=actor, action="ledger.checked_before_closing", target=closing, data={"checks": said_of(listed)})
    return closing


@transaction.atomic
def close_period(*, actor: Actor, entity_id: int, last_day: date, request_id: int | None = None) -> Period | None:
    """Close a month whose days are closed. Runs behind four eyes: `request_id` is the approved request, whose reason
    stands for what is red; without it this is the rehearsal. Raises CannotClose."""
    listed = found.of_period(entity_id, last_day) if request_id is not None else []
    locking.advisory(Lock.ENTITY_DAY, entity_id)
    through = periods.closed_through(entity_id)
    if last_day != found.last_day_of(last_day):
        raise CannotClose(f"{last_day} is not the last day of a month.")
    if through is None or through < last_day:
        raise CannotClose(f"The books are closed through {through or 'no day'}. Close the days up to {last_day} first.")
    if found.period_of(entity_id, last_day) is not None:
        raise CannotClose(f"The month to {last_day} is closed already.")
    if request_id is None:
        return None
    period = Period.objects.create(
        entity_id=entity_id,
        last_day=last_day,
        closing=Closing.objects.filter(entity_id=entity_id).latest("id"),
        at=clock.now(),
        actor=actor.label,
        checks=said_of(listed),
        request_id=request_id,
    )
    audit.record(actor=actor, action="ledger.period_closed", target=period, data={"last_day": last_day})
    return period


def said_of(listed: list[Finding]) -> list[dict[str, str]]:
    """The list as it is kept."""
    return [{"level": Level(row.level).value, "label": row.label, "detail": str(plain(row.detail))} for row in listed]
