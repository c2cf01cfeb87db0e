"""Praxis Cashier notifications and validation calls.

gt-authentication is a plain SHA-384 (hex, no HMAC) of chosen values followed by the merchant secret; numbers count as
the text that was sent, null and what is missing as nothing. The status of a transaction is NOT among the signed
values, so of all providers Praxis' word weighs least: confirm by its report or its API.

A validation call asks before the charge (transaction_attempt instead of transaction) and wants status 0 or 1. Every
reply is signed: sha384(status + timestamp + secret). Descriptions differ about the header of the reply's signature;
both names are sent. That the values of a validation call are those of transaction_attempt in the same order is read
from the notification's rule; confirm it with the vendor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Answer, Incoming, Setting
from integrations.records import Unreadable

_OF_CALL = ("merchant_id", "application_key", "timestamp", "customer.customer_token", "session.order_id")
_OF_TRANSACTION = ("tid", "currency", "amount", "conversion_rate", "processed_currency", "processed_amount")
_K = PspEventKind
_UNDER_WAY, _DONE, _NOT = "under way", "done", "not"
_STATUSES = {
    **dict.fromkeys(("initialized", "pending", "requested"), _UNDER_WAY),
    "approved": _DONE,
    **dict.fromkeys(("rejected", "error", "cancelled"), _NOT),
}
_PAYMENTS = {_UNDER_WAY: _K.PAYMENT_PENDING, _DONE: _K.PAYMENT_APPROVED, _NOT: _K.PAYMENT_DECLINED}
_PAYOUTS = {_UNDER_WAY: _K.PAYOUT_SENT, _DONE: _K.PAYOUT_PAID, _NOT: _K.PAYOUT_FAILED}
_REFUNDS = {_DONE: _K.REFUNDED, _NOT: _K.REFUND_FAILED}


class Praxis(Reader):
    name = "praxis"
    title = "Praxis Cashier"
    settings: Sequence[Setting] = (Setting("secret", "Merchant secret", secret=True),)

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        found = reading.document(incoming.body)
        part = "transaction_attempt" if self._asks(found) else "transaction"
        paths = (*_OF_CALL, *(f"{part}.{name}" for name in _OF_TRANSACTION))
        made = _sha384("".join(text(found, path) for path in paths) + secrets["secret"])
        reading.require_same([incoming.headers.get("gt-authentication", "")], [made], where="gt-authentication")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)
        asks = self._asks(found)
        part = reading.at(found, "transaction_attempt" if asks else "transaction")
        if not isinstance(part, dict):
            raise Unreadable("neither transaction nor transaction_attempt")
        status = text(part, "transaction_status")
        kind = _K.OTHER if asks else _kind(found, part, status)
        tid, currency = text(part, "tid", "transaction_id"), text(part, "currency")
        event_id = f"{tid}:{kind.value}" if tid and not asks else reading.body_id(incoming.body)
        details = reading.details(part, method="payment_method", paid_currency="processed_currency", fee="fee")
        paid = reading.minor(text(part, "processed_amount"), details.get("paid_currency", ""))
        if paid is not None and "paid_currency" in details:
            details["paid_amount"] = format(paid, "f")
        return [
            PspEvent(
                event_id=event_id,
                kind=kind,
                psp_reference=tid,
                merchant_reference=text(found, "session.order_id"),
                amount=reading.minor(text(part, "amount"), currency),
                currency=currency,
                occurred_at=reading.unix(text(found, "timestamp")),
                status="validation" if asks else status,
                reason=text(part, "status_details", "status_code"),
                details=details,
            )
        ]

    def asks(self, incoming: Incoming) -> bool:
        return self._asks(reading.document(incoming.body))

    def answer(self, *, objection: str | None, secrets: Mapping[str, str], now: datetime) -> Answer:
        status, stamp = 0 if objection is None else 1, int(now.timestamp())
        said = {"status": status, "description": objection or "Ok", "version": "1.3", "timestamp": stamp}
        signature = _sha384(f"{status}{stamp}{secrets['secret']}")
        names = ("GT-Authentication", "external-request-signature")
        return Answer(200, json.dumps(said).encode(), "application/json", dict.fromkeys(names, signature))

    @staticmethod
    def _asks(found: Mapping[str, Any]) -> bool:
        return "transaction" not in found and "transaction_attempt" in found


def _kind(found: Any, part: Any, status: str) -> PspEventKind:
    outcome = _STATUSES.get(status.lower(), "")
    what = f"{text(part, 'transaction_type')} {text(found, 'session.intent')}".lower()
    if "chargeback" in what:
        return _K.DISPUTE_CHARGED_BACK if outcome == _DONE else _K.OTHER
    if "refund" in what:
        return _REFUNDS.get(outcome, _K.OTHER)
    paying_out = "payout" in what or "withdrawal" in what
    return (_PAYOUTS if paying_out else _PAYMENTS).get(outcome, _K.OTHER)


def _sha384(message: str) -> str:
    return hashlib.sha384(reading.encoded(message)).hexdigest()


READER = Praxis()
