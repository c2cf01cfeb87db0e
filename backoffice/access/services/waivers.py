"""Waivers of a forbidden pair: in writing, for one person and a time, approved by management."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from backoffice.access.models import WAIVER_MOST, Waiver
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person, System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation import pairs
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

APPROVE = "access.approve_grant"


def check_waiver(*, actor: Person, user_id: int, pair: int, until: datetime, why: str) -> User:
    """Whether the pair could be waived for the person as of now. Writes nothing."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound("There is no such person, or they have been deactivated.")
    known = next((known for known in pairs.PAIRS if known.number == pair), None)
    if known is None or not known.waiver:
        raise DomainError(f"There is no waiver of pair {pair}. Give the other role to another person.")
    if not why.strip():
        raise DomainError("Say why the firm cannot keep the two apart, and what it does instead.")
    if not clock.now() < until <= clock.now() + WAIVER_MOST:
        raise DomainError("A waiver ends within a year. Choose an end in the future, at most 366 days away.")
    if Waiver.objects.filter(user=user, pair=pair, ended_at=None, until__gt=clock.now()).exists():
        raise DomainError("This pair is already waived for this person. End that waiver first.")
    return user


@transaction.atomic
def waive(*, actor: Person, user_id: int, pair: int, until: datetime, why: str, request_id: int) -> Waiver:
    """Let the two sides of a pair meet in one person until then, as request `request_id` says."""
    User.objects.select_for_update().get(pk=user_id)
    user = check_waiver(actor=actor, user_id=user_id, pair=pair, until=until, why=why)
    now = clock.now()
    Waiver.objects.filter(user=user, pair=pair, ended_at=None).update(ended_at=now)
    waiver = Waiver.objects.create(
        user=user, pair=pair, reason=why.strip(), granted_at=now, until=until, request_id=request_id
    )
    data = {"user": user_id, "pair": pair, "until": until, "why": why.strip(), "request": request_id}
    audit.record(actor=actor, action="access.waived", target=waiver, data=data)
    return waiver


@transaction.atomic
def end_waiver(*, actor: Person, waiver_id: int, reason: str) -> Waiver:
    """End a waiver now. It protects, so one person of management does it; the roles then withhold each other."""
    scope.require(User.objects.get(pk=actor.user_id), APPROVE)
    waiver = Waiver.objects.select_for_update().filter(pk=waiver_id).first()
    if waiver is None:
        raise NotFound("There is no such waiver.")
    if waiver.ended_at is not None:
        raise DomainError("The waiver has already ended.")
    waiver.ended_at = clock.now()
    waiver.save(update_fields=["ended_at"])
    audit.record(actor=actor, action="access.waiver_ended", target=waiver, data={"reason": reason})
    return waiver


@transaction.atomic
def end_due() -> int:
    """Close waivers that have run out. Called by schedule; until then they do not count (selectors/rights.py)."""
    due = Waiver.objects.select_for_update(skip_locked=True).filter(ended_at=None, until__lte=clock.now())
    count = 0
    for waiver in due.order_by("pk"):
        waiver.ended_at = clock.now()
        waiver.save(update_fields=["ended_at"])
        audit.record(actor=System("access.end_due"), action="access.waiver_ended", target=waiver)
        count += 1
    return count
