"""Logins of the house's own: tests and technical accounts on a live server. No client's money is on them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from accounts.models.trading import TradingAccount
from backoffice.kernel.tables import Access


class TechnicalMark(models.Model):
    """From when on a login was technical, or was not any more. The newest row is what TradingAccount.technical says;
    the others tell what held when an older report was made."""

    access = Access.APPEND

    account = models.ForeignKey(TradingAccount, on_delete=models.PROTECT, related_name="marks")
    technical = models.BooleanField()
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["account", "-id"], name="technicalmark_newest"),
        ]

    def __str__(self) -> str:
        return f"account {self.account_id} {'technical' if self.technical else 'not technical'} from {self.at}"
