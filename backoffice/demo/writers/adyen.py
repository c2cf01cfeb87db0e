"""A PSP's settlement details report (Adyen's columns): every row of one or more payable batches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from backoffice.demo.clients import EXPONENTS
from backoffice.demo.days import AMSTERDAM, utc
from backoffice.demo.plan import Payout, PspRow
from backoffice.demo.scene import MERCHANT
from backoffice.kernel.money import allocate

COLUMNS = (
    "Company Account", "Merchant Account", "Psp Reference", "Merchant Reference", "Payment Method", "Creation Date",
    "TimeZone", "Type", "Modification Reference", "Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)",
    "Exchange Rate", "Net Currency", "Net Debit (NC)", "Net Credit (NC)", "Commission (NC)", "Markup (NC)",
    "Scheme Fees (NC)", "Interchange (NC)", "Payment Method Variant", "Batch Number", "Booking Date",
    "Booking Date TimeZone",
)  # fmt: skip
_COMPANY = "BrokerCY"
_ON_CARD = ("Settled", "PaidOut", "Chargeback")
# How a payment's fee is split: markup, scheme fees, interchange.
_SPLIT = (Decimal(45), Decimal(20), Decimal(35))


def report(rows: Iterable[PspRow], payouts: Iterable[Payout], batches: dict[date, int]) -> bytes:
    """The report of the batches of these days, payouts last in each."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    kept, paid = list(rows), list(payouts)
    for day, batch in batches.items():
        for row in kept:
            if row.day == day:
                writer.writerow(_row(row, batch))
        for payout in paid:
            if payout.day == day:
                writer.writerow(_payout(payout, batch))
    return out.getvalue().encode()


def _row(row: PspRow, batch: int) -> dict[str, str]:
    booked = utc(row.day, 21, 45)
    cells = {
        **_common(row.kind, row.modification, row.currency, row.gross - row.fee, batch),
        "Psp Reference": row.psp_reference,
        "Merchant Reference": row.reference,
        **_times(row.created, booked),
    }
    if not row.psp_reference:
        return cells
    cells["Gross Currency"], cells["Exchange Rate"] = row.currency, "1"
    cells["Gross Debit (GC)"], cells["Gross Credit (GC)"] = _pair(row.gross)
    if row.kind in _ON_CARD:
        cells["Payment Method"] = cells["Payment Method Variant"] = row.method
    return cells | _fees(row)


def _fees(row: PspRow) -> dict[str, str]:
    """A chargeback's own fee stands in Markup; a payment's is split over three columns."""
    if not row.fee:
        return {}
    if row.kind == "Chargeback":
        return {"Markup (NC)": _plain(row.fee)}
    parts: Sequence[Decimal] = allocate(row.fee, _SPLIT, EXPONENTS[row.currency])
    names = ("Markup (NC)", "Scheme Fees (NC)", "Interchange (NC)")
    return {name: _plain(part) for name, part in zip(names, parts, strict=True) if part}


def _payout(payout: Payout, batch: int) -> dict[str, str]:
    at = utc(payout.day, 21, 50)
    text = f"{payout.token} batch {batch}, {MERCHANT}"
    return _common("MerchantPayout", text, payout.currency, -payout.amount, batch) | _times(at, at)


def _common(kind: str, modification: str, currency: str, net: Decimal, batch: int) -> dict[str, str]:
    debit, credit = _pair(net)
    return {
        "Company Account": _COMPANY,
        "Merchant Account": MERCHANT,
        "Type": kind,
        "Modification Reference": modification,
        "Net Currency": currency,
        "Net Debit (NC)": debit,
        "Net Credit (NC)": credit,
        "Batch Number": str(batch),
    }


def _times(created: datetime, booked: datetime) -> dict[str, str]:
    """Local times with the abbreviation of their zone beside them, as the report prints them."""
    there, then = created.astimezone(AMSTERDAM), booked.astimezone(AMSTERDAM)
    return {
        "Creation Date": f"{there:%Y-%m-%d %H:%M:%S}",
        "TimeZone": f"{there:%Z}",
        "Booking Date": f"{then:%Y-%m-%d %H:%M:%S}",
        "Booking Date TimeZone": f"{then:%Z}",
    }


def _pair(amount: Decimal) -> tuple[str, str]:
    """Debit and credit, unsigned, one of them empty."""
    return (_plain(-amount), "") if amount < 0 else ("", _plain(amount))


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
