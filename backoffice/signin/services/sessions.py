"""Sessions: opened by the password, completed by the second factor, ended by time, by people, by changes."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound, StepUpNeeded
from backoffice.organisation.models import User
from backoffice.signin.models import End, Session
from backoffice.signin.services import looking

# How exact "last seen" is; a row written on every request would cost more than it says.
SEEN_EVERY = timedelta(seconds=30)
# How long a code of the authenticator counts as fresh.
FRESH = timedelta(minutes=5)
# Wrong codes and passwords inside one session before it ends.
FAILURES_MOST = 5


class SessionOver(DomainError):
    """The session ended while the page was open."""


@transaction.atomic
def open_session(*, actor: Person, browser: str) -> Session:
    """The password was right. Pages stay closed until what else is needed has been given."""
    now = clock.now()
    session = Session.objects.create(
        user_id=actor.user_id, started_at=now, last_seen_at=now, ip=actor.ip, browser=browser[:200]
    )
    audit.record(actor=actor, action="signin.opened", target=session, data={"browser": session.browser})
    return session


def seen(session: Session) -> None:
    """The person did something; noted every half minute."""
    now = clock.now()
    if now - session.last_seen_at >= SEEN_EVERY:
        Session.objects.filter(pk=session.pk, ended_at__isnull=True).update(last_seen_at=now)


@transaction.atomic
def end_one(*, actor: Actor, session_id: int, end: End) -> bool:
    """End a session; False when it had ended already."""
    session = Session.objects.select_for_update().get(pk=session_id)
    if session.ended_at is not None:
        return False
    _end(actor, session, end)
    return True


@transaction.atomic
def end_own(*, actor: Person, session_id: int) -> None:
    """End one of one's own sessions, in this browser or another."""
    if not Session.objects.filter(pk=session_id, user_id=actor.user_id).exists():
        raise NotFound("You have no such session.")
    end_one(actor=actor, session_id=session_id, end=End.BY_PERSON)


@transaction.atomic
def end_sessions(*, actor: Actor, user_id: int, end: End = End.BY_ADMIN, keep: int | None = None) -> int:
    """End all sessions of a person, but for `keep`. Returns how many there were."""
    lock_person(user_id)
    rows = Session.objects.select_for_update().filter(user_id=user_id, ended_at__isnull=True).order_by("pk")
    ended = [session for session in rows if session.pk != keep]
    for session in ended:
        _end(actor, session, end)
    return len(ended)


def end_after_change(*, actor: Actor, user_id: int, reason: str) -> int:
    """For rooms that cannot name ours (`organisation.services.sessions`), before they change somebody's roles: the
    database ends sessions at the change by itself, but only this says in the audit log who did it."""
    count = end_sessions(actor=actor, user_id=user_id, end=End.ROLES)
    if count:
        audit.record(actor=actor, action="signin.sessions_ended", target=_name(user_id), data={"reason": reason})
    return count


def lock_person(user_id: int) -> User:
    """The first lock of everything about one person's sign-in: user, session, device, other sessions."""
    return User.objects.select_for_update(no_key=True).get(pk=user_id)


def locked(session_id: int, user_id: int) -> Session:
    """The session, locked and still open."""
    lock_person(user_id)
    session = Session.objects.select_for_update().filter(pk=session_id, user_id=user_id, ended_at__isnull=True).first()
    if session is None:
        raise SessionOver("Your session has ended. Sign in again.")
    return session


def require_fresh(session: Session) -> None:
    """Refuse unless the authenticator gave a code a moment ago."""
    if session.stepped_at is None or clock.now() - session.stepped_at > FRESH:
        raise StepUpNeeded


def failed(*, actor: Person, session: Session, what: str) -> str:
    """Count a wrong code or password; the last one ends the session. Returns the sentence for the person.

    Called inside the transaction that must commit, so it returns instead of raising.
    """
    Session.objects.filter(pk=session.pk).update(failures=F("failures") + 1)
    session.refresh_from_db(fields=["failures"])
    audit.record(actor=actor, action=f"signin.{what}_refused", target=session, data={"failures": session.failures})
    if session.failures < FAILURES_MOST:
        return ""
    _end(actor, session, End.GUESSING)
    return "That was wrong too often, so this session has ended. Sign in again; you need the password for it."


def _end(actor: Actor, session: Session, end: End) -> None:
    looking.end_with(actor=actor, session=session)
    session.ended_at, session.end = clock.now(), end
    session.save(update_fields=["ended_at", "end"])
    audit.record(
        actor=actor, action="signin.session_ended", target=session, data={"why": end.value, "of": session.user_id}
    )


def _name(user_id: int) -> str:
    return f"{User._meta.label_lower}:{user_id}"
