"""What time does to clients, by schedule: each client in a transaction of its own, so that one who cannot be moved
(a server that has not confirmed, a restriction) is left for the next round and holds up nobody."""

from __future__ import annotations

import logging
from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.models import (
    Client,
    ClientStatus,
    ConsentStep,
    Document,
    Flag,
    FlagKind,
    LifecycleRule,
    Notice,
    Reason,
    Restriction,
    RestrictionKind,
)
from accounts.selectors import activity
from accounts.services import closing, flags, mail, onboarding, restrictions, steps
from accounts.services.locked import locked_client
from accounts.services.steps import NotReady
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.kernel.errors import DomainError
from backoffice.outbox import services as outbox

log = logging.getLogger(__name__)
JOB = System("client timers")
_AT_ONCE = 500


def run_often() -> dict[str, int]:
    """What must not wait for the night; how many rows each timer moved."""
    return {
        "activated": activate_funded(),
        "expired": end_expired(),
        "reminded": remind_of_reviews(),
    }


def run_daily() -> dict[str, int]:
    """What changes with the date."""
    return {
        "noticed": send_notices(),
        "dormant": make_dormant(),
        "documents": watch_documents(),
        "consents": watch_consents(),
        "archived": archive_old(),
    }


def activate_funded() -> int:
    """Approved clients whose first deposit is booked become active."""
    approved = Client.objects.filter(status=ClientStatus.APPROVED).order_by("pk").values_list("pk", flat=True)
    return _each(sorted(activity.funded(approved[:_AT_ONCE])), lambda pk: onboarding.activate(actor=JOB, client_id=pk))


def end_expired() -> int:
    """Restrictions and flags whose time was set when they were set."""
    now = clock.now()
    rows = Restriction.objects.filter(lifted_at=None, expires_at__lte=now).order_by("pk").values_list("pk", flat=True)
    ended = _each(rows[:_AT_ONCE], _end_restriction)
    marks = Flag.objects.filter(ended_at=None, expires_at__lte=now).order_by("pk").values_list("pk", flat=True)
    return ended + _each(marks[:_AT_ONCE], lambda pk: flags.expire(actor=JOB, flag_id=pk))


def remind_of_reviews() -> int:
    """Protective steps that nobody looked at in time: noted once; the page of due reviews shows them until then."""
    due = Restriction.objects.filter(lifted_at=None, review_due_at__lte=clock.now(), reminded_at=None)
    return _each(due.order_by("pk").values_list("pk", flat=True)[:_AT_ONCE], _remind)


def send_notices() -> int:
    """Tell clients who will become dormant."""
    return _each(_quiet(noticed=False), _notice)


def make_dormant() -> int:
    """Clients without a deal for the entity's months who were told long enough ago, and hold no positions."""
    return _each(_quiet(noticed=True), _make_dormant)


def watch_documents() -> int:
    """Flag clients with an expired document; after the days of grace they may not deposit until it is renewed."""
    today = clock.today()
    newer = Document.objects.filter(client=OuterRef("client"), kind=OuterRef("kind"), pk__gt=OuterRef("pk"))
    flagged = Flag.objects.filter(client=OuterRef("client"), kind=FlagKind.DOCUMENT_EXPIRED, ended_at=None)
    stopped = Restriction.objects.filter(
        client=OuterRef("client"), kind=RestrictionKind.NO_DEPOSIT, reason=Reason.DOCUMENT_EXPIRED, lifted_at=None
    )
    old = Document.objects.filter(expires_date__lt=today, client__status=ClientStatus.ACTIVE).exclude(Exists(newer))
    fresh = old.exclude(Exists(flagged)).order_by("client_id").values_list("client_id", flat=True).distinct()
    moved = _each(fresh[:_AT_ONCE], lambda pk: flags.set_flag(actor=JOB, client_id=pk, kind=FlagKind.DOCUMENT_EXPIRED))
    grace = {rule.entity_id: rule.document_grace_days for rule in LifecycleRule.objects.all()}
    late = old.filter(Exists(flagged)).exclude(Exists(stopped)).order_by("client_id")
    for pk, entity, expired in late.values_list("client_id", "client__entity_id", "expires_date")[:_AT_ONCE]:
        if expired is not None and expired + timedelta(days=grace.get(entity, grace.get(None, 14))) < today:
            moved += _each([pk], _stop_deposits)
    return moved


def watch_consents() -> int:
    """Deadlines of AML holds: no answer in time, and the end of a moratorium. The hold itself stays until people
    release it."""
    today = clock.today()
    passed = ConsentStep.objects.filter(flag__ended_at=None, deadline_date__lt=today).order_by("pk")
    answered = ConsentStep.objects.filter(flag=OuterRef("flag"), pk__gt=OuterRef("pk"))
    rows = passed.exclude(Exists(answered)).values_list("flag_id", "kind", "deadline_date")[:_AT_ONCE]
    moved = 0
    for flag_id, kind, deadline in rows:
        after = ConsentStep.Kind.SILENT if kind == ConsentStep.Kind.ASKED else ConsentStep.Kind.OVER
        moved += _each([flag_id], partial(_note_deadline, kind=after, deadline=deadline))
    return moved


def archive_old() -> int:
    """Closed clients whose retention period is over."""
    years = {rule.entity_id: rule.retention_years for rule in LifecycleRule.objects.all()}
    closed = Client.objects.filter(status=ClientStatus.CLOSED).order_by("status_at", "pk")
    due = [
        pk
        for pk, entity, at in closed.values_list("pk", "entity_id", "status_at")[:_AT_ONCE]
        if at + timedelta(days=366 * years.get(entity, years.get(None, 5))) <= clock.now()
    ]
    return _each(due, lambda pk: closing.archive(actor=JOB, client_id=pk))


def _quiet(*, noticed: bool) -> list[int]:
    """Active clients without a deal for as long as their entity says, in one page of the oldest."""
    now, found = clock.now(), []
    rules = {rule.entity_id: rule for rule in LifecycleRule.objects.all()}
    told = Notice.objects.filter(client=OuterRef("pk"), kind=Notice.Kind.DORMANCY)
    for entity_id in Client.objects.order_by("entity_id").values_list("entity_id", flat=True).distinct():
        rule = rules.get(entity_id) or rules.get(None) or LifecycleRule()
        until = _months_before(now, rule.dormant_months)
        since = until if noticed else until + timedelta(days=rule.notice_days)
        told_since = told.filter(at__gte=since)
        old = Client.objects.filter(entity_id=entity_id, status=ClientStatus.ACTIVE, opened_at__lte=since)
        if noticed:
            old = old.filter(Exists(told.filter(at__gte=until, at__lte=now - timedelta(days=rule.notice_days))))
        else:
            old = old.exclude(Exists(told_since))
        ids = list(old.order_by("pk").values_list("pk", flat=True))
        last = activity.last_deals(ids)
        found += [pk for pk in ids if pk not in last or last[pk] < since]
    return found[:_AT_ONCE]


def _months_before(moment: datetime, months: int) -> datetime:
    """The same day some months ago, or the last day of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


@transaction.atomic
def _end_restriction(restriction_id: int) -> None:
    row = Restriction.objects.get(pk=restriction_id)
    row.client = locked_client(row.client_id)
    restrictions.end(actor=JOB, row=row, reason=Reason.EXPIRED)


@transaction.atomic
def _remind(restriction_id: int) -> None:
    row = Restriction.objects.select_related("client").get(pk=restriction_id)
    row.reminded_at = clock.now()
    row.save(update_fields=["reminded_at"])
    audit.record(actor=JOB, action="client.review_overdue", target=row.client, data={"restriction": row.pk})


@transaction.atomic
def _notice(client_id: int) -> None:
    client = locked_client(client_id)
    now = clock.now()
    notice = Notice.objects.create(client=client, kind=Notice.Kind.DORMANCY, at=now)
    if client.email:
        outbox.enqueue(
            kind=mail.KIND,
            key=f"client-notice:{notice.pk}",
            payload={
                "client_id": client.pk,
                "subject": "Your account has not been used for a long time",
                "body": "Your account will become dormant soon. To keep it as it is, trade again or write to us.",
            },
        )
    audit.record(actor=JOB, action="client.notice_sent", target=client, data={"kind": notice.kind})


@transaction.atomic
def _make_dormant(client_id: int) -> None:
    client = locked_client(client_id)
    positions = activity.logins_with_positions(client_id)
    if positions:
        raise NotReady(f"Login {positions[0]} has open positions.")
    steps.take_step(actor=JOB, client=client, to=ClientStatus.DORMANT, reason=Reason.INACTIVITY)


def _stop_deposits(client_id: int) -> None:
    restrictions.restrict(
        actor=JOB, client_id=client_id, kind=RestrictionKind.NO_DEPOSIT, reason=Reason.DOCUMENT_EXPIRED
    )


@transaction.atomic
def _note_deadline(flag_id: int, *, kind: str, deadline: date | None) -> None:
    flag = Flag.objects.select_related("client").get(pk=flag_id)
    assert deadline is not None
    flags.note_step(actor=JOB, flag=flag, kind=kind, on=deadline)


def _each(ids: Iterable[int], work: Callable[[int], object]) -> int:
    """Do one after the other; a refusal is logged by the number of the row and tried again next time."""
    done = 0
    for pk in ids:
        try:
            work(pk)
        except DomainError:
            log.info("a timer left row %s for later", pk)
        else:
            done += 1
    return done
