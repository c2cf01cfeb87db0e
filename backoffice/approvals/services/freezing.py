"""How a use case becomes a request: rehearsed, measured against the policies, and frozen with its content's hash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from backoffice.approvals.models import Request
from backoffice.approvals.registry import Action
from backoffice.approvals.selectors.bars import bar
from backoffice.approvals.services import notices, steps
from backoffice.approvals.services.refusals import AlreadyAsked
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError
from backoffice.kernel.plain import digest, plain
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import calendars


class _RolledBack(Exception):
    """Ends a rehearsal; everything it wrote disappears with its savepoint."""


def rehearse(*, actor: Person, action: Action, payload: Any) -> list[Any]:
    """Run the use case in a savepoint, read its effects, and roll everything back.

    Raises what the use case would raise. Deferred constraints are made immediate first, or a rule that only
    speaks at commit would stay silent here and refuse at the approver's desk.
    """
    effects: list[Any] = []
    try:
        with transaction.atomic():
            result = (action.rehearse or action.use_case)(actor=actor, **steps.arguments(payload))
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            effects = plain(list(action.effects(payload, result)))
            raise _RolledBack
    except _RolledBack:
        return effects


def store(
    *, actor: Person, action: Action, payload: Any, reason: str, reason_code: str, replaces: Request | None = None
) -> Request:
    """Write the request in the caller's transaction. The client's requests queue here, so that two asked for at the
    same moment both count for the daily sum."""
    if not reason.strip():
        raise DomainError("Say why: the reason is shown to the approver and kept.")
    reason_code = action.reason_code(payload, reason_code)
    if reason_code not in action.reasons:
        raise DomainError(f"Choose one of the reasons of this request: {', '.join(action.reasons.values())}.")
    try:
        with transaction.atomic():
            return _store(
                actor=actor,
                action=action,
                payload=payload,
                reason=reason.strip(),
                reason_code=reason_code,
                replaces=replaces,
            )
    except IntegrityError as error:
        if "one_open_request_per_target" not in str(error):
            raise
        raise AlreadyAsked("A request for the same thing is already waiting for a decision.") from error


def _store(
    *, actor: Person, action: Action, payload: Any, reason: str, reason_code: str, replaces: Request | None
) -> Request:
    entity_id = action.entity_id(payload)
    effects = rehearse(actor=actor, action=action, payload=payload)
    amount, client, content, now = action.amount(payload), action.client(payload), plain(payload), clock.now()
    if client:
        locking.advisory(locking.Lock.CLIENT_SUM, client)
    wanted = bar(action, payload, entity_id)
    request = Request.objects.create(
        entity_id=entity_id,
        action=action.name,
        action_version=action.version,
        target=action.target(payload),
        target_version=action.target_version(payload),
        summary=action.summary(payload)[:300],
        payload=content,
        payload_hash=digest([action.name, action.version, content]),
        preview=plain({"effects": effects, "changes": action.changes(payload), "counted": wanted.counted}),
        client=client,
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else "",
        reason=reason,
        reason_code=reason_code,
        version=replaces.version + 1 if replaces else 1,
        replaces=replaces,
        money=action.money,
        bulk=wanted.bulk,
        risk=sorted(action.risk(payload)),
        rules=list(wanted.rules),
        maker_id=actor.user_id,
        requested_at=now,
        due_at=due_at(entity_id, now, wanted.sla_hours),
        expires_at=now + timedelta(hours=wanted.expires_after_hours),
        approvals_needed=wanted.approvals,
        view_permission=action.view,
        approve_permission=wanted.approve,
        second_permission=wanted.second,
        execute_permission=wanted.execute,
    )
    said = {"action": action.name, "reason": reason, "reason_code": reason_code}
    if replaces:
        said["replaces"] = audit.name_of(replaces)
    audit.record(actor=actor, action="approval.requested", target=request, data=said)
    action.moved(actor, payload, request)
    notices.tell(request)
    return request


def due_at(entity_id: int, since: datetime, hours: int) -> datetime:
    """The moment `hours` later, counting only hours of the entity's business days (UTC)."""
    calendar = LegalEntity.objects.values_list("calendar", flat=True).get(pk=entity_id)
    span = since.date() + timedelta(days=hours // 24 * 2 + 21)
    open_days = set(calendars.business_days(calendar, since.date(), span))
    moment, left = since, timedelta(hours=hours)
    while left:
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        step = min(left, midnight - moment) if moment.date() in open_days else timedelta(0)
        moment, left = (moment + step, left - step) if step == left else (midnight, left - step)
    return moment
