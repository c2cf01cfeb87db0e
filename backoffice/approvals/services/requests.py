"""Ask, approve, reject, return, replace, withdraw, execute.

Every function here is an entry point with a transaction of its own. The order of locks is: the request row,
then whatever the use case locks (docs/locks.md).
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from backoffice.approvals import registry
from backoffice.approvals.models import OPEN, Part, Request, State
from backoffice.approvals.selectors import progress
from backoffice.approvals.services import attachments, freezing, steps
from backoffice.approvals.services.attachments import Files
from backoffice.approvals.services.freezing import rehearse
from backoffice.approvals.services.refusals import AlreadyAsked, Blocked, Excluded, NotNeeded, NotOpen, SameEyes
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person, System
from backoffice.kernel.errors import DomainError

__all__ = [
    "AlreadyAsked",
    "Blocked",
    "Excluded",
    "NotNeeded",
    "NotOpen",
    "SameEyes",
    "approve",
    "execute",
    "expire",
    "rehearse",
    "reject",
    "replace",
    "return_for_change",
    "submit",
    "withdraw",
]


def submit(
    *, actor: Person, action: str, payload: Any, reason: str, reason_code: str = registry.OTHER, files: Files = ()
) -> Request:
    """Ask for a use case. It is rehearsed first, so that only what would work is put before an approver; with files
    that are refused, nothing is asked for."""
    chosen = registry.get(action)
    steps.permit(actor=actor, permission=chosen.ask, entity_id=chosen.entity_id(payload))
    with transaction.atomic(durable=True):
        request = freezing.store(actor=actor, action=chosen, payload=payload, reason=reason, reason_code=reason_code)
        attachments.put_all(actor=actor, request=request, files=files)
        return request


def replace(
    *,
    actor: Person,
    request_id: int,
    payload: Any,
    reason: str,
    reason_code: str = registry.OTHER,
    files: Files = (),
) -> Request:
    """A new version of a request that was returned: a new row with approvals of its own, linked to the old one."""
    with transaction.atomic(durable=True):
        old = steps.opened(actor=actor, request_id=request_id, states=(State.RETURNED,))
        if old.maker_id != actor.user_id:
            raise DomainError("Only the person who asked can make a new version.")
        if Request.objects.filter(replaces=old).exists():
            raise NotOpen("There is a newer version of this request. Open that one.")
        chosen = registry.get(old.action)
        steps.permit(actor=actor, permission=chosen.ask, entity_id=chosen.entity_id(payload))
        if chosen.entity_id(payload) != old.entity_id:
            raise DomainError("A new version stays in its legal entity. Ask for something new instead.")
        request = freezing.store(
            actor=actor, action=chosen, payload=payload, reason=reason, reason_code=reason_code, replaces=old
        )
        attachments.put_all(actor=actor, request=request, files=files)
        return request


def approve(*, actor: Person, request_id: int, seen_hash: str, reason: str = "", token: str = "") -> Request:
    """Agree to exactly what `seen_hash` names. The last approval needed runs the use case, or frees it for
    the executor where the policy wants a third person."""
    steps.require_fresh_factor(actor=actor)
    try:
        with transaction.atomic(durable=True):
            request = steps.opened(
                actor=actor, request_id=request_id, states=(State.PENDING,), seen_hash=seen_hash, token=token
            )
            covers = steps.permit_deciding(actor=actor, request=request)
            payload = steps.require_current(request)
            steps.require_unconcerned(actor=actor, request=request)
            steps.require_unblocked(request, payload)
            needed = progress.helps(request, covers)
            steps.take_part(actor=actor, request=request, part=Part.APPROVER, reason=reason, covers=covers)
            if not needed:
                raise NotNeeded(f"Your approval would not count: the request {_lacks(request)}.")
            left = progress.missing(request).count
            audit.record(actor=actor, action="approval.approved", target=request, data={"missing": left})
            if not left and request.execute_permission:
                steps.finish(actor=actor, request=request, state=State.APPROVED)
            elif not left:
                steps.run(actor=actor, request=request, payload=payload)
            return request
    except SameEyes:
        steps.note_own(actor=actor, request_id=request_id, step="approve")
        raise


def reject(*, actor: Person, request_id: int, seen_hash: str, reason: str, token: str = "") -> Request:
    """Refuse, with a reason. The request is final; asking again is a new request."""
    if not reason.strip():
        raise DomainError("Say why you reject: the person who asked sees it.")
    with transaction.atomic(durable=True):
        request = _decided(
            actor=actor,
            request_id=request_id,
            seen_hash=seen_hash,
            token=token,
            part=Part.REJECTER,
            reason=reason.strip(),
        )
        audit.record(actor=actor, action="approval.rejected", target=request, data={"reason": reason.strip()})
        steps.finish(actor=actor, request=request, state=State.REJECTED)
        return request


def return_for_change(*, actor: Person, request_id: int, seen_hash: str, reason: str, token: str = "") -> Request:
    """Give it back to the person who asked. Its approvals count for nothing more; a new version starts anew."""
    if not reason.strip():
        raise DomainError("Say what should change: the person who asked sees it.")
    with transaction.atomic(durable=True):
        request = _decided(
            actor=actor,
            request_id=request_id,
            seen_hash=seen_hash,
            token=token,
            part=Part.RETURNER,
            reason=reason.strip(),
        )
        audit.record(actor=actor, action="approval.returned", target=request, data={"reason": reason.strip()})
        steps.finish(actor=actor, request=request, state=State.RETURNED)
        return request


def withdraw(*, actor: Person, request_id: int, reason: str = "") -> Request:
    """Take back what one asked for oneself."""
    with transaction.atomic(durable=True):
        request = steps.opened(actor=actor, request_id=request_id, states=OPEN)
        if request.maker_id != actor.user_id:
            raise DomainError("Only the person who asked can withdraw a request; you can reject it.")
        audit.record(actor=actor, action="approval.withdrawn", target=request, data={"reason": reason})
        steps.finish(actor=actor, request=request, state=State.WITHDRAWN)
        return request


def execute(*, actor: Person, request_id: int, seen_hash: str, token: str = "") -> Request:
    """Run an approved use case as the third person its policy wants."""
    steps.require_fresh_factor(actor=actor)
    try:
        with transaction.atomic(durable=True):
            request = steps.opened(
                actor=actor, request_id=request_id, states=(State.APPROVED,), seen_hash=seen_hash, token=token
            )
            steps.permit(actor=actor, permission=request.execute_permission, entity_id=request.entity_id)
            payload = steps.require_current(request)
            steps.require_unconcerned(actor=actor, request=request)
            steps.require_unblocked(request, payload)
            steps.take_part(actor=actor, request=request, part=Part.EXECUTOR)
            steps.run(actor=actor, request=request, payload=payload)
            return request
    except SameEyes:
        steps.note_own(actor=actor, request_id=request_id, step="execute")
        raise


@transaction.atomic
def expire() -> int:
    """Close what nobody decided in time. Called by schedule."""
    due = Request.objects.select_for_update(skip_locked=True).filter(state__in=OPEN, expires_at__lte=clock.now())
    count = 0
    for request in due.order_by("pk"):
        audit.record(actor=System("approvals.expire"), action="approval.expired", target=request)
        steps.finish(actor=System("approvals.expire"), request=request, state=State.EXPIRED)
        count += 1
    return count


def _decided(*, actor: Person, request_id: int, seen_hash: str, token: str, part: Part, reason: str) -> Request:
    request = steps.opened(actor=actor, request_id=request_id, states=OPEN, seen_hash=seen_hash, token=token)
    covers = steps.permit_deciding(actor=actor, request=request)
    steps.require_unconcerned(actor=actor, request=request)
    steps.take_part(actor=actor, request=request, part=part, reason=reason, covers=covers)
    return request


def _lacks(request: Request) -> str:
    return "; ".join(progress.sentences(request, progress.missing(request)))
