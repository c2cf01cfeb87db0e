"""The settlement of one payout of a PSP: the formula, the lines it is the sum of, and what the bank received.

Made when it is asked for, from what is known then: a later file may add lines to a payout, a run its bank line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Sum

from backoffice.kernel.money import Money
from backoffice.ui.columns import Column, Kind
from backoffice.ui.tables import Table
from integrations.models import PspLine
from integrations.records import PspKind
from reconciliation.selectors.settlement import Settlement, bank_lines_of, lines_of, settlements_of
from reporting.records import Parameters, Report, Section
from reporting.selectors.code_version import code_version

NAME, VERSION, TITLE = "settlement", 1, "Settlement"
_FORMULA = "From what clients paid to what the bank received."
# A payout may have a hundred thousand lines: the report adds them up, the list of PSP lines has each of them.
_KINDS = "Every line of the payout, added up by what the PSP calls it; positive is money to the house."


def build(payout: PspLine, parameters: Parameters) -> Report:
    """The settlement of a payout line as it is known now, in the payout's currency; the cut-off says when that was."""
    settlement = settlements_of([payout])[payout.pk]
    return Report(
        name=NAME,
        version=VERSION,
        title=TITLE,
        parameters=parameters,
        code_version=code_version(),
        facts=tuple(_facts(payout, settlement)),
        sections=(
            Section("formula", "Settlement formula", _FORMULA, StepTable(), tuple(settlement.steps())),
            Section("kinds", "What the lines are", _KINDS, KindTable(), _kinds(payout)),
            Section("bank", "Bank lines", "", BankTable(), tuple(bank_lines_of(payout).order_by("booking_date", "pk"))),
        ),
    )


def _facts(payout: PspLine, settlement: Settlement) -> Sequence[tuple[str, Any]]:
    received = settlement.received
    return (
        ("Payout", payout.payout_key or payout.psp_reference or "not named"),
        ("PSP", payout.connection.name),
        ("Reference at the bank", payout.bank_reference or "not named"),
        ("Booked", payout.booked_at),
        ("Lines", settlement.lines),
        ("Paid out by the PSP", Money(settlement.paid, payout.currency)),
        ("Bank receipt", "no bank line is matched yet" if received is None else Money(received, payout.currency)),
        ("Difference", Money(settlement.open, payout.currency)),
        ("Result", "proves" if settlement.proves else "differs"),
    )


def _kinds(payout: PspLine) -> tuple[Mapping[str, Any], ...]:
    added = lines_of(payout).order_by().values("kind", "provider_type", "currency")
    sums = added.annotate(lines=Count("pk"), all_gross=Sum("gross"), all_fees=Sum("fee"), all_net=Sum("net"))
    return tuple(sums.order_by("kind", "provider_type"))


def _sum(row: Mapping[str, Any], name: str) -> Money:
    return Money(row[name], row["currency"])


class StepTable(Table):
    columns = (
        Column(lambda row: row[0], "Sign"),
        Column(lambda row: row[1], "Step", width=40),
        Column(lambda row: row[2], "Amount", Kind.MONEY),
    )
    default_sort = ""


class KindTable(Table):
    columns = (
        Column(lambda row: PspKind(row["kind"]).value.replace("_", " ").lower(), "Kind"),
        Column(lambda row: row["provider_type"], "As the PSP calls it", width=30),
        Column(lambda row: row["lines"], "Lines", Kind.NUMBER),
        Column(lambda row: _sum(row, "all_gross"), "Gross", Kind.MONEY),
        Column(lambda row: _sum(row, "all_fees"), "Fees", Kind.MONEY),
        Column(lambda row: _sum(row, "all_net"), "Net", Kind.MONEY),
    )
    default_sort = ""


class BankTable(Table):
    columns = (
        Column("booking_date", "Booked", Kind.DATE),
        Column("account", "Account", Kind.CODE),
        Column("remittance", "Text", width=60, wrap=True),
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
    )
    default_sort = ""
    empty = "No bank line is matched yet."
