"""Beginning to look at the pages as somebody else: with a reason, a fresh second factor, and half an hour."""

from __future__ import annotations

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.signin.models import LOOK_MOST, Impersonation
from backoffice.signin.selectors import looking
from backoffice.signin.services import sessions

SHORTEST_REASON = 10  # signs


@transaction.atomic
def begin(*, actor: Person, session_id: int, user_id: int, reason: str) -> Impersonation:
    """From now on this session shows the pages as `user_id` would see them, for half an hour. Nothing can be changed
    meanwhile. Needs a code of the authenticator given a moment ago."""
    session = sessions.locked(session_id, actor.user_id)
    by = User.objects.get(pk=actor.user_id)
    scope.require(by, looking.IMPERSONATE)
    sessions.require_fresh(session)
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such person.")
    refusal = looking.against(by, user)
    if refusal:
        raise DomainError(refusal)
    if len(reason.strip()) < SHORTEST_REASON:
        raise DomainError("Write why, so that somebody else understands it a year from now: a ticket, a question.")
    if Impersonation.objects.filter(session=session, ended_at=None).exists():
        raise DomainError("You are looking as somebody already. End that first.")
    now = clock.now()
    row = Impersonation.objects.create(
        session=session, by=by, user=user, reason=reason.strip(), started_at=now, until=now + LOOK_MOST
    )
    data = {"as": user.pk, "username": user.username, "reason": row.reason, "until": row.until}
    audit.record(actor=actor, action="signin.impersonation_started", target=row, data=data)
    return row
