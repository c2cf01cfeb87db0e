"""Logins at trade servers: the newest reading of each, and the commands that ask a server to change one."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from backoffice.kernel.tables import Access
from backoffice.organisation.models import LegalEntity
from backoffice.outbox.models import Message, State
from integrations.models.connections import Connection
from integrations.records import User, UserState


class ServerUser(models.Model):
    """What a trade server last said of a login. One row per login, always the newest reading; no history.

    `rights` are the server's own bits (records.Right), all of them. `read_at` is when we asked, not when it answered:
    an answer that was overtaken by a later question never replaces the later one's.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    login = models.BigIntegerField()
    rights = models.BigIntegerField()
    group = models.CharField(max_length=200, blank=True)
    leverage = models.IntegerField()
    currency = models.CharField(max_length=10, blank=True)
    # Keyed digests: equal for one device or network address, and of no use without the installation's key.
    device = models.CharField(max_length=64, blank=True, db_default="")
    address = models.CharField(max_length=64, blank=True, db_default="")
    read_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["connection_id", "login"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "login"], name="serveruser_once"),
            models.CheckConstraint(
                condition=models.Q(rights__gte=0, leverage__gte=0), name="serveruser_rights_are_bits"
            ),
        ]

    def __str__(self) -> str:
        return f"login {self.login} as read at {self.read_at:%Y-%m-%d %H:%M:%S}"

    @property
    def record(self) -> User:
        return User(
            login=self.login, rights=self.rights, group=self.group, leverage=self.leverage, currency=self.currency
        )

    @property
    def state(self) -> UserState:
        return self.record.state


class ServerMargin(models.Model):
    """What a login's open positions tied up when its server was last asked (records.Margin): equity and margin in the
    login's deposit currency. The newest reading only; nothing is booked from it."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    login = models.BigIntegerField()
    equity = models.DecimalField(max_digits=38, decimal_places=8)
    margin = models.DecimalField(max_digits=38, decimal_places=8)
    leverage = models.IntegerField()
    read_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "login"], name="servermargin_once"),
        ]

    def __str__(self) -> str:
        return f"margin of login {self.login} as read at {self.read_at:%Y-%m-%d %H:%M:%S}"


class ServerGroup(models.Model):
    """What a group of logins trades under, as its server last said it (records.GroupTerms). The newest reading only."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=10, blank=True)
    stop_out = models.DecimalField(max_digits=38, decimal_places=8)
    in_money = models.BooleanField()
    read_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "name"], name="servergroup_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} as read at {self.read_at:%Y-%m-%d %H:%M:%S}"


class ServerCommand(models.Model):
    """A wish for one login, as it was asked for. What became of it is its outbox message's state.

    `wanted` names only what is to be so (records.UserState). Commands of a login are carried out one at a time in the
    order of their ids; one that was not begun gives way to a newer one that names all it named.
    """

    access = Access.APPEND

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    login = models.BigIntegerField()
    wanted = models.JSONField()
    message = models.OneToOneField(Message, on_delete=models.PROTECT, related_name="server_command")
    asked_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["connection", "login", "id"], name="servercommand_of_login"),
            models.Index(fields=["entity", "id"], name="servercommand_newest"),
            models.Index(fields=["login", "id"], name="servercommand_by_login"),
        ]
        permissions: ClassVar[list[tuple[str, Any]]] = [("retry_servercommand", "Can retry a command to a server")]

    def __str__(self) -> str:
        return f"command {self.pk} for login {self.login}"

    @property
    def wish(self) -> UserState:
        return UserState(**self.wanted)

    @property
    def is_superseded(self) -> bool:
        return "superseded_by" in self.message.answer

    @property
    def is_open(self) -> bool:
        """Whether its outcome is still to come."""
        return self.message.state in OPEN


OPEN = (State.QUEUED, State.SENDING, State.UNKNOWN)
