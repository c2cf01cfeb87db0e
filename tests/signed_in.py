"""Signing in for tests: `client.force_login(user)` gives a session with its second factor, as the pages would."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django_otp.oath import TOTP

from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.signin.middleware import SESSION
from backoffice.signin.models import Authenticator, Session

SECRET = b"a secret of tests 20"
_plain = Client.force_login


def install() -> None:
    """From now on force_login means: the password and the second factor were given."""

    def force_login(self: Client, user: Any, backend: str | None = None) -> None:
        password_only(self, user)
        now = clock.now()
        Session.objects.filter(pk=self.session[SESSION]).update(verified_at=now, stepped_at=now)

    Client.force_login = force_login  # type: ignore[method-assign]


def password_only(client: Client, user: User) -> Session:
    """A session for which only the password was given."""
    _plain(client, user)
    return Session.objects.get(pk=client.session[SESSION])


def session_of(client: Client) -> Session:
    return Session.objects.get(pk=client.session[SESSION])


def enrolled(user: User, secret: bytes = SECRET) -> Authenticator:
    """An authenticator of which the test knows the secret."""
    return Authenticator.make(user.pk, confirmed=True, secret=secret)


def code(secret: bytes = SECRET, steps: int = 0) -> str:
    """The code of now, or of some half minutes from now."""
    made = TOTP(secret)
    made.drift = steps
    return f"{made.token():06d}"


def forget_codes(user: User) -> None:
    """The code of this half minute may be used once more: tests are faster than people."""
    Authenticator.objects.filter(user=user).update(
        last_t=-1, throttling_failure_count=0, throttling_failure_timestamp=None
    )
