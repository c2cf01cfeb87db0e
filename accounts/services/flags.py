"""Setting and ending flags.

The audit log names a flag by its number and never by its kind: whoever may know the kind looks it up on the client's
page, through accounts/selectors/visible.py. So an entry about an AML hold reads like one about any other review.
"""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction

from accounts.models import Client, ConsentStep, Flag, FlagKind, Reason, RestrictionKind
from accounts.models.flags import RULES
from accounts.services import papers, restrictions
from accounts.services.kept import keep
from accounts.services.locked import locked_client, require_another, user_id
from backoffice.approvals.models import Part, Participation
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound, NotPermitted
from backoffice.organisation.models import User
from backoffice.organisation.selectors import calendars, scope

RELEASE = "accounts.release_aml_hold"
CONSENT_WORKING_DAYS = 7
MORATORIUM_DAYS = 31


class MlroNeeded(DomainError):
    """One of the people who release an AML hold is the MLRO."""


@transaction.atomic
def set_flag(*, actor: Actor, client_id: int, kind: str, note: str = "", days: int | None = None) -> Flag:
    """Flag a client; at once, by one person. `days` is how long it lasts where time ends it."""
    kind = FlagKind(kind)
    rule = RULES[kind]
    _permit(actor, rule.put)
    client = locked_client(client_id)
    if client.flags.filter(kind=kind, ended_at=None).exists():
        raise DomainError("The client carries this flag already. Add a note if there is something new.")
    now = clock.now()
    flag = Flag.objects.create(
        client=client,
        kind=kind,
        under_key=keep(client.pk, note=note.strip()),
        set_at=now,
        set_by_id=user_id(actor),
        expires_at=now + timedelta(days=days) if days else None,
    )
    audit.record(actor=actor, action="client.flag_set", target=client, data={"flag": flag.pk})
    if rule.freezes and not client.restrictions.filter(kind=RestrictionKind.FREEZE, origin="", lifted_at=None).exists():
        restrictions.restrict(actor=actor, client_id=client.pk, kind=RestrictionKind.FREEZE, reason=Reason.BEREAVEMENT)
    return flag


@transaction.atomic
def end_flag(*, actor: Actor, flag_id: int) -> Flag:
    """End a flag that one person may end."""
    flag, _ = _open(flag_id)
    rule = RULES[flag.kind]
    _permit(actor, rule.end)
    if rule.decider is not None:
        raise DomainError("Two people end this flag: ask for it, and somebody else agrees.")
    return _end(actor, flag)


@transaction.atomic
def release_flag(*, actor: Actor, flag_id: int, request_id: int | None = None) -> Flag:
    """End a flag behind four eyes; nobody takes part who set it. One of those who release an AML hold is the MLRO.

    `request_id` is the approved request; without it this is the rehearsal, when only the maker is known.
    """
    flag, _ = _open(flag_id)
    require_another(actor, {flag.set_by_id} if flag.set_by_id else set())
    if request_id is not None:
        _require_hands(flag, request_id)
    return _end(actor, flag)


@transaction.atomic
def ask_consent(*, actor: Actor, flag_id: int, on: date) -> ConsentStep:
    """Note the day on which the authority was asked for consent: from then on its time runs."""
    flag, client = _open(flag_id, FlagKind.AML_HOLD)
    if flag.consent_steps.exists():
        raise DomainError("Consent was asked for already. Record the answer when it comes.")
    if on > clock.today():
        raise DomainError("The day of the request lies ahead. Enter the day on which it was sent.")
    due = calendars.add_business_days(client.entity.calendar, on, CONSENT_WORKING_DAYS)
    return note_step(actor=actor, flag=flag, kind=ConsentStep.Kind.ASKED, on=on, deadline=due)


@transaction.atomic
def record_answer(*, actor: Actor, flag_id: int, granted: bool, on: date) -> ConsentStep:
    """Note what the authority said. A refusal starts a moratorium of 31 days, the day of the notice included."""
    flag, _ = _open(flag_id, FlagKind.AML_HOLD)
    known = {step.kind: step for step in flag.consent_steps.all()}
    if ConsentStep.Kind.ASKED not in known:
        raise DomainError("Consent was not asked for yet. Enter the request first.")
    if known.keys() & {ConsentStep.Kind.GRANTED, ConsentStep.Kind.REFUSED}:
        raise DomainError("The answer is recorded already.")
    if not known[ConsentStep.Kind.ASKED].on_date <= on <= clock.today():
        raise DomainError("The day of the answer lies before the request or ahead. Enter the day of the notice.")
    kind = ConsentStep.Kind.GRANTED if granted else ConsentStep.Kind.REFUSED
    deadline = None if granted else on + timedelta(days=MORATORIUM_DAYS - 1)
    return note_step(actor=actor, flag=flag, kind=kind, on=on, deadline=deadline)


def note_step(*, actor: Actor, flag: Flag, kind: str, on: date, deadline: date | None = None) -> ConsentStep:
    """Add a step, and a confidential note that tells compliance of it.

    The log has the note, as it has every note: an entry that only holds ever get would give the hold away.
    """
    step = ConsentStep.objects.create(
        flag=flag, kind=kind, at=clock.now(), by_id=user_id(actor), on_date=on, deadline_date=deadline
    )
    said = f"{step.get_kind_display()}: {on}" + (f", waits until {deadline}" if deadline else "")
    papers.add_note(actor=actor, client_id=flag.client_id, text=said, confidential=True)
    return step


@transaction.atomic
def expire(*, actor: Actor, flag_id: int) -> Flag:
    """End a flag whose time has passed."""
    flag, _ = _open(flag_id)
    assert flag.expires_at is not None and flag.expires_at <= clock.now(), "its time has not passed"
    return _end(actor, flag)


def _open(flag_id: int, kind: FlagKind | None = None) -> tuple[Flag, Client]:
    found = Flag.objects.filter(pk=flag_id).values_list("client_id", "kind").first()
    if found is None or kind not in (None, found[1]):
        raise NotFound("There is no such flag.")
    client = locked_client(found[0])
    flag = Flag.objects.select_for_update().get(pk=flag_id)
    flag.client = client
    if flag.ended_at is not None:
        raise DomainError("The flag has ended already. Reload the client's page.")
    return flag, client


def _end(actor: Actor, flag: Flag) -> Flag:
    flag.ended_at, flag.ended_by_id = clock.now(), user_id(actor)
    flag.save(update_fields=["ended_at", "ended_by"])
    audit.record(actor=actor, action="client.flag_ended", target=flag.client, data={"flag": flag.pk})
    return flag


def _permit(actor: Actor, permission: str) -> None:
    """Kinds have permissions of their own, so a page cannot ask for them; jobs need none."""
    if not isinstance(actor, Person):
        return
    if not permission:
        raise DomainError("Only the system sets or ends this flag.")
    if not scope.may(User.objects.get(pk=actor.user_id), permission):
        raise NotPermitted(permission)


def _require_hands(flag: Flag, request_id: int) -> None:
    hands = set(
        Participation.objects.filter(request_id=request_id)
        .exclude(part=Part.REJECTER)
        .values_list("person_id", flat=True)
    )
    if flag.set_by_id in hands:
        raise DomainError("The person who set this took part. Withdraw the request and have others end it.")
    if flag.kind == FlagKind.AML_HOLD and not any(scope.may(u, RELEASE) for u in User.objects.filter(pk__in=hands)):
        raise MlroNeeded(f"One of the people who end this must hold the permission “{RELEASE}”.")
