"""The sides of a cash break: server, ledger, PSP and bank, each with what it says of the same money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.models import TradingAccount, Unbooked
from backoffice.kernel.money import Money
from backoffice.ui.components import NOT_SAID, Difference
from integrations.models import BankLine, Deal, PspLine
from ledger.models import Journal, Line
from reconciliation.models import Break
from reconciliation.selectors.side_steps import Sides, Step, raw_steps, written

# Client money that the ledger waits for or has received stands here.
_CLEARING = "clearing.client_money"


def cash_sides(item: Break, refs: Mapping[str, Any]) -> Sides:
    """What each of them has; deposits are positive."""
    psp = list(PspLine.objects.filter(entity_id=item.entity_id, pk__in=refs.get("psp", [])))
    bank = list(BankLine.objects.filter(entity_id=item.entity_id, pk__in=refs.get("bank", [])))
    if item.klass.startswith("PAYOUT"):
        headings, rows = _payout(psp, bank)
        return Sides(headings, rows, _outside_path(item, psp, bank))
    if item.klass == "FEE":
        headings, rows = _fee(item, psp)
        return Sides(headings, rows, _outside_path(item, psp, bank))
    deals = list(Deal.objects.filter(entity_id=item.entity_id, pk__in=refs.get("deals", [])))
    journals = list(Journal.objects.filter(entity_id=item.entity_id, pk__in=refs.get("journals", [])))
    columns = {"Server": _server(deals), "Ledger": _ledger(item, journals)}
    # Money comes through a PSP or straight through a bank: only where neither has it, both are missing.
    if psp or not bank:
        columns["PSP"] = _said((p.gross, p.currency, p.business_date, p.merchant_reference) for p in psp)
    if bank or not psp:
        columns["Bank"] = _said(
            (b.amount, b.currency, b.booking_date, " ".join(filter(None, (b.end_to_end_id, b.remittance))))
            for b in bank
        )
    rows = _rows(list(columns.values()))
    path = _inside_path(item, deals, journals) + _outside_path(item, psp, bank)
    held = Unbooked.objects.filter(pk=refs.get("unbooked", 0)).first()
    if held:
        path.append(Step("Not booked", held.detail, reverse("unbooked")))
    return Sides(tuple(columns), rows, path)


# Amount, currency, day, text.
_Entry = tuple[Decimal, str, date, str]


def _said(entries: Iterable[_Entry]) -> list[Any]:
    """Amount, number of lines, first day and text of what one side has; None where it has nothing."""
    found = list(entries)
    if not found:
        return [None] * 4
    amount = Money(sum((entry[0] for entry in found), Decimal(0)), found[0][1])
    texts = dict.fromkeys(entry[3] for entry in found if entry[3])
    return [amount, len(found), min(entry[2] for entry in found), "; ".join(texts) or NOT_SAID]


def _rows(columns: Sequence[list[Any]]) -> list[Difference]:
    # Each source has a text of its own and its own day of the same payment.
    labels = (("Amount", False), ("Lines", False), ("First day", True), ("Text", True))
    lacking = [None] * 4
    first, second, third, fourth = [*columns, lacking, lacking][:4]
    return [
        Difference(label, first[n], second[n], third[n], fourth[n], usual=usual)
        for n, (label, usual) in enumerate(labels)
    ]


def _server(deals: Sequence[Deal]) -> list[Any]:
    logins = {deal.login for deal in deals}
    found = TradingAccount.objects.filter(login__in=logins, connection_id__in={deal.connection_id for deal in deals})
    currencies = {(a.connection_id, a.login): a.currency_id for a in found} if deals else {}
    return _said(
        (deal.profit, currencies.get((deal.connection_id, deal.login), ""), deal.business_date, deal.comment)
        for deal in deals
    )


def _ledger(item: Break, journals: Sequence[Journal]) -> list[Any]:
    texts = {journal.pk: journal.description for journal in journals}
    days = {journal.business_date for journal in journals}
    lines = Line.objects.filter(
        entity_id=item.entity_id, business_date__in=days, journal_id__in=texts, account__code=_CLEARING
    )
    return _said((line.amount, line.currency, line.business_date, texts[line.journal_id]) for line in lines)


def _payout(psp: Sequence[PspLine], bank: Sequence[BankLine]) -> tuple[Sequence[str], list[Difference]]:
    paid = _said((-p.net, p.currency, p.business_date, p.bank_reference or p.payout_key) for p in psp)
    arrived = _said((b.amount, b.currency, b.booking_date, b.remittance or b.end_to_end_id) for b in bank)
    return ("PSP paid out", "Bank received"), _rows([paid, arrived])


def _fee(item: Break, psp: Sequence[PspLine]) -> tuple[Sequence[str], list[Difference]]:
    """The run stores how far the fee is from the agreed one."""
    rows = []
    for line in psp:
        agreed = Money(line.fee - (item.amount or Decimal(0)), line.currency)
        rows += [
            Difference("Fee", agreed, Money(line.fee, line.currency)),
            Difference("Of gross", NOT_SAID, Money(line.gross, line.currency)),
            Difference("Reference", NOT_SAID, line.merchant_reference or None),
            Difference("Method", NOT_SAID, line.method or None),
        ]
    return ("Agreed", "PSP charged"), rows


def _inside_path(item: Break, deals: Sequence[Deal], journals: Sequence[Journal]) -> list[Step]:
    path: list[Step] = []
    raw = raw_steps(item, (deal.raw_id for deal in deals))
    for deal in deals:
        path.append(Step("Server", f"Balance operation {deal.ticket}", reverse("deal", args=[deal.pk])))
        path += raw.get(deal.raw_id, [])
    path += [Step("Ledger", f"Journal {j.pk}: {j.description}", reverse("journal", args=[j.pk])) for j in journals]
    return path


def _outside_path(item: Break, psp: Sequence[PspLine], bank: Sequence[BankLine]) -> list[Step]:
    path: list[Step] = []
    raw = raw_steps(item, (line.raw_id for line in (*psp, *bank)))
    for line in psp:
        what = f"{line.provider_type}, net {written(line.net, line.currency)}"
        path.append(Step("PSP", what, reverse("psp-line", args=[line.pk])))
        path += raw.get(line.raw_id, [])
    for entry in bank:
        what = f"{written(entry.amount, entry.currency)} on {entry.booking_date}"
        path.append(Step("Bank", what, reverse("bank-line", args=[entry.pk])))
        path += raw.get(entry.raw_id, [])
    return path
