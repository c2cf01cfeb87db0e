"""Checkout.com webhooks: Cko-Signature is HMAC-SHA256 of the raw body, hex, with the key as plain text.

There is no timestamp: a replay is known by its event id, which is kept for ever. Optionally a fixed Authorization
header comes along; it is compared where one is set, and never stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, Setting
from integrations.records import Unreadable

# Checkout.com takes Chilean pesos with two digits that are always zero.
_EXPONENTS = {"CLP": 2}
_K = PspEventKind
_KINDS = {
    "payment_pending": _K.PAYMENT_PENDING,
    "payment_approved": _K.PAYMENT_APPROVED,
    "payment_captured": _K.PAYMENT_APPROVED,
    "payment_declined": _K.PAYMENT_DECLINED,
    "payment_authentication_failed": _K.PAYMENT_DECLINED,
    "payment_expired": _K.PAYMENT_DECLINED,
    "payment_canceled": _K.PAYMENT_CANCELLED,
    "payment_voided": _K.PAYMENT_CANCELLED,
    "payment_refunded": _K.REFUNDED,
    "payment_refund_declined": _K.REFUND_FAILED,
    "payment_paid": _K.PAYOUT_PAID,
    "payment_returned": _K.PAYOUT_RETURNED,
    "dispute_received": _K.DISPUTE_NOTIFIED,
    "dispute_evidence_required": _K.DISPUTE_NOTIFIED,
    "dispute_evidence_submitted": _K.DISPUTE_DEFENDED,
    "dispute_evidence_acknowledged_by_scheme": _K.DISPUTE_DEFENDED,
    "dispute_arbitration_sent_to_scheme": _K.DISPUTE_SECOND_ROUND,
    "dispute_won": _K.DISPUTE_WON,
    "dispute_arbitration_won": _K.DISPUTE_WON,
    "dispute_lost": _K.DISPUTE_LOST,
    "dispute_arbitration_lost": _K.DISPUTE_LOST,
    "dispute_accepted": _K.DISPUTE_LOST,
    "dispute_expired": _K.DISPUTE_LOST,
    "dispute_canceled": _K.DISPUTE_CLOSED,
    "dispute_resolved": _K.DISPUTE_CLOSED,
}


class Checkout(Reader):
    name = "checkout"
    title = "Checkout.com webhooks"
    settings: Sequence[Setting] = (
        Setting("secret", "Signature key", secret=True),
        Setting("authorization", "Authorization header", help="if one is set there", required=False, secret=True),
    )

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        made = reading.mac(secrets["secret"].encode(), incoming.body)
        reading.require_same([incoming.headers.get("cko-signature", "")], [made], where="Cko-Signature")
        fixed = secrets.get("authorization", "")
        if fixed:
            given = incoming.headers.get("authorization", "")
            reading.require_same([given], [fixed], where="Authorization")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)
        event_id, kind = text(found, "id"), text(found, "type")
        if not event_id or not kind:
            raise Unreadable("an event without id or type")
        data = reading.at(found, "data")
        currency = text(data, "currency")
        details = reading.details(
            data, reason_code="reason_code", method="source.type", scheme="source.scheme", arn="payment_arn"
        )
        until = reading.moment(text(data, "evidence_required_by"))
        if until is not None:
            details["defence_until"] = until.isoformat()
        dispute = kind.startswith("dispute_")
        return [
            PspEvent(
                event_id=event_id,
                kind=_KINDS.get(kind, _K.OTHER),
                psp_reference=text(data, "id"),
                original_reference=text(data, "payment_id") if dispute else "",
                merchant_reference=text(data, "payment_reference" if dispute else "reference"),
                amount=reading.minor(text(data, "amount"), currency, _EXPONENTS),
                currency=currency,
                occurred_at=reading.moment(text(found, "created_on")),
                status=kind,
                reason=text(data, "response_summary", "category", "reason"),
                details=details,
            )
        ]


READER = Checkout()
