"""The second factor: enrolling it, giving its code, the ten recovery codes, taking it away.

A wrong code must leave its count behind, so these functions commit first and refuse afterwards.
"""

from __future__ import annotations

import math
import secrets
from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import User
from backoffice.signin.models import Authenticator, End, RecoveryCode, Session
from backoffice.signin.services import sessions

CODES = 10
# Without 0, 1, i, l, o: nobody has to guess what was printed. Twelve of 31 letters are 59 bits.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_ENROL_WITHIN = timedelta(minutes=15)
WRONG_CODE = "That code is not right. Wait for the next one, type it without blanks, and check the clock of your phone."
NOT_YOURS = "That is not your password. Check it and try again."


class WrongCode(DomainError):
    """A code or password that does not fit; the attempt was counted."""


def begin(*, actor: Person, session_id: int, password: str) -> Authenticator:
    """Start to enrol an authenticator. Needs the password again, and a fresh code where there is one already."""
    with transaction.atomic(durable=True):
        session = sessions.locked(session_id, actor.user_id)
        if Authenticator.objects.filter(user_id=actor.user_id, confirmed=True).exists():
            sessions.require_fresh(session)
        refusal = reauthenticated(actor=actor, session=session, password=password)
        if not refusal:
            Authenticator.objects.filter(user_id=actor.user_id, confirmed=False).delete()
            device: Authenticator = Authenticator.make(actor.user_id, confirmed=False)
            return device
    raise WrongCode(refusal)


def begun(*, actor: Person, device_id: int) -> Authenticator:
    """The authenticator being enrolled, for its picture."""
    since = clock.now() - _ENROL_WITHIN
    found = Authenticator.objects.filter(pk=device_id, user_id=actor.user_id, confirmed=False)
    device: Authenticator | None = found.first()
    if device is None or device.created_at is None or device.created_at < since:
        raise NotFound("This enrolment has expired. Start it again.")
    return device


def confirm(*, actor: Person, session_id: int, device_id: int, code: str) -> list[str]:
    """The first code proves that the phone has the secret. Replaces an older authenticator, ends all other
    sessions, and returns new recovery codes, which are never seen again."""
    with transaction.atomic(durable=True):
        session = sessions.locked(session_id, actor.user_id)
        begun(actor=actor, device_id=device_id)
        if Authenticator.objects.filter(user_id=actor.user_id, confirmed=True).exists():
            sessions.require_fresh(session)
        device = Authenticator.objects.select_for_update().get(pk=device_id)
        refusal = _verify(actor, session, device, code)
        if not refusal:
            Authenticator.objects.filter(user_id=actor.user_id).exclude(pk=device.pk).delete()
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            audit.record(actor=actor, action="signin.factor_enrolled", target=sessions.lock_person(actor.user_id))
            sessions.end_sessions(actor=actor, user_id=actor.user_id, end=End.FACTOR, keep=session.pk)
            return _new_codes(actor)
    raise WrongCode(refusal)


def give(*, actor: Person, session_id: int, code: str) -> None:
    """The code of the authenticator: completes a sign-in, or makes a session fresh again. A code counts once."""
    with transaction.atomic(durable=True):
        session = sessions.locked(session_id, actor.user_id)
        device = _device(actor.user_id)
        refusal = _verify(actor, session, device, code)
    if refusal:
        raise WrongCode(refusal)


def recover(*, actor: Person, session_id: int, code: str) -> int:
    """A recovery code instead, at sign-in only: it opens the pages but never counts as a fresh factor.
    Returns how many are left."""
    with transaction.atomic(durable=True):
        session = sessions.locked(session_id, actor.user_id)
        device = _device(actor.user_id)
        refusal = _pause(device)
        found = None if refusal else _matching(actor.user_id, code)
        if found is not None:
            found.gone_at, found.used = clock.now(), True
            found.save(update_fields=["gone_at", "used"])
            session.verified_at = clock.now()
            session.save(update_fields=["verified_at"])
            left = RecoveryCode.objects.filter(user_id=actor.user_id, gone_at__isnull=True).count()
            audit.record(actor=actor, action="signin.recovered", target=session, data={"codes_left": left})
            return left
        if not refusal:
            device.count_wrong()
            refusal = sessions.failed(actor=actor, session=session, what="recovery") or (
                "That recovery code is not right, or was used before. Try another one of your list."
            )
    raise WrongCode(refusal)


@transaction.atomic
def renew_codes(*, actor: Person, session_id: int) -> list[str]:
    """A new set of recovery codes; the old ones end. Needs a fresh code of the authenticator."""
    sessions.require_fresh(sessions.locked(session_id, actor.user_id))
    _device(actor.user_id)
    return _new_codes(actor)


@transaction.atomic
def remove(*, actor: Actor, user_id: int) -> User:
    """Take away somebody's second factor because the phone and the codes are lost (behind approval). All their
    sessions end; where a role needs the factor, the next sign-in leads to enrolling a new one."""
    user = sessions.lock_person(user_id)
    gone, _ = Authenticator.objects.filter(user_id=user_id).delete()
    if not gone:
        raise DomainError(f"{user} has no second factor. There is nothing to remove.")
    _drop_codes(user_id)
    sessions.end_sessions(actor=actor, user_id=user_id, end=End.FACTOR)
    audit.record(actor=actor, action="signin.factor_removed", target=user)
    return user


@transaction.atomic
def install(*, actor: Actor, user_id: int, secret: bytes) -> Authenticator:
    """Give somebody an authenticator with a known secret; for the demo, whose people have no phones."""
    device = Authenticator.make(user_id, confirmed=True, secret=secret)
    audit.record(actor=actor, action="signin.factor_enrolled", target=device.user)
    return device


def reauthenticated(*, actor: Person, session: Session, password: str) -> str:
    """Empty when the password is the person's own, else the refusal; the attempt is counted."""
    if sessions.lock_person(actor.user_id).check_password(password):
        return ""
    return sessions.failed(actor=actor, session=session, what="password") or NOT_YOURS


def _verify(actor: Person, session: Session, device: Authenticator, code: str) -> str:
    """Empty when the code is right, else the refusal."""
    if pause := _pause(device):
        return pause
    if not device.takes(code):
        return sessions.failed(actor=actor, session=session, what="code") or WRONG_CODE
    now, first = clock.now(), session.verified_at is None
    session.verified_at, session.stepped_at, session.failures = session.verified_at or now, now, 0
    session.save(update_fields=["verified_at", "stepped_at", "failures"])
    audit.record(actor=actor, action="signin.verified" if first else "signin.stepped_up", target=session)
    return ""


def _pause(device: Authenticator) -> str:
    """The refusal while the pause after wrong codes lasts, else empty."""
    until = device.paused_until()
    if until is None:
        return ""
    seconds = max(1, math.ceil((until - clock.now()).total_seconds()))
    return f"After wrong codes there is a pause. Wait {seconds} second{'s' if seconds > 1 else ''} and try again."


def _device(user_id: int) -> Authenticator:
    found = Authenticator.objects.select_for_update().filter(user_id=user_id, confirmed=True)
    device: Authenticator | None = found.first()
    if device is None:
        raise NotFound("You have no second factor yet. Enrol one first.")
    return device


def _new_codes(actor: Person) -> list[str]:
    _drop_codes(actor.user_id)
    now = clock.now()
    codes = [f"{number}-{'-'.join(_letters(4) for _ in range(3))}" for number in range(CODES)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user_id=actor.user_id, number=number, hash=make_password(code), made_at=now)
        for number, code in enumerate(codes)
    )
    audit.record(actor=actor, action="signin.recovery_codes_made", target=sessions.lock_person(actor.user_id))
    return codes


def _drop_codes(user_id: int) -> None:
    RecoveryCode.objects.filter(user_id=user_id, gone_at__isnull=True).update(gone_at=clock.now())


def _matching(user_id: int, code: str) -> RecoveryCode | None:
    """The code's first digit says which of the ten hashes to compute, so that one is enough."""
    typed = "".join(code.lower().split())
    if not typed[:1].isdecimal() or not typed.isascii():
        return None
    rows = RecoveryCode.objects.select_for_update().filter(user_id=user_id, gone_at__isnull=True)
    row = rows.filter(number=int(typed[0])).first()
    return row if row is not None and check_password(typed, row.hash) else None


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))
