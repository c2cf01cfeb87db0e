"""The evidence pack of a chargeback case: what we hold about the payment and the client, for the provider to judge.

Made when it is asked for, as of a moment. It leaves the house: nothing is in it that the client must not learn, no
flag, no risk, no confidential note, nothing of compliance but that and when identity was checked. What the provider
said about authentication is read from its own messages, by a list of field names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef

from accounts.models import Client, KycResult, Note, TradingAccount
from accounts.selectors.kept import reveal
from accounts.selectors.said import currencies_of
from backoffice.kernel.money import Money
from backoffice.ui.columns import Column, Kind
from backoffice.ui.tables import Table
from integrations.models import Deal, Superseded, Verdict, Webhook
from payments.models import CaseEvent, CaseState, ChargebackCase, MoneyRequest, RequestEvent, RequestKind
from payments.selectors.cases import lines_about
from reporting.records import Parameters, Report, Section
from reporting.selectors.code_version import code_version

NAME, VERSION, TITLE = "evidence_pack", 2, "Chargeback evidence"
# Of each kind not more than so many of the newest.
MOST = 500
_TRADES = "Trades of the client's logins after the payment: what the money was used for."
_NOTES = "Read them before the pack leaves the house: they were written for inside."
_AUTH = "As the provider said it in its messages about this payment."


def build(case: ChargebackCase, parameters: Parameters) -> Report:
    """Everything known about a case with a client at the report's cut-off."""
    assert case.client is not None, "without a client there is nothing to show"
    client, cutoff = case.client, parameters.cutoff_at
    since = case.paid_at or (case.deposit.asked_at if case.deposit else case.opened_at)
    return Report(
        name=NAME,
        version=VERSION,
        title=f"{TITLE} {case}",
        parameters=parameters,
        code_version=code_version(),
        facts=tuple(_facts(case, client)),
        sections=(
            Section("case", "The dispute, step by step", "", EventTable(), _events(case, cutoff)),
            Section("payment", "The payment in the provider's reports", "", LineTable(), tuple(lines_about(case))),
            Section("auth", "Authentication of the payment", _AUTH, PairTable(), tuple(_authentication(case, cutoff))),
            Section("credit", "The deposit and its credit", "", StepTable(), _steps(case, cutoff)),
            Section("identity", "Identity checks", "", KycTable(), _kyc(client, cutoff)),
            Section("trades", "Trading after the payment", _TRADES, TradeTable(), _trades(client, since, cutoff)),
            Section("other", "Deposits and withdrawals of the client", "", MoneyTable(), _money(client, cutoff)),
            Section("notes", "Correspondence", _NOTES, NoteTable(), _notes(client, since, cutoff)),
        ),
    )


def _facts(case: ChargebackCase, client: Client) -> Iterator[tuple[str, Any]]:
    yield "Dispute", case.dispute_reference or "not named"
    yield "Payment", case.psp_reference or "not named"
    if case.amount is not None:
        yield "Disputed", Money(case.amount, case.currency_id or "")
    yield "Reason", " ".join(part for part in (case.reason_code, case.reason_text) if part) or "not named"
    yield "State", CaseState(case.state).label
    yield "Answer until", case.deadline_at or "not named"
    yield "Client", f"{client.number} {client.name}"
    yield "Country", client.country
    yield "Client since", client.opened_at
    if case.deposit is not None:
        yield "Deposit", f"{case.deposit.reference} of {case.deposit.asked_at:%Y-%m-%d}"


def _events(case: ChargebackCase, cutoff: datetime) -> tuple[CaseEvent, ...]:
    # Words of staff stay in the house.
    return tuple(case.events.filter(seen_at__lte=cutoff).exclude(kind="NOTE").order_by("pk")[:MOST])


def _steps(case: ChargebackCase, cutoff: datetime) -> tuple[RequestEvent, ...]:
    if case.deposit is None:
        return ()
    # What moved it; notes of checks and lines are the house's.
    return tuple(case.deposit.events.filter(at__lte=cutoff).exclude(before=F("after")).order_by("pk")[:MOST])


def _kyc(client: Client, cutoff: datetime) -> tuple[KycResult, ...]:
    return tuple(client.kyc_results.filter(outcome=KycResult.Outcome.CLEAN, at__lte=cutoff).order_by("-pk")[:MOST])


@dataclass(frozen=True, slots=True)
class Trade:
    """A deal with its result in the currency of its login, which the deal does not carry."""

    deal: Deal
    result: Money


def _trades(client: Client, since: datetime, cutoff: datetime) -> tuple[Trade, ...]:
    logins = TradingAccount.objects.filter(client=client).values_list("connection_id", "login")
    found: list[Deal] = []
    for connection_id, login in logins:
        rows = Deal.objects.filter(entity_id=client.entity_id, connection_id=connection_id, login=login, kind="TRADE")
        old = Superseded.objects.filter(fact_kind="deal", fact_id=OuterRef("pk"))
        rows = rows.filter(~Exists(old), dealt_at__gte=since, dealt_at__lte=cutoff, deleted=False)
        found += rows.order_by("-dealt_at", "-pk")[:MOST]
    newest = sorted(found, key=lambda row: (row.dealt_at, row.pk))[-MOST:]
    known = currencies_of(newest)
    return tuple(Trade(row, Money(_result(row), known[row.connection_id, row.login])) for row in newest)


def _money(client: Client, cutoff: datetime) -> tuple[MoneyRequest, ...]:
    kinds = [RequestKind.DEPOSIT, RequestKind.WITHDRAWAL]
    rows = MoneyRequest.objects.filter(client=client, kind__in=kinds, asked_at__lte=cutoff).order_by("-pk")[:MOST]
    return tuple(reversed(rows))


def _notes(client: Client, since: datetime, cutoff: datetime) -> tuple[Note, ...]:
    """Notes of contacts with the client, never confidential ones."""
    around = since - timedelta(days=30)
    rows = client.notes.filter(confidential=False, at__gte=around, at__lte=cutoff).order_by("-pk")[:MOST]
    found = list(reversed(rows))
    reveal(found)
    return tuple(found)


# What providers call the fields that say how a payment was authenticated, in small letters.
_FIELDS = frozenset(
    {
        "threedauthenticated", "threedoffered", "threedauthenticatedresponse", "threedofferedresponse",
        "threedsversion", "liabilityshift", "eci", "cavvalgorithm", "authcode", "auth_code", "authorisationmid",
        "avsresult", "avsresultraw", "cvcresult", "cvcresultraw", "refusalreasonraw", "cardissuingcountry",
        "issuercountry", "shopperip", "shoppercountry", "cardfunction", "fundingsource", "networktxreference",
        "scheme_id", "arn", "acquirer_transaction_id", "response_code", "response_summary", "avs_check", "cvv_check",
        "authenticated", "enrolled", "version", "xid", "address_line1_check", "address_postal_code_check",
        "cvc_check", "network_status", "risk_level", "3ds_status", "tds_status",
    }
)  # fmt: skip


def _authentication(case: ChargebackCase, cutoff: datetime) -> Iterator[tuple[str, str, datetime]]:
    """(field, value, heard at) of the messages about the payment, each pair once."""
    if not case.psp_reference:
        return
    rows = Webhook.objects.filter(
        entity=case.entity_id, psp_reference=case.psp_reference, verdict=Verdict.VERIFIED, received_at__lte=cutoff
    ).order_by("pk")[:MOST]
    seen: set[tuple[str, str]] = set()
    for row in rows:
        for name, value in _leaves(_document(bytes(row.body)), ""):
            if name.lower() in _FIELDS and value and (name, value) not in seen:
                seen.add((name, value))
                yield name, value[:200], row.received_at


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {}


def _leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif value is not None:
        yield name, str(value)


def _amount(row: CaseEvent) -> Money | None:
    return None if row.amount is None else Money(row.amount, row.currency)


def _result(row: Deal) -> Decimal:
    result: Decimal = row.profit + row.swap + row.commission + row.fee
    return result


class EventTable(Table):
    columns = (
        Column("happened_at", "When", Kind.DATETIME),
        Column("get_after_display", "State"),
        Column("said", "Said", width=40),
        Column(_amount, "Amount", Kind.MONEY),
        Column("get_source_display", "Heard by"),
    )
    default_sort = ""
    empty = "Nothing happened yet."


class LineTable(Table):
    columns = (
        Column("booked_at", "Booked", Kind.DATETIME),
        Column("provider_type", "Line"),
        Column("psp_reference", "Payment", Kind.CODE),
        Column("merchant_reference", "Our reference", Kind.CODE),
        Column("gross_original", "Amount", Kind.MONEY, currency="currency_original"),
        Column("method", "Method"),
    )
    default_sort = ""
    empty = "The provider's reports have no line of this payment yet."


class PairTable(Table):
    columns = (
        Column(lambda row: row[0], "Field", Kind.CODE),
        Column(lambda row: row[1], "Value", width=40),
        Column(lambda row: row[2], "Heard", Kind.DATETIME),
    )
    default_sort = ""
    empty = "The provider told nothing about it."


class StepTable(Table):
    columns = (
        Column("at", "When", Kind.DATETIME),
        Column("get_after_display", "State"),
        Column("public", "What the client read", width=40),
    )
    default_sort = ""
    empty = "The deposit is not one that was made here."


class KycTable(Table):
    columns = (
        Column("at", "When", Kind.DATETIME),
        Column("provider", "Checked by"),
        Column("get_outcome_display", "Outcome"),
    )
    default_sort = ""
    empty = "No identity check is kept."


class TradeTable(Table):
    columns = (
        Column("deal.dealt_at", "When", Kind.DATETIME),
        Column("deal.login", "Login", Kind.CODE),
        Column("deal.ticket", "Deal", Kind.CODE),
        Column("deal.symbol", "Symbol"),
        Column("deal.side", "Side"),
        Column("deal.volume_lots", "Lots", Kind.LOTS),
        Column("deal.price", "Price", Kind.PRICE),
        Column("result", "Result", Kind.MONEY),
    )
    default_sort = ""
    empty = "No trade after the payment."


class MoneyTable(Table):
    columns = (
        Column("asked_at", "When", Kind.DATETIME),
        Column("reference", "Reference", Kind.CODE),
        Column("get_kind_display", "Kind"),
        Column("amount", "Amount", Kind.MONEY, currency="currency_id"),
        Column("get_method_display", "Method"),
        Column("get_state_display", "State"),
    )
    default_sort = ""
    empty = "None."


class NoteTable(Table):
    columns = (
        Column("at", "When", Kind.DATETIME),
        Column("text", "Note", width=80, wrap=True),
    )
    default_sort = ""
    empty = "No note about contacts with the client."
