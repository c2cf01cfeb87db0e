"""What we want a trade server to hold for each login; the server's own word is integrations' ServerUser."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.trading import TradingAccount


class DesiredState(models.Model):
    """Rights, group and leverage that one login should have. `original_*` is what close-only put aside and lifting
    brings back; an empty group and a leverage of 0 mean that nothing was put aside.

    The server has confirmed the state of `command_key` at `confirmed_at`; until then it is "pending at server".
    """

    account = models.OneToOneField(TradingAccount, on_delete=models.PROTECT, related_name="desired")
    enabled = models.BooleanField(default=True, help_text="may log in")
    trading = models.BooleanField(default=True, help_text="may trade")
    group = models.CharField(max_length=64, blank=True)
    leverage = models.PositiveIntegerField(default=0, help_text="30 means 1:30; 0 leaves the server's own")
    original_group = models.CharField(max_length=64, blank=True, default="")
    original_leverage = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    command_key = models.CharField(max_length=120, blank=True, default="")
    confirmed_at = models.DateTimeField(null=True)
    history = HistoricalRecords()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["changed_at"], name="desiredstate_pending", condition=models.Q(confirmed_at=None)),
        ]

    def __str__(self) -> str:
        return f"desired state of account {self.account_id}"

    @property
    def is_pending(self) -> bool:
        """A command is on its way and the server has not confirmed it."""
        return self.confirmed_at is None and self.command_key != ""
