"""Passwords: changed by the person, or set through a one-time link that an administrator has sent. Nobody but
the person ever sees one."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from axes.models import AccessAttempt
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person, System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import User
from backoffice.outbox import services as outbox
from backoffice.signin import sealing
from backoffice.signin.models import End, PasswordLink
from backoffice.signin.services import factors, sessions

LINK_FOR = timedelta(minutes=60)
LINK_KIND = "signin.password_link"


class BadPassword(DomainError):
    """The new password breaks a rule; the message says which."""


def change(*, actor: Person, session_id: int, old: str, new: str) -> User:
    """Change one's own password. All other sessions end; this one goes on."""
    with transaction.atomic(durable=True):
        session = sessions.locked(session_id, actor.user_id)
        user = sessions.lock_person(actor.user_id)
        refusal = factors.reauthenticated(actor=actor, session=session, password=old)
        if not refusal:
            if old == new:
                raise BadPassword("The new password is the old one. Choose another.")
            _set(user, new)
            sessions.end_sessions(actor=actor, user_id=user.pk, end=End.PASSWORD, keep=session.pk)
            audit.record(actor=actor, action="signin.password_changed", target=user)
            return user
    raise factors.WrongCode(refusal)


@transaction.atomic
def send_link(*, actor: Actor, user_id: int) -> PasswordLink:
    """Mail somebody a link to set a password, good once and for an hour. Earlier links end, and so does a
    lock-out after wrong passwords."""
    user = sessions.lock_person(user_id)
    if not user.is_active:
        raise DomainError(f"{user} is not active. Make the account active first.")
    if not user.email:
        raise DomainError(f"{user} has no mail address. Enter one first.")
    now = clock.now()
    PasswordLink.objects.filter(user=user, gone_at__isnull=True).update(gone_at=now)
    token = secrets.token_urlsafe(32)
    link = PasswordLink.objects.create(user=user, digest=_digest(token), made_at=now, expires_at=now + LINK_FOR)
    unlock(user.username)
    outbox.enqueue(
        kind=LINK_KIND,
        key=f"{LINK_KIND}:{link.pk}",
        payload={"to": user.email, "token": sealing.seal(token.encode())},
    )
    audit.record(actor=actor, action="signin.link_sent", target=user, data={"expires_at": link.expires_at})
    return link


def link_of(token: str) -> PasswordLink:
    """The link behind a token, if it can still be used. The same answer for every reason that it cannot."""
    link = PasswordLink.objects.select_related("user").filter(digest=_digest(token), gone_at__isnull=True).first()
    if link is None or link.expires_at <= clock.now() or not link.user.is_active:
        raise NotFound("This link was used or has expired. Ask a system administrator for a new one.")
    return link


def use_link(*, actor: System, token: str, new: str) -> User:
    """Set a password through a link. The second factor stays as it is, and all sessions end."""
    with transaction.atomic(durable=True):
        link = link_of(token)
        user = sessions.lock_person(link.user_id)
        link = PasswordLink.objects.select_for_update().get(pk=link.pk)
        if link.gone_at is not None:
            raise NotFound("This link was used. Sign in with the password that was set.")
        _set(user, new)
        link.gone_at = clock.now()
        link.save(update_fields=["gone_at"])
        sessions.end_sessions(actor=actor, user_id=user.pk, end=End.PASSWORD)
        audit.record(actor=actor, action="signin.link_used", target=user)
        return user


def unlock(username: str) -> None:
    """Forget the wrong passwords given for an account."""
    AccessAttempt.objects.filter(username=username).delete()


def _set(user: User, new: str) -> None:
    try:
        password_validation.validate_password(new, user)
    except ValidationError as error:
        raise BadPassword(" ".join(error.messages)) from error
    user.set_password(new)
    user.save(update_fields=["password"])


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
