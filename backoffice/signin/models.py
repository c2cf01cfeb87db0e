"""Sign-in: sessions, second factors, recovery codes, password links, and the rules about them per role."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django_otp.plugins.otp_totp.models import TOTPDevice

from backoffice.kernel.tables import Access
from backoffice.signin import sealing

LOOK_MOST = timedelta(minutes=30)


class End(models.TextChoices):
    SIGNED_OUT = "SIGNED_OUT", "signed out"
    IDLE = "IDLE", "no activity for too long"
    AGE = "AGE", "reached its greatest age"
    BY_PERSON = "BY_PERSON", "ended by the person"
    BY_ADMIN = "BY_ADMIN", "ended by an administrator"
    PASSWORD = "PASSWORD", "password changed"
    FACTOR = "FACTOR", "second factor changed"
    ROLES = "ROLES", "roles changed"
    ADDRESS = "ADDRESS", "address not allowed"
    GUESSING = "GUESSING", "too many wrong codes or passwords"


class Session(models.Model):
    """One browser in which a person signed in. What this row says is asked on every request; the cookie's own
    row only leads here.

    `verified_at` opens the pages: the second factor was given, or a recovery code. `stepped_at` is the last code
    of the authenticator itself, which is what approvals want to be fresh. `failures` are wrong codes and
    passwords given inside the session.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    verified_at = models.DateTimeField(null=True)
    stepped_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    ip = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=10, choices=End.choices, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user", "id"], name="session_open", condition=models.Q(ended_at__isnull=True)),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, end="")
                | models.Q(ended_at__isnull=False) & ~models.Q(end=""),
                name="session_end_has_a_reason",
            ),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("send_link", "Can send somebody a link to set a new password"),
            ("end_sessions", "Can end the sessions of other people"),
            ("ask_rule", "Can ask for changes of second factors and of allowed networks"),
            ("approve_rule", "Can approve changes of second factors and of allowed networks"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} since {self.started_at:%Y-%m-%d %H:%M}"


class LookEnd(models.TextChoices):
    BY_PERSON = "BY_PERSON", "ended by the person"
    TIME = "TIME", "its time was over"
    SESSION = "SESSION", "the session ended"
    RIGHTS = "RIGHTS", "somebody's rights changed"


class Impersonation(models.Model):
    """A system administrator looks at the pages as somebody else would see them, for at most half an hour, and changes
    nothing. It hangs on the row of a session, so no cookie says anything about it.

    What began it never changes, and PostgreSQL ends it with its session (sql/looking.sql).
    """

    access = Access.EDIT

    session = models.ForeignKey(Session, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    started_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=10, choices=LookEnd.choices, blank=True)

    class Meta:
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("impersonate", "Can look at the pages as another person, read-only"),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["session"], condition=models.Q(ended_at__isnull=True), name="impersonation_once_per_session"
            ),
            models.CheckConstraint(
                condition=~models.Q(by=models.F("user")) & ~models.Q(reason=""), name="impersonation_of_another"
            ),
            models.CheckConstraint(
                condition=models.Q(until__gt=models.F("started_at"))
                & models.Q(until__lte=models.F("started_at") + LOOK_MOST),
                name="impersonation_is_short",
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True, end="")
                | models.Q(ended_at__isnull=False) & ~models.Q(end=""),
                name="impersonation_end_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.by_id} as {self.user_id} since {self.started_at:%Y-%m-%d %H:%M}"


class Authenticator(TOTPDevice):
    """A person's TOTP device (RFC 6238, 30 seconds, 6 digits, SHA-1) whose secret is encrypted in the database."""

    access = Access.ALL

    class Meta:
        proxy = True

    @property
    def bin_key(self) -> bytes:
        """The secret itself."""
        return sealing.unseal(self.key)

    def paused_until(self) -> datetime | None:
        """The end of the pause after wrong codes, which doubles with each; None: there is none."""
        allowed, why = self.verify_is_allowed()  # type: ignore[no-untyped-call]
        return None if allowed else (why or {}).get("locked_until")

    def takes(self, code: str) -> bool:
        """Whether this is a code of now (or half a minute off) that was not used before; a wrong one is counted.
        The row has to be locked, or a code would count twice."""
        digits = "".join(code.split())
        right = len(digits) == self.digits and digits.isascii() and digits.isdecimal()
        return bool(self.verify_token(digits if right else ""))  # type: ignore[no-untyped-call]

    def count_wrong(self) -> None:
        """A wrong recovery code lengthens the same pause."""
        self.throttle_increment()  # type: ignore[no-untyped-call]

    @classmethod
    def make(cls, user_id: int, *, confirmed: bool, secret: bytes | None = None) -> Authenticator:
        """A new device with a secret of 160 bits, as RFC 4226 wants, unless one is given."""
        device = cls(user_id=user_id, name="authenticator", confirmed=confirmed)
        device.key = sealing.seal(secret or secrets.token_bytes(20))
        device.save()
        return device


class RecoveryCode(models.Model):
    """One of ten codes for the day the phone is lost: hashed like a password, good once. Codes of an older set
    are dropped."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField()
    hash = models.CharField(max_length=128)
    made_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)
    used = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "number"], condition=models.Q(gone_at__isnull=True), name="recovery_code_number_once"
            ),
            models.CheckConstraint(
                condition=models.Q(used=False) | models.Q(gone_at__isnull=False), name="recovery_code_used_is_gone"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} #{self.number}"


class PasswordLink(models.Model):
    """A one-time link to set a password. The database has the SHA-256 of its 256 random bits, not the link."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["user"], name="link_open", condition=models.Q(gone_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} until {self.expires_at:%Y-%m-%d %H:%M}"


class RoleRule(models.Model):
    """Whether a role (a group, by its code) needs the second factor. A role without a row needs it."""

    role = models.CharField(max_length=150, unique=True)
    factor_required = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["role"]

    def __str__(self) -> str:
        return f"{self.role}: {'second factor' if self.factor_required else 'password only'}"


class AllowedNetwork(models.Model):
    """From where a role may work. A role without rows may from everywhere; somebody with several such roles
    needs an address that each of them allows. A network that is taken back keeps its row."""

    role = models.CharField(max_length=150)
    network = models.CharField(max_length=43, help_text="CIDR, such as 192.0.2.0/24 or 2001:db8::/32")
    note = models.CharField(max_length=120, blank=True)
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["role", "network"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["role", "network"], condition=models.Q(removed_at__isnull=True), name="network_once_per_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} from {self.network}"
