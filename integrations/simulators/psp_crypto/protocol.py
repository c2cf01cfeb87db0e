"""The simulated crypto PSP's calls, callbacks and settlement report. Amounts are decimal texts."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import itertools
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from secrets import compare_digest
from typing import Any

from backoffice.kernel import clock, money
from integrations.simulators.psp.book import Book, Payment, Payout, Stage
from integrations.simulators.psp.protocol import Event, Reply, Request

KEY = "simulated"
_PAY = "/api/v2/withdrawal/crypto"
_STATUS = {
    Stage.PENDING: "processing",
    Stage.PAID: "confirmed",
    Stage.DECLINED: "cancelled",
    Stage.RETURNED: "returned",
}
_COLUMNS = (
    "id", "foreign_id", "type", "status", "currency", "amount", "fee", "net", "address", "txid", "processed_at",
)  # fmt: skip
_RATE = Decimal("0.008")
_ADDRESS_LEAST = 20


class CryptoPsp:
    """One account at the PSP."""

    name = "psp_crypto"

    def __init__(self, secret: str, *, now: Callable[[], datetime] = clock.now) -> None:
        self.book = Book()
        self._secret = secret.encode()
        self._now = now
        self._unnamed = itertools.count(1)
        self._events = itertools.count(1)

    def pays(self, request: Request) -> bool:
        return request.path == _PAY

    def rejection(self, request: Request) -> Reply:
        return _invalid("address", "is not an address of this chain")

    def answer(self, request: Request) -> Reply:
        if request.method != "POST" or not self._is_signed(request):
            return Reply(403, {"errors": {"signature": "is wrong"}})
        body = json.loads(request.body)
        if request.path == _PAY:
            return self._withdraw(body)
        if request.path == "/api/v2/transactions/info":
            found = self.book.look_up(self.book.numbers_of(str(body.get("foreign_id", ""))))
            return Reply(200, {"data": [_transaction(payout) for payout in found]})
        if request.path == "/api/v2/accounts/list":
            return Reply(200, {"data": [{"currency": "USDT", "type": "crypto", "balance": "1000000"}]})
        return Reply(404, {"errors": {"path": "is not known"}})

    def event(self, row: Payment | Payout) -> Event:
        """A callback: X-Processing-Signature is HMAC-SHA512 (hex) of the raw body."""
        if isinstance(row, Payment):
            money_in = {"currency": row.currency, "amount": format(row.amount, "f")}
            said: dict[str, Any] = {
                "id": row.number,
                "type": "deposit",
                "crypto_address": {"currency": row.currency, "foreign_id": row.reference},
                "currency_sent": money_in,
                "currency_received": money_in,
                "fees": [],
                "error": "",
                "status": "confirmed",
            }
        else:
            said = _transaction(row)
        body = json.dumps(said).encode()
        signature = hmac.new(self._secret, body, hashlib.sha512).hexdigest()
        headers = {"X-Processing-Key": KEY, "X-Processing-Signature": signature}
        return Event(f"callback {next(self._events)}", body, headers)

    def report(self, day: date) -> str:
        """The transactions of a UTC day: amounts signed, net = amount - fee, what came back as a row of its own."""
        payments, payouts = self.book.snapshot()
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for payment in payments:
            if payment.made_at.date() == day:
                writer.writerow(_line(payment, "deposit", "confirmed", payment.amount, payment.made_at))
        for payout in payouts:
            if payout.stage is not Stage.DECLINED and payout.made_at.date() == day:
                status = "processing" if payout.stage is Stage.PENDING else "confirmed"
                writer.writerow(_line(payout, "withdrawal", status, -payout.amount, payout.made_at))
            if payout.stage is Stage.RETURNED and payout.changed_at is not None and payout.changed_at.date() == day:
                writer.writerow(_line(payout, "withdrawal_return", "confirmed", payout.amount, payout.changed_at))
        return out.getvalue()

    def _is_signed(self, request: Request) -> bool:
        made = hmac.new(self._secret, request.body, hashlib.sha512).hexdigest()
        given = request.headers.get("x-processing-signature", "")
        return request.headers.get("x-processing-key") == KEY and compare_digest(made.encode(), given.encode())

    def _withdraw(self, body: Mapping[str, Any]) -> Reply:
        reference, address = str(body.get("foreign_id", "")), str(body.get("address", ""))
        if len(address) < _ADDRESS_LEAST:
            return _invalid("address", "is not an address of this chain")
        try:
            amount = money.parse(str(body.get("amount", "")))
        except money.BadAmount:
            return _invalid("amount", "is not a number")
        wanted = Payout(
            0, reference, amount, str(body.get("currency", "")), self._now(), destination={"address": address}
        )
        key = reference or f"request {next(self._unnamed)}"
        made, is_new = self.book.pay(key, wanted)
        if not is_new:
            return _invalid("foreign_id", "has already been taken")
        return Reply(201, {"data": _transaction(made)})


def _invalid(field: str, why: str) -> Reply:
    return Reply(400, {"errors": {field: why}})


def _transaction(payout: Payout) -> dict[str, Any]:
    sent = {"currency": payout.currency, "amount": format(payout.amount, "f")}
    paid = payout.stage in {Stage.PAID, Stage.RETURNED}
    return {
        "id": payout.number,
        "foreign_id": payout.reference,
        "type": "withdrawal",
        "crypto_address": {"currency": payout.currency, "address": payout.destination.get("address", ""), "tag": None},
        "currency_sent": sent,
        "currency_received": sent,
        "transactions": [{"txid": _txid(payout)}] if paid else [],
        "fees": [{"type": "service", "currency": payout.currency, "amount": format(_fee(payout.amount), "f")}],
        "error": payout.reason,
        "status": _STATUS[payout.stage],
    }


def _fee(amount: Decimal) -> Decimal:
    return (abs(amount) * _RATE).quantize(Decimal("0.000001"))


def _txid(row: Payment | Payout) -> str:
    return hashlib.sha256(f"{row.number} {row.reference}".encode()).hexdigest()


def _line(row: Payment | Payout, what: str, status: str, amount: Decimal, at: datetime) -> list[str]:
    fee = Decimal(0) if what == "withdrawal_return" else _fee(amount)
    address = row.destination.get("address", "") if isinstance(row, Payout) else ""
    return [
        str(row.number), row.reference, what, status, row.currency, f"{amount:f}", f"{fee:f}", f"{amount - fee:f}",
        address, _txid(row), at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    ]  # fmt: skip
