"""The steps that several use cases of a request share: open it, check the person, take a part, run, finish."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from backoffice.approvals import registry
from backoffice.approvals.models import OPEN, Covers, Notice, Part, Participation, Request, State
from backoffice.approvals.selectors import progress, verdicts
from backoffice.approvals.services import notices
from backoffice.approvals.services.refusals import Blocked, Excluded, NotOpen, SameEyes
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import Forbidden, NotFound, NotPermitted, Stale, StepUpNeeded
from backoffice.kernel.plain import digest, plain
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

# A second factor is fresh for this long.
FRESH = timedelta(minutes=5)


def require_fresh_factor(*, actor: Person) -> None:
    """What moves something takes a second factor given just now, not one of this morning."""
    if not settings.STEP_UP:
        return
    if actor.verified_at is None or clock.now() - actor.verified_at > FRESH:
        raise StepUpNeeded


def opened(
    *, actor: Person, request_id: int, states: tuple[State, ...], seen_hash: str | None = None, token: str = ""
) -> Request:
    """The request, locked, if the person works in its entity, it is in one of the states and not expired, and the
    page it was decided on (`seen_hash`, and `token` where the page has one) shows what it is now."""
    request = Request.objects.select_for_update().filter(pk=request_id).first()
    if request is None or request.entity_id not in scope.entity_ids(user_of(actor=actor)):
        raise NotFound("There is no such request.")
    if request.state not in states:
        raise NotOpen(f"The request is {request.get_state_display()}. Nothing was changed.")
    if request.state in OPEN and request.expires_at <= clock.now():
        raise NotOpen("The request has expired. Ask again to have it decided.")
    if seen_hash is not None and seen_hash != request.payload_hash:
        raise Stale("The page shows an older version of this request. Reload it and look again.")
    if token and token != progress.token(request):
        raise Stale("Somebody has decided or added something since this page was made. Reload it and look again.")
    return request


def permit(*, actor: Person, permission: str, entity_id: int) -> None:
    user = user_of(actor=actor)
    scope.require(user, permission)
    if entity_id not in scope.entity_ids(user):
        raise NotFound("There is no such thing in the entities you work in.")


def permit_deciding(*, actor: Person, request: Request) -> str:
    """Which of the two permissions to decide the person holds (Covers); NotPermitted names the first."""
    user = user_of(actor=actor)
    first = scope.may(user, request.approve_permission)
    second = bool(request.second_permission) and scope.may(user, request.second_permission)
    if not (first or second):
        raise NotPermitted(request.approve_permission)
    return Covers.BOTH if first and second else Covers.FIRST if first else Covers.SECOND


def require_unconcerned(*, actor: Person, request: Request) -> None:
    """Refuse people whom the action excludes: who set a hold does not release it."""
    action = registry.get(request.action)
    if actor.user_id in action.forbids(registry.load(action.payload, request.payload)):
        raise Excluded("You took part in what this request is about. Another person has to decide it.")


def require_current(request: Request) -> Any:
    """The payload, if the software, the content and the target are those that were asked about."""
    action = registry.get(request.action)
    if action.version != request.action_version:
        raise Stale("The software behind this request has changed since it was made. Withdraw it and ask again.")
    if digest([request.action, request.action_version, request.payload]) != request.payload_hash:
        raise Stale("The stored request does not match its hash. Nothing was done; tell an administrator.")
    payload = registry.load(action.payload, request.payload)
    if action.target_version(payload) != request.target_version:
        raise Stale("What this request is about has changed since it was made. Withdraw it and ask again.")
    return payload


def require_unblocked(request: Request, payload: Any) -> None:
    against = registry.get(request.action).blocked(payload)
    if against:
        raise Blocked(f"This cannot go on now: {against}. Nothing was changed.")


def require_no_part(*, actor: Person, request: Request) -> None:
    """Refuse who has a part in the request already: maker, approvers and executor are different people."""
    earlier = request.participations.filter(person_id=actor.user_id).first()
    if earlier is not None:
        raise SameEyes(f"You {earlier.get_part_display()} this request yourself. Another person has to take this step.")


def require_may_take(*, actor: Person, request: Request, part: Part) -> None:
    """Refuse who could not take this step whatever they sent. Pages ask before they show or read a form."""
    if part is not Part.EXECUTOR:
        permit_deciding(actor=actor, request=request)
    elif request.execute_permission:
        scope.require(user_of(actor=actor), request.execute_permission)
    else:
        raise Forbidden("The last approval carries this request out: there is nothing to execute.")
    require_no_part(actor=actor, request=request)
    require_unconcerned(actor=actor, request=request)


def take_part(*, actor: Person, request: Request, part: Part, reason: str = "", covers: str = Covers.FIRST) -> None:
    """Write the person's one part, with the automatic checks as they stand at this moment."""
    require_no_part(actor=actor, request=request)
    Participation.objects.create(
        request=request,
        person_id=actor.user_id,
        part=part,
        payload_hash=request.payload_hash,
        covers=covers,
        at=clock.now(),
        reason=reason,
        checks=verdicts.stored(verdicts.checks(request)) if part in (Part.APPROVER, Part.EXECUTOR) else None,
    )
    Notice.objects.filter(request=request, person=actor.user_id, read_at=None).update(read_at=clock.now())


def run(*, actor: Person, request: Request, payload: Any) -> None:
    """Execute byte for byte what was approved, or nothing."""
    action = registry.get(request.action)
    more = {"request_id": request.pk} if action.knows_request else {}
    result = action.use_case(actor=actor, **arguments(payload), **more)
    request.result = {"returned": audit.name_of(result) if hasattr(result, "_meta") else plain(result)}
    audit.record(actor=actor, action="approval.executed", target=request, data=request.result)
    finish(actor=actor, request=request, state=State.EXECUTED)


def finish(*, actor: Actor, request: Request, state: State) -> None:
    """The request's new state, known to whoever it concerns in the same transaction."""
    request.state = state
    request.finished_at = None if state == State.APPROVED else clock.now()
    request.save(update_fields=["state", "finished_at", "result"])
    action = registry.get(request.action)
    if state != State.EXECUTED:
        action.moved(actor, registry.load(action.payload, request.payload), request)
    notices.tell(request)


def note_own(*, actor: Person, request_id: int, step: str) -> None:
    """Leave a line in the audit log when somebody tries to decide what they asked for themselves."""
    with transaction.atomic():
        request = Request.objects.filter(pk=request_id, maker=actor.user_id).first()
        if request is not None:
            audit.record(actor=actor, action="approval.self_refused", target=request, data={"step": step})


def user_of(*, actor: Person) -> User:
    """The person read anew: a right taken away a second ago is gone."""
    assert isinstance(actor, Person), "only people ask and decide"
    return User.objects.get(pk=actor.user_id)


def arguments(payload: Any) -> dict[str, Any]:
    return {name: getattr(payload, name) for name in type(payload).__dataclass_fields__}
