"""The simulated card PSP's calls, webhooks and settlement report.

Ids: pay_000001 for payments and payouts, act_000001 for refunds, evt_000001 for events. Amounts are whole minor units.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from secrets import compare_digest
from typing import Any

from backoffice.kernel import clock
from integrations.simulators.psp.book import Book, Payment, Payout, Stage
from integrations.simulators.psp.protocol import Event, Reply, Request

_EXPONENTS = {"JPY": 0, "KWD": 3, "BHD": 3}
_STATUS = {Stage.PENDING: "Pending", Stage.PAID: "Paid", Stage.DECLINED: "Declined", Stage.RETURNED: "Returned"}
_APPROVED = {Stage.PAID: True, Stage.DECLINED: False, Stage.RETURNED: True}
# What events are called; nothing is told of a payout that is under way.
_OF_PAYOUT = {Stage.PAID: "payment_paid", Stage.DECLINED: "payment_declined", Stage.RETURNED: "payment_returned"}
_OF_REFUND = {
    Stage.PAID: "payment_refunded",
    Stage.DECLINED: "payment_refund_declined",
    Stage.RETURNED: "payment_refund_declined",
}
# The settlement breakdown's columns (money.md 1.4), and what each costs: 1.5 % on what comes in, 0.50 on what goes out.
_COLUMNS = (
    "Client Entity ID", "Client Entity Name", "Processing Channel ID", "Processing Channel Name", "Type", "Payment ID",
    "Reference", "Processed On", "Available On", "Holding Currency", "Payout ID", "Gross In Holding Currency",
    "Deduction In Holding Currency", "Net In Holding Currency", "Processing Fee In Holding Currency",
    "Scheme Fee In Holding Currency", "Interchange In Holding Currency", "Tax In Holding Currency",
    "Reserve In Holding Currency", "Processing Currency", "Gross In Processing Currency", "FX Rate Applied",
    "Payment Method",
)  # fmt: skip
_RATE, _FLAT = Decimal("0.015"), Decimal("0.50")
_ZERO = Decimal(0)


class CardPsp:
    """One account at the PSP."""

    name = "psp_card"

    def __init__(self, secret: str, *, now: Callable[[], datetime] = clock.now) -> None:
        self.book = Book()
        self._secret = secret
        self._now = now
        self._events = itertools.count(1)

    def pays(self, request: Request) -> bool:
        return request.method == "POST" and request.path.startswith("/payments")

    def rejection(self, request: Request) -> Reply:
        return _invalid("destination_declined")

    def answer(self, request: Request) -> Reply:
        if not compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {self._secret}".encode()):
            return Reply(401, {})
        parts = request.path.strip("/").split("/")
        if parts == ["payments"]:
            return self._payout(request) if request.method == "POST" else self._list(request)
        if len(parts) == 3 and parts[0] == "payments" and parts[2] in {"refunds", "actions"}:
            payment = self._payment(parts[1])
            if payment is None:
                return Reply(404, {})
            return self._refund(request, payment) if parts[2] == "refunds" else self._actions(payment)
        return Reply(404, {})

    def event(self, row: Payment | Payout) -> Event:
        """A webhook: Cko-Signature is HMAC-SHA256 (hex) of the raw body."""
        number = next(self._events)
        data: dict[str, Any] = {"reference": row.reference, "currency": row.currency, "amount": _minor(row)}
        if isinstance(row, Payment):
            kind, data["id"] = "payment_captured", f"pay_{row.number:06d}"
        elif row.original:
            kind = _OF_REFUND[row.stage]
            data |= {"id": f"pay_{int(row.original):06d}", "action_id": f"act_{row.number:06d}"}
        else:
            kind, data["id"] = _OF_PAYOUT[row.stage], f"pay_{row.number:06d}"
        if isinstance(row, Payout) and row.reason:
            data["response_summary"] = row.reason
        at = self._now().isoformat().replace("+00:00", "Z")
        body = json.dumps({"id": f"evt_{number:06d}", "type": kind, "created_on": at, "data": data}).encode()
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        return Event(f"evt_{number:06d}", body, {"Cko-Signature": signature})

    def report(self, day: date) -> str:
        """The settlement breakdown of a UTC day."""
        payments, payouts = self.book.snapshot()
        out = io.StringIO()
        writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for payment in payments:
            if payment.made_at.date() == day:
                fee = (payment.amount * _RATE).quantize(Decimal("0.01"))
                writer.writerow(_movement("Charge", f"pay_{payment.number:06d}", payment, payment.made_at, fee))
        for payout in payouts:
            what = "Refund" if payout.original else "Pay To Card"
            named = f"pay_{int(payout.original or payout.number):06d}"
            # What was declined never left; what came back went out on the day it was made.
            if payout.stage is not Stage.DECLINED and payout.made_at.date() == day:
                writer.writerow(_movement(what, named, payout, payout.made_at, _FLAT, out=True))
            if payout.stage is Stage.RETURNED and payout.changed_at is not None and payout.changed_at.date() == day:
                writer.writerow(_movement(f"{what} Reversal", named, payout, payout.changed_at, _ZERO))
        return out.getvalue()

    def _payout(self, request: Request) -> Reply:
        body = _decoded(request)
        source, destination = body.get("source"), body.get("destination")
        if not isinstance(source, Mapping) or not str(source.get("id", "")).startswith("ca_"):
            return _invalid("source_invalid")
        if not isinstance(destination, Mapping) or not str(destination.get("id", "")).startswith("src_"):
            return _invalid("destination_invalid")
        amount = _major(body.get("amount"), str(body.get("currency", "")))
        if amount is None:
            return _invalid("amount_invalid")
        made = self._pay(request, body, amount, str(body["currency"]), destination={"id": str(destination["id"])})
        return Reply(201, {"id": f"pay_{made.number:06d}", "status": _STATUS[made.stage], "reference": made.reference})

    def _refund(self, request: Request, payment: Payment) -> Reply:
        body = _decoded(request)
        amount = _major(body.get("amount"), payment.currency)
        if amount is None:
            return _invalid("amount_invalid")
        key = request.headers.get("cko-idempotency-key", "")
        again = bool(self.book.numbers_of(str(body.get("reference", "")))) and not self.book.forgetful and bool(key)
        if amount > self.book.refundable(payment.number) and not again:
            return _invalid("refund_amount_exceeds_balance")
        made = self._pay(request, body, amount, payment.currency, original=str(payment.number))
        return Reply(202, {"action_id": f"act_{made.number:06d}", "reference": made.reference})

    def _pay(self, request: Request, body: Mapping[str, Any], amount: Decimal, currency: str, **more: Any) -> Payout:
        reference = str(body.get("reference", ""))
        # Without a key every request is a payment of its own.
        key = request.headers.get("cko-idempotency-key") or f"request {next(self._events)}"
        made, _ = self.book.pay(key, Payout(0, reference, amount, currency, self._now(), **more))
        return made

    def _list(self, request: Request) -> Reply:
        limit, skip = int(request.query.get("limit", "10")), int(request.query.get("skip", "0"))
        found = [
            payout
            for payout in self.book.look_up(self.book.numbers_of(request.query.get("reference", "")))
            if not payout.original
        ]
        rows = [
            {
                "id": f"pay_{payout.number:06d}",
                "reference": payout.reference,
                "status": _STATUS[payout.stage],
                "amount": _minor(payout),
                "currency": payout.currency,
                "response_summary": payout.reason,
            }
            for payout in found
        ]
        return Reply(200, {"limit": limit, "skip": skip, "total_count": len(rows), "data": rows[skip : skip + limit]})

    def _actions(self, payment: Payment) -> Reply:
        _, payouts = self.book.snapshot()
        refunds = [payout.number for payout in payouts if payout.original == str(payment.number)]
        rows: list[dict[str, Any]] = [{"id": f"act_{payment.number:06d}", "type": "Capture", "amount": _minor(payment)}]
        for payout in self.book.look_up(refunds):
            name = f"act_{payout.number:06d}"
            row: dict[str, Any] = {
                "id": name,
                "type": "Refund",
                "amount": _minor(payout),
                "reference": payout.reference,
            }
            if payout.stage in _APPROVED:
                row |= {"approved": _APPROVED[payout.stage], "response_summary": payout.reason}
            rows.append(row)
            if payout.stage is Stage.RETURNED:
                rows.append({"id": f"{name}_back", "type": "Refund Reversal", "reversed_action_id": name})
        return Reply(200, {"data": rows})

    def _payment(self, name: str) -> Payment | None:
        number = name.removeprefix("pay_")
        return self.book.payments.get(int(number)) if number.isdecimal() else None


def _decoded(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _invalid(code: str) -> Reply:
    return Reply(422, {"error_type": "request_invalid", "error_codes": [code]})


def _minor(row: Payment | Payout) -> int:
    return int(row.amount.scaleb(_EXPONENTS.get(row.currency, 2)))


def _major(value: object, currency: str) -> Decimal | None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0 or len(currency) != 3:
        return None
    return Decimal(value).scaleb(-_EXPONENTS.get(currency, 2))


def _movement(
    what: str, named: str, row: Payment | Payout, at: datetime, fee: Decimal, *, out: bool = False
) -> dict[str, str]:
    gross = -row.amount if out else row.amount
    available = datetime.combine(at.date() + timedelta(days=1), time(), UTC)
    return dict.fromkeys(_COLUMNS, "0") | {
        "Client Entity ID": "ent_simulated",
        "Client Entity Name": "Simulated Broker",
        "Processing Channel ID": "pc_simulated",
        "Processing Channel Name": "Cards",
        "Type": what,
        "Payment ID": named,
        "Reference": row.reference,
        "Processed On": at.strftime("%Y-%m-%dT%H:%M:%S.000"),
        "Available On": available.strftime("%Y-%m-%dT%H:%M:%S.000"),
        "Holding Currency": row.currency,
        "Payout ID": f"{at:%y%m%d}",
        "Gross In Holding Currency": f"{gross:f}",
        "Deduction In Holding Currency": f"{-fee:f}",
        "Net In Holding Currency": f"{gross - fee:f}",
        "Processing Fee In Holding Currency": f"{-fee:f}",
        "Processing Currency": row.currency,
        "Gross In Processing Currency": f"{gross:f}",
        "FX Rate Applied": "1",
        "Payment Method": "VISA",
    }
