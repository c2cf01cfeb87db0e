"""From account names in a plan to accounts in the books, for one batch of facts of one connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from accounts.models import TradingAccount, UnbookedReason
from accounts.services.booking.facts import BANK, DEAL, Bookable, Row
from accounts.services.booking.plan import CLIENT_BALANCE, CLIENT_CREDIT, MONEY, CannotBook, Plan
from backoffice.kernel.actor import Actor
from backoffice.kernel.money import fits
from backoffice.organisation.selectors import currencies
from integrations.models import Connection, SymbolMapping
from ledger.models import Kind, LedgerAccount
from ledger.services import chart
from ledger.services.chart import HOUSE
from ledger.services.journal import Entry


class Books:
    """What a batch needs to know, read once: accounts of its logins, symbols, house accounts, currencies."""

    def __init__(self, actor: Actor, connection: Connection, bookable: Bookable, rows: Sequence[Row]) -> None:
        self._actor = actor
        self._connection = connection
        self._bookable = bookable
        self._exponents = currencies.exponents()
        self._house = {
            (code, currency): pk
            for pk, code, currency in LedgerAccount.objects.filter(
                entity_id=connection.entity_id, code__in=HOUSE
            ).values_list("pk", "code", "currency_id")
        }
        self._money: dict[tuple[str, str], int] = {}
        self._logins: dict[int, dict[str, Any]] = {}
        self._symbols: set[str] = set()
        if bookable is DEAL:
            self._read_logins({row["login"] for row in rows})
            self._symbols = set(
                SymbolMapping.objects.filter(
                    connection=connection, symbol__in={row["symbol"] for row in rows}
                ).values_list("symbol", flat=True)
            )

    def entries(self, row: Row, plan: Plan) -> list[Entry]:
        """The lines of a plan. Raises CannotBook when something it names is not known to us."""
        if row.get("deleted"):
            return []
        currency = self._check(row, plan)
        entries = []
        for name, amount in plan.lines.items():
            if not fits(amount, self._exponents[currency]):
                raise CannotBook(UnbookedReason.BAD_AMOUNT, f"{amount} {currency}: too many decimal places")
            entries.append(Entry(self._account(row, name, currency), amount))
        return entries

    def _check(self, row: Row, plan: Plan) -> str:
        """The currency the fact is booked in. Logins and symbols are checked even where no money moves."""
        if self._bookable is DEAL:
            login = self._logins.get(row["login"])
            if login is None:
                raise CannotBook(UnbookedReason.UNKNOWN_LOGIN, f"login {row['login']} is nobody's account")
            if row["kind"] == "TRADE" and row["symbol"] not in self._symbols:
                raise CannotBook(UnbookedReason.UNKNOWN_SYMBOL, f"symbol {row['symbol']!r} stands for nothing we know")
            return str(login["currency_id"])
        currency = self._bookable.currency(row)
        if plan.lines and (currency not in self._exponents or ("clearing.client_money", currency) not in self._house):
            raise CannotBook(UnbookedReason.UNKNOWN_CURRENCY, f"{currency!r} is not a currency this entity works in")
        return currency

    def _account(self, row: Row, name: str, currency: str) -> int:
        if name == CLIENT_BALANCE:
            return int(self._logins[row["login"]]["balance_account_id"])
        if name == CLIENT_CREDIT:
            return int(self._logins[row["login"]]["credit_account_id"])
        if name == MONEY:
            return self._money_account(row, currency)
        return self._house[name, currency]

    def _money_account(self, row: Row, currency: str) -> int:
        """The broker's own account at this PSP or bank, opened at its first line."""
        where = row["account"] if self._bookable is BANK else self._connection.name
        if (where, currency) not in self._money:
            kind = "bank" if self._bookable is BANK else "psp"
            self._money[where, currency] = chart.open_account(
                actor=self._actor,
                entity_id=self._connection.entity_id,
                code=f"{kind}.{where}",
                currency=currency,
                name=f"{'Bank account' if kind == 'bank' else 'Balance at'} {where}",
                kind=Kind.ASSET,
                striped=True,
            ).pk
        return self._money[where, currency]

    def _read_logins(self, logins: Iterable[int]) -> None:
        rows = TradingAccount.objects.filter(connection=self._connection, login__in=list(logins))
        for row in rows.values("login", "currency_id", "balance_account_id", "credit_account_id"):
            self._logins[row["login"]] = dict(row)
