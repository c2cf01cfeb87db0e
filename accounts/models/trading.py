"""Trading accounts: a client's logins on trade servers, each with its accounts in the books."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.models.clients import Client
from backoffice.organisation.models import Currency, LegalEntity
from integrations.models import Connection
from ledger.models import LedgerAccount


class TradingAccount(models.Model):
    """One login. Balance and credit are two accounts in the books: credit is never the client's money."""

    entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="trading_accounts")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT)
    login = models.BigIntegerField()
    currency = models.ForeignKey(Currency, on_delete=models.PROTECT)
    group = models.CharField(max_length=64, blank=True)
    leverage = models.PositiveIntegerField(default=0)
    balance_account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="balance_of")
    credit_account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="credit_of")
    # Promised away and not yet taken at the server; opened at the first reservation.
    reserved_account = models.OneToOneField(
        LedgerAccount, null=True, on_delete=models.PROTECT, related_name="reserved_of"
    )
    # The house's own, or a test: in no report and in no total of client money.
    technical = models.BooleanField(default=False)
    opened_at = models.DateTimeField()
    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar[list[str]] = ["login"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["connection", "login"], name="tradingaccount_login_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["login", "id"], name="tradingaccount_by_login")]

    def __str__(self) -> str:
        return str(self.login)
