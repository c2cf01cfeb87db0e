"""Stripe webhooks: event objects, signed over the raw body with a timestamp.

Stripe-Signature: t=<unix seconds>,v1=<hex>[,v1=<hex>...]; v1 = HMAC-SHA256(secret, "<t>.<body>"). While a secret is
being rolled there are several v1. The tolerance is 300 seconds in both directions: the provider's own library looks
backwards only and takes a timestamp from the future.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, OutOfWindow, Setting, Unsigned
from integrations.records import Unreadable

TOLERANCE = timedelta(seconds=300)
# Stripe's list of zero- and three-decimal currencies; ISK and UGX take two for old times' sake.
_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}
_K = PspEventKind
_KINDS = {
    "payment_intent.processing": _K.PAYMENT_PENDING,
    "charge.pending": _K.PAYMENT_PENDING,
    "payment_intent.succeeded": _K.PAYMENT_APPROVED,
    "charge.succeeded": _K.PAYMENT_APPROVED,
    "charge.captured": _K.PAYMENT_APPROVED,
    "payment_intent.payment_failed": _K.PAYMENT_DECLINED,
    "charge.failed": _K.PAYMENT_DECLINED,
    "payment_intent.canceled": _K.PAYMENT_CANCELLED,
    "charge.expired": _K.PAYMENT_CANCELLED,
    "payout.created": _K.PAYOUT_SENT,
    "payout.paid": _K.PAYOUT_PAID,
    "payout.failed": _K.PAYOUT_FAILED,
    "payout.canceled": _K.PAYOUT_FAILED,
    "charge.refunded": _K.REFUNDED,
    "refund.failed": _K.REFUND_FAILED,
    "charge.dispute.funds_withdrawn": _K.DISPUTE_CHARGED_BACK,
    "charge.dispute.funds_reinstated": _K.DISPUTE_REVERSED,
    "radar.early_fraud_warning.created": _K.DISPUTE_FRAUD_NOTICE,
    "payout.reconciliation_completed": _K.REPORT_AVAILABLE,
    "reporting.report_run.succeeded": _K.REPORT_AVAILABLE,
}
# Where the type says only that something changed, the object's status says what.
_DISPUTES = {
    "warning_needs_response": _K.DISPUTE_INQUIRY,
    "warning_under_review": _K.DISPUTE_INQUIRY,
    "warning_closed": _K.DISPUTE_CLOSED,
    "needs_response": _K.DISPUTE_NOTIFIED,
    "under_review": _K.DISPUTE_DEFENDED,
    "won": _K.DISPUTE_WON,
    "lost": _K.DISPUTE_LOST,
    "prevented": _K.DISPUTE_CLOSED,
}
_REFUNDS = {"succeeded": _K.REFUNDED, "failed": _K.REFUND_FAILED, "canceled": _K.REFUND_FAILED}


class Stripe(Reader):
    name = "stripe"
    title = "Stripe webhooks"
    settings: Sequence[Setting] = (Setting("secret", "Signing secret", help="begins with whsec_", secret=True),)

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        header = incoming.headers.get("stripe-signature", "")
        parts = [part.strip().partition("=")[::2] for part in header.split(",")]
        sent = [value for name, value in parts if name == "t"]
        if not header or len(sent) != 1:
            raise Unsigned("Stripe-Signature is missing or has not one t=")
        made = reading.mac(secrets["secret"].encode(), reading.encoded(f"{sent[0]}.") + incoming.body)
        given = [value for name, value in parts if name == "v1"]
        reading.require_same(given, [made], where="v1 of Stripe-Signature")
        at = reading.unix(sent[0])
        if at is None or abs(now - at) > TOLERANCE:
            raise OutOfWindow(f"signed at {at or sent[0]}, received at {now}: more than {TOLERANCE.seconds} s apart")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)
        event_id, kind = text(found, "id"), text(found, "type")
        if not event_id or not kind:
            raise Unreadable("an event without id or type")
        thing = reading.at(found, "data.object")
        currency, status = text(thing, "currency").upper(), text(thing, "status")
        details = reading.details(
            thing,
            reason_code="network_reason_code",
            method="payment_method_details.type",
            scheme="payment_method_details.card.brand",
        )
        until = reading.unix(text(thing, "evidence_details.due_by"))
        if until is not None:
            details["defence_until"] = until.isoformat()
        return [
            PspEvent(
                event_id=event_id,
                kind=_kind(kind, status),
                psp_reference=text(thing, "id"),
                original_reference=text(thing, "payment_intent", "charge", "original_payout"),
                merchant_reference=text(
                    thing, "metadata.reference", "metadata.order_id", "client_reference_id", "transfer_group"
                ),
                amount=reading.minor(text(thing, "amount"), currency, _EXPONENTS),
                currency=currency,
                occurred_at=reading.unix(text(found, "created")),
                status=f"{kind} {status}".strip(),
                reason=text(thing, "failure_message", "last_payment_error.message", "reason", "failure_reason"),
                details=details,
            )
        ]


def _kind(kind: str, status: str) -> PspEventKind:
    if kind in ("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"):
        return _DISPUTES.get(status, _K.OTHER)
    if kind in ("refund.created", "refund.updated", "charge.refund.updated"):
        return _REFUNDS.get(status, _K.OTHER)
    return _KINDS.get(kind, _K.OTHER)


READER = Stripe()
