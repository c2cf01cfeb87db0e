"""Ask, approve, reject, withdraw, execute.

Every function here is an entry point with a transaction of its own. The order of locks is: the request row,
then whatever the use case locks (docs/locks.md).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, connection, transaction

from backoffice.approvals import registry
from backoffice.approvals.models import OPEN, Part, Participation, Policy, Request, State
from backoffice.approvals.registry import Action
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person, System
from backoffice.kernel.errors import DomainError, NotFound, Stale
from backoffice.kernel.money import Money
from backoffice.kernel.plain import digest, plain
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

DAY = timedelta(hours=24)


class AlreadyAsked(DomainError):
    """The same thing is already waiting for a decision."""


class SameEyes(DomainError):
    """The person already took another part in this request."""


class NotOpen(DomainError):
    """The request was decided, withdrawn or has expired."""


class _RolledBack(Exception):
    """Ends a rehearsal; everything it wrote disappears with its savepoint."""


def submit(*, actor: Person, action: str, payload: Any, reason: str) -> Request:
    """Ask for a use case. It is rehearsed first, so that only what would work is put before an approver."""
    chosen = registry.get(action)
    entity_id = chosen.entity_id(payload)
    _permit(actor, chosen.ask, entity_id)
    if not reason.strip():
        raise DomainError("Say why: the reason is shown to the approver and kept.")
    try:
        with transaction.atomic(durable=True):
            return _store(actor, chosen, payload, reason.strip(), entity_id)
    except IntegrityError as error:
        if "one_open_request_per_target" not in str(error):
            raise
        raise AlreadyAsked("A request for the same thing is already waiting for a decision.") from error


def approve(*, actor: Person, request_id: int, seen_hash: str, reason: str = "") -> Request:
    """Agree to exactly what `seen_hash` names. The last approval needed runs the use case, or frees it for
    the executor where the policy wants a third person."""
    with transaction.atomic(durable=True):
        request = _open(actor, request_id, seen_hash, State.PENDING)
        _permit(actor, request.approve_permission, request.entity_id)
        _take_part(request, actor, Part.APPROVER, reason)
        given = request.participations.filter(part=Part.APPROVER).count()
        audit.record(actor=actor, action="approval.approved", target=request, data={"given": given})
        if given >= request.approvals_needed:
            if request.execute_permission:
                _finish(request, State.APPROVED)
            else:
                _run(actor, request)
        return request


def reject(*, actor: Person, request_id: int, seen_hash: str, reason: str) -> Request:
    """Refuse, with a reason. The request is final; asking again is a new request."""
    if not reason.strip():
        raise DomainError("Say why you reject: the person who asked sees it.")
    with transaction.atomic(durable=True):
        request = _open(actor, request_id, seen_hash, *OPEN)
        _permit(actor, request.approve_permission, request.entity_id)
        _take_part(request, actor, Part.REJECTER, reason.strip())
        audit.record(actor=actor, action="approval.rejected", target=request, data={"reason": reason.strip()})
        _finish(request, State.REJECTED)
        return request


def withdraw(*, actor: Person, request_id: int, reason: str = "") -> Request:
    """Take back what one asked for oneself."""
    with transaction.atomic(durable=True):
        request = _open(actor, request_id, None, *OPEN)
        if request.maker_id != actor.user_id:
            raise DomainError("Only the person who asked can withdraw a request; you can reject it.")
        audit.record(actor=actor, action="approval.withdrawn", target=request, data={"reason": reason})
        _finish(request, State.WITHDRAWN)
        return request


def execute(*, actor: Person, request_id: int, seen_hash: str) -> Request:
    """Run an approved use case as the third person its policy wants."""
    with transaction.atomic(durable=True):
        request = _open(actor, request_id, seen_hash, State.APPROVED)
        _permit(actor, request.execute_permission, request.entity_id)
        _take_part(request, actor, Part.EXECUTOR, "")
        _run(actor, request)
        return request


@transaction.atomic
def expire() -> int:
    """Close what nobody decided in time. Called by schedule."""
    due = Request.objects.select_for_update(skip_locked=True).filter(state__in=OPEN, expires_at__lte=clock.now())
    count = 0
    for request in due.order_by("pk"):
        audit.record(actor=System("approvals.expire"), action="approval.expired", target=request)
        _finish(request, State.EXPIRED)
        count += 1
    return count


def rehearse(*, actor: Person, action: Action, payload: Any) -> list[Any]:
    """Run the use case in a savepoint, read its effects, and roll everything back.

    Raises what the use case would raise. Deferred constraints are made immediate first, or a rule that only
    speaks at commit would stay silent here and refuse at the approver's desk.
    """
    effects: list[Any] = []
    try:
        with transaction.atomic():
            result = action.use_case(actor=actor, **_arguments(payload))
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            effects = plain(list(action.effects(payload, result)))
            raise _RolledBack
    except _RolledBack:
        return effects


def _store(actor: Person, action: Action, payload: Any, reason: str, entity_id: int) -> Request:
    effects = rehearse(actor=actor, action=action, payload=payload)
    amount = action.amount(payload)
    client = action.client(payload)
    policy = _policy(action, entity_id, amount, client)
    now = clock.now()
    content = plain(payload)
    request = Request.objects.create(
        entity_id=entity_id,
        action=action.name,
        action_version=action.version,
        target=action.target(payload),
        target_version=action.target_version(payload),
        summary=action.summary(payload)[:300],
        payload=content,
        payload_hash=digest([action.name, action.version, content]),
        preview=plain({"effects": effects, "changes": action.changes(payload)}),
        client=client,
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else "",
        reason=reason,
        maker_id=actor.user_id,
        requested_at=now,
        expires_at=now + timedelta(hours=policy.expires_after_hours),
        approvals_needed=policy.approvers,
        approve_permission=policy.approve_permission or action.decide,
        execute_permission=policy.execute_permission,
    )
    audit.record(
        actor=actor, action="approval.requested", target=request, data={"action": action.name, "reason": reason}
    )
    return request


def _policy(action: Action, entity_id: int, amount: Money | None, client: str) -> Policy:
    """The strictest fitting row; without any, one approval by the action's own permission."""
    size = amount.amount if amount else Decimal(0)
    if client and amount:
        recent = Request.objects.filter(
            client=client, action=action.name, requested_at__gt=clock.now() - DAY, currency=amount.currency
        ).filter(state__in=[*OPEN, State.EXECUTED])
        size += sum((row.amount or Decimal(0) for row in recent), Decimal(0))
    rows = Policy.objects.filter(action=action.name, from_amount__lte=abs(size))
    fitting = [row for row in rows if row.entity_id in (None, entity_id)]
    if not fitting:
        return Policy(action=action.name, approvers=1)
    return max(fitting, key=lambda row: (row.from_amount, row.approvers, row.entity_id is not None))


def _open(actor: Person, request_id: int, seen_hash: str | None, *states: State) -> Request:
    request = Request.objects.select_for_update().filter(pk=request_id).first()
    if request is None or request.entity_id not in scope.entity_ids(_user(actor)):
        raise NotFound("There is no such request.")
    if request.state not in states:
        raise NotOpen(f"The request is {request.get_state_display()}. Nothing was changed.")
    if request.expires_at <= clock.now():
        raise NotOpen("The request has expired. Ask again to have it decided.")
    if seen_hash is not None and seen_hash != request.payload_hash:
        raise Stale("The page shows an older version of this request. Reload it and look again.")
    return request


def _take_part(request: Request, actor: Person, part: Part, reason: str) -> None:
    earlier = request.participations.filter(person_id=actor.user_id).first()
    if earlier is not None:
        raise SameEyes(f"You {earlier.get_part_display()} this request yourself. Another person has to take this step.")
    Participation.objects.create(
        request=request,
        person_id=actor.user_id,
        part=part,
        payload_hash=request.payload_hash,
        at=clock.now(),
        reason=reason,
    )


def _run(actor: Person, request: Request) -> None:
    """Execute byte for byte what was approved, or nothing."""
    action = registry.get(request.action)
    if action.version != request.action_version:
        raise Stale("The software behind this request has changed since it was made. Withdraw it and ask again.")
    if digest([request.action, request.action_version, request.payload]) != request.payload_hash:
        raise Stale("The stored request does not match its hash. Nothing was done; tell an administrator.")
    payload = registry.load(action.payload, request.payload)
    if action.target_version(payload) != request.target_version:
        raise Stale("What this request is about has changed since it was made. Withdraw it and ask again.")
    result = action.use_case(actor=actor, **_arguments(payload))
    request.result = {"returned": audit.name_of(result) if hasattr(result, "_meta") else plain(result)}
    audit.record(actor=actor, action="approval.executed", target=request, data=request.result)
    _finish(request, State.EXECUTED)


def _finish(request: Request, state: State) -> None:
    request.state = state
    request.finished_at = None if state == State.APPROVED else clock.now()
    request.save(update_fields=["state", "finished_at", "result"])


def _permit(actor: Person, permission: str, entity_id: int) -> None:
    user = _user(actor)
    scope.require(user, permission)
    if entity_id not in scope.entity_ids(user):
        raise NotFound("There is no such thing in the entities you work in.")


def _user(actor: Person) -> User:
    assert isinstance(actor, Person), "only people ask and decide"
    return User.objects.get(pk=actor.user_id)


def _arguments(payload: Any) -> dict[str, Any]:
    return {name: getattr(payload, name) for name in type(payload).__dataclass_fields__}
