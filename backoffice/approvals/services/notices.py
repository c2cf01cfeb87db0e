"""Telling people that a request waits or was decided: in the application, and by a mail that says nothing but that.

Once per request and person (a constraint). A mail carries a link and no personal data; it is an outbox row, written
with what it tells about.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.urls import reverse

from backoffice.approvals import registry
from backoffice.approvals.models import OPEN, Notice, NoticeKind, Request, State
from backoffice.approvals.selectors import people
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.models import User
from backoffice.outbox import services as outbox

_QUIET = (State.WITHDRAWN,)  # the person who asked did it


def tell(request: Request) -> None:
    """Tell those whose turn it is now, or who asked how it ended. Part of the use case that changed the request."""
    if request.state in OPEN:
        waiting = request.state == State.PENDING
        names = [request.approve_permission, request.second_permission] if waiting else [request.execute_permission]
        _tell(request, _deciders(request, names), NoticeKind.WAITS)
        return
    Notice.objects.filter(request=request, kind=NoticeKind.WAITS, read_at=None).update(read_at=clock.now())
    if request.state not in _QUIET:
        _tell(request, User.objects.filter(pk=request.maker_id, is_active=True), NoticeKind.DECIDED)


def mark_read(*, actor: Person, notice_ids: Iterable[int] | None = None) -> int:
    """Mark one's own notices as read, all of them without `notice_ids`. Returns how many were unread."""
    rows = Notice.objects.filter(person=actor.user_id, read_at=None)
    if notice_ids is not None:
        rows = rows.filter(pk__in=list(notice_ids))
    return rows.update(read_at=clock.now())


def _deciders(request: Request, permissions: list[str]) -> Iterable[User]:
    action = registry.get(request.action)
    excluded = set(action.forbids(registry.load(action.payload, request.payload)))
    taken = set(request.participations.values_list("person_id", flat=True))
    return people.holders(permissions, request.entity).exclude(pk__in=excluded | taken)


def _tell(request: Request, persons: Iterable[User], kind: NoticeKind) -> None:
    known = set(Notice.objects.filter(request=request).values_list("person_id", flat=True))
    told = [person for person in persons if person.pk not in known]
    now = clock.now()
    Notice.objects.bulk_create(Notice(request=request, person=person, kind=kind, at=now) for person in told)
    link = settings.SITE_URL + reverse("request", args=[request.pk])
    says = "waits for you" if kind == NoticeKind.WAITS else "of yours was decided"
    for person in told:
        if person.email:
            mail = {"to": [person.email], "subject": f"A request {says}", "body": f"A request {says}: {link}\n"}
            outbox.enqueue(kind="mail", key=f"approval:{request.pk}:{person.pk}", payload=mail)
