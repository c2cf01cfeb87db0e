"""What a source said of a fact, as lines for people: what matters first, nothing that is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from accounts.models import TradingAccount
from backoffice.kernel.money import Money
from backoffice.ui import components
from backoffice.ui.markup import tag
from integrations.models import BankLine, Deal, Fill, PspLine

Lines = list[tuple[str, Any]]


def said(row: Deal | Fill | PspLine | BankLine) -> Lines:
    """Labels with their values, typed or already markup."""
    lines = {Deal: _deal, Fill: _fill, PspLine: _psp, BankLine: _bank}[type(row)](row)  # type: ignore[operator]
    return [(label, value) for label, value in lines if value not in (None, "")]


def currencies_of(deals: Any) -> Mapping[tuple[int, int], str]:
    """The currency of each deal's account, by server and login: a deal does not carry it."""
    logins = {deal.login for deal in deals}
    servers = {deal.connection_id for deal in deals}
    found = TradingAccount.objects.filter(connection_id__in=servers, login__in=logins)
    return {(server, login): code for server, login, code in found.values_list("connection_id", "login", "currency_id")}


def _deal(row: Deal) -> Lines:
    account = TradingAccount.objects.filter(connection_id=row.connection_id, login=row.login).first()
    currency = account.currency_id if account else ""
    login = tag("a", row.login, href=reverse("trading-account", args=[account.pk])) if account else row.login
    trades = bool(row.symbol)
    return [
        ("Login", login),
        ("Kind", f"{row.kind} {row.entry}".strip()),
        ("Side", row.side),
        ("Symbol", row.symbol),
        ("Lots", components.lots(row.volume_lots) if trades else None),
        ("Units per lot", row.contract_size or None),
        ("Price", components.price(row.price) if trades else None),
        ("Profit" if trades else "Amount", Money(row.profit, currency)),
        ("Swap", Money(row.swap, currency) if row.swap else None),
        ("Commission", Money(row.commission, currency) if row.commission else None),
        ("Fee", Money(row.fee, currency) if row.fee else None),
        ("Business day", row.business_date),
        ("Dealt", row.dealt_at),
        ("Server's clock", components.wall_time(row.server_time)),
        ("Position", row.position_id or None),
        ("Order", row.order_id or None),
        ("Order at the LP", row.external_id),
        ("Gateway", row.gateway),
        ("Reason", row.reason),
        ("Comment", row.comment),
        ("Changed by hand", components.pill("yes", "warn") if row.modify_flags else None),
        ("Deleted", components.pill("deleted at the source", "bad") if row.deleted else None),
    ]


def _fill(row: Fill) -> Lines:
    return [
        ("Execution", f"{row.exec_id} ({row.occurrence})" if row.occurrence > 1 else row.exec_id),
        ("Order", row.order_ref),
        ("Side", row.side),
        ("Symbol", row.symbol),
        ("Units", row.quantity_units),
        ("Price", components.price(row.price)),
        ("Commission", Money(row.commission, row.commission_currency) if row.commission else None),
        ("Account", row.account),
        ("Traded", row.traded_at),
        ("Trade date", row.trade_date),
    ]


def _psp(row: PspLine) -> Lines:
    converted = row.currency_original and (row.gross_original, row.currency_original) != (row.gross, row.currency)
    return [
        ("Type", row.provider_type),
        ("Our reference", row.merchant_reference),
        ("PSP reference", row.psp_reference),
        ("Modification", row.modification_reference),
        ("Gross", Money(row.gross, row.currency)),
        ("Fee", Money(row.fee, row.currency)),
        ("Net", Money(row.net, row.currency)),
        ("Paid by client", Money(row.gross_original, row.currency_original) if converted else None),
        ("Exchange rate", row.exchange_rate if converted else None),
        ("Method", row.method),
        ("Payout", row.payout_key),
        ("At the bank", row.bank_reference),
        ("Booked", row.booked_at),
        ("Zone of the file", row.booked_zone),
        ("Business day", row.business_date),
    ]


def _bank(row: BankLine) -> Lines:
    own: Mapping[str, Any] = row.details if isinstance(row.details, dict) else {}
    return [
        ("Amount", Money(row.amount, row.currency)),
        ("Counterparty", row.counterparty),
        ("Their account", row.counterparty_account),
        ("Remittance", row.remittance),
        ("End-to-end id", row.end_to_end_id),
        ("Bank reference", row.bank_reference),
        ("Booked", row.booking_date),
        ("Value date", row.value_date),
        ("Our account", row.account),
        ("Statement", row.statement_id),
        ("Bank's code", row.bank_code),
        ("Reversal", components.pill("reversal", "warn") if row.is_reversal else None),
        *((str(name).replace("_", " ").capitalize(), str(value)) for name, value in own.items()),
    ]
