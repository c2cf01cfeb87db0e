"""NOWPayments IPN: x-nowpayments-sig is HMAC-SHA512 (hex) of the JSON written again with sorted keys.

Numbers are written again exactly as they were sent: 0.10 stays 0.10. The vendor's own programs differ in whether they
sort nested objects and whether they escape letters beyond ASCII (JavaScript does not, PHP does), so each of these
spellings of the same values is taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Number, Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, Setting

_K = PspEventKind
_PAYMENTS = {
    **dict.fromkeys(("waiting", "confirming", "confirmed", "sending"), _K.PAYMENT_PENDING),
    # Less came than was asked for: a person decides, or the rest comes and it is finished.
    "partially_paid": _K.PAYMENT_PENDING,
    "finished": _K.PAYMENT_APPROVED,
    "failed": _K.PAYMENT_DECLINED,
    "expired": _K.PAYMENT_DECLINED,
    "refunded": _K.REFUNDED,
}
_PAYOUTS = {
    **dict.fromkeys(("creating", "waiting", "processing", "sending"), _K.PAYOUT_SENT),
    "finished": _K.PAYOUT_PAID,
    **dict.fromkeys(("failed", "rejected"), _K.PAYOUT_FAILED),
}


class NowPayments(Reader):
    name = "nowpayments"
    title = "NOWPayments IPN"
    settings: Sequence[Setting] = (Setting("secret", "IPN secret", secret=True),)

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        found, key = reading.document(incoming.body), secrets["secret"].encode()
        made = [reading.mac(key, reading.encoded(spelled), "sha512") for spelled in spellings(found)]
        reading.require_same([incoming.headers.get("x-nowpayments-sig", "")], made, where="x-nowpayments-sig")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)
        payment = text(found, "payment_id")
        status = text(found, "payment_status" if payment else "status")
        number = payment or text(found, "id")
        # A second part of a payment comes with the status of the first, so what was paid belongs to the identity.
        paid = text(found, "actually_paid")
        known = _PAYMENTS if payment else _PAYOUTS
        details = reading.details(found, txid="hash", fee="fee.serviceFee", fee_currency="fee.currency")
        if payment:
            details |= reading.details(found, paid_amount="actually_paid", paid_currency="pay_currency")
        return [
            PspEvent(
                event_id=f"{number}:{status.lower()}:{paid}" if number else reading.body_id(incoming.body),
                kind=known.get(status.lower(), _K.OTHER) if number else _K.OTHER,
                psp_reference=number,
                original_reference=text(found, "parent_payment_id", "batch_withdrawal_id"),
                merchant_reference=text(found, "order_id") if payment else text(found, "unique_external_id"),
                amount=reading.major(text(found, "outcome_amount") if payment else text(found, "amount")),
                currency=text(found, "outcome_currency" if payment else "currency").upper(),
                occurred_at=reading.moment(text(found, "updated_at")),
                status=status,
                reason=text(found, "error"),
                details=details,
            )
        ]


def spellings(found: Mapping[str, Any]) -> list[str]:
    """The document with sorted keys, in each of the vendor's spellings."""
    return list(
        dict.fromkeys(
            _written(found, deep=deep, escaped=escaped, top=True) for deep in (True, False) for escaped in (False, True)
        )
    )


def _written(value: Any, *, deep: bool, escaped: bool, top: bool = False) -> str:
    if isinstance(value, dict):
        pairs = sorted(value.items()) if deep or top else value.items()
        inside = [f"{json.dumps(k, ensure_ascii=escaped)}:{_written(v, deep=deep, escaped=escaped)}" for k, v in pairs]
        return "{" + ",".join(inside) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(item, deep=deep, escaped=escaped) for item in value) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=escaped)


READER = NowPayments()
