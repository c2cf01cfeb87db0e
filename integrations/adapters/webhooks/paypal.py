"""PayPal webhooks: signed with PayPal's own key over transmission id, its time, our webhook id and the body's CRC-32.

PayPal-Transmission-Sig is the RSA signature (PKCS #1 v1.5, SHA-256) in base64 of "id|time|webhook id|crc32"; the
CRC-32 is a decimal number over the raw bytes. The message also names an address of the certificate. That address is
never asked: whoever forges a message would name his own. The certificate comes from the connection, where a person has
put it; two of them, one behind the other, while PayPal changes over.

A CRC-32 is no hash: whoever has one signed message can make another body with the same number. So the same
transmission counts once: its identity is what is signed, and a second body under it is shown to people as one that
differs. For the same reason PayPal's word weighs little: confirm by its report.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, Mismatch, OutOfWindow, Setting, Unsigned
from integrations.records import Unreadable

# What could not be delivered is sent again for days, with the time of its first transmission.
OLDEST, NEWEST = timedelta(days=4), timedelta(seconds=300)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SMALLEST_KEY = 2048
_K = PspEventKind
_KINDS = {
    "PAYMENT.CAPTURE.PENDING": _K.PAYMENT_PENDING,
    "PAYMENT.CAPTURE.COMPLETED": _K.PAYMENT_APPROVED,
    "PAYMENT.CAPTURE.DENIED": _K.PAYMENT_DECLINED,
    "PAYMENT.CAPTURE.DECLINED": _K.PAYMENT_DECLINED,
    "PAYMENT.CAPTURE.REFUNDED": _K.REFUNDED,
    "PAYMENT.PAYOUTS-ITEM.UNCLAIMED": _K.PAYOUT_SENT,
    "PAYMENT.PAYOUTS-ITEM.HELD": _K.PAYOUT_SENT,
    "PAYMENT.PAYOUTS-ITEM.SUCCEEDED": _K.PAYOUT_PAID,
    "PAYMENT.PAYOUTS-ITEM.FAILED": _K.PAYOUT_FAILED,
    "PAYMENT.PAYOUTS-ITEM.DENIED": _K.PAYOUT_FAILED,
    "PAYMENT.PAYOUTS-ITEM.BLOCKED": _K.PAYOUT_FAILED,
    "PAYMENT.PAYOUTS-ITEM.CANCELED": _K.PAYOUT_FAILED,
    "PAYMENT.PAYOUTS-ITEM.RETURNED": _K.PAYOUT_RETURNED,
    "PAYMENT.PAYOUTS-ITEM.REFUNDED": _K.PAYOUT_RETURNED,
}
_STAGES = {
    "INQUIRY": _K.DISPUTE_INQUIRY,
    "CHARGEBACK": _K.DISPUTE_NOTIFIED,
    "PRE_ARBITRATION": _K.DISPUTE_PRE_ARBITRATION,
    "ARBITRATION": _K.DISPUTE_SECOND_ROUND,
}


class PayPal(Reader):
    name = "paypal"
    title = "PayPal webhooks"
    settings: Sequence[Setting] = (
        Setting("webhook_id", "Webhook ID", help="of this address, from the PayPal developer dashboard", secret=True),
        Setting(
            "certificates",
            "PayPal's certificate",
            help="PEM, from PayPal itself and compared by a person; a second one behind it while PayPal changes over",
            secret=True,
        ),
    )

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        sent, at, signature, algorithm = _headers(incoming)
        if not (sent and at and signature):
            raise Unsigned("PayPal-Transmission-Id, -Time or -Sig is missing")
        if algorithm != "SHA256withRSA":
            raise Mismatch("PayPal-Auth-Algo is not SHA256withRSA")
        try:
            given = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Mismatch("PayPal-Transmission-Sig is no base64") from error
        message = reading.encoded(f"{sent}|{at}|{secrets['webhook_id']}|{zlib.crc32(incoming.body)}")
        known = [one for one in _certificates(secrets["certificates"]) if _is_valid(one, now)]
        if not any(_fits(one, given, message) for one in known):
            raise Mismatch("PayPal-Transmission-Sig does not fit the body, the webhook id and a certificate of ours")
        moment = reading.moment(at)
        if moment is None or not now - OLDEST <= moment <= now + NEWEST:
            raise OutOfWindow(f"transmitted at {at}, received at {now}: more than {OLDEST.days} days apart, or ahead")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)
        kind, thing = text(found, "event_type"), reading.at(found, "resource")
        if not text(found, "id") or not kind or not isinstance(thing, dict):
            raise Unreadable("an event without id, event_type or resource")
        about = _about(thing, "dispute" if kind.startswith("CUSTOMER.DISPUTE.") else "")
        currency = text(about, "amount.currency_code", "amount.currency").upper()
        details = reading.details(thing, reason_code="reason", fee="fee.value", fee_currency="fee.currency")
        until = reading.moment(text(thing, "seller_response_due_date"))
        if until is not None:
            details["defence_until"] = until.isoformat()
        return [
            PspEvent(
                event_id=_identity(incoming),
                kind=_kind(kind, thing),
                psp_reference=text(about, "id"),
                original_reference=text(about, "original"),
                merchant_reference=text(about, "ours"),
                amount=reading.major(text(about, "amount.value", "amount.total")),
                currency=currency,
                occurred_at=reading.moment(text(found, "create_time")),
                status=f"{kind} {text(thing, 'status', 'transaction_status')}".strip(),
                reason=text(thing, "reason", "status_details.reason", "errors.message"),
                details=details,
            )
        ]

    def problem(self, secrets: Mapping[str, str]) -> str:
        try:
            found = _certificates(secrets["certificates"])
        except ValueError:
            found = []
        keys = [one.public_key() for one in found]
        if not keys or not all(isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_KEY for key in keys):
            return f"PayPal's certificate is PEM with an RSA key of {_SMALLEST_KEY} bits or more. Paste the whole file."
        return ""


def _headers(incoming: Incoming) -> tuple[str, str, str, str]:
    transmission = (incoming.headers.get(f"paypal-transmission-{name}", "") for name in ("id", "time", "sig"))
    sent, at, signature = transmission
    return sent, at, signature, incoming.headers.get("paypal-auth-algo", "")


def _identity(incoming: Incoming) -> str:
    """Of what is signed: a body that was made to fit the number of another is no new event."""
    sent, at, _, _ = _headers(incoming)
    return f"{sent}|{at}|{zlib.crc32(incoming.body)}"


def _certificates(pem: str) -> list[x509.Certificate]:
    """Raises ValueError. A form's field has taken the line ends away, so the markers are what counts."""
    found = [base64.b64decode("".join(part.split()), validate=True) for part in _PEM.findall(pem)]
    return [x509.load_der_x509_certificate(der) for der in found]


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _fits(certificate: x509.Certificate, signature: bytes, message: bytes) -> bool:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _SMALLEST_KEY:
        return False
    try:
        key.verify(signature, message, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _about(thing: Mapping[str, object], what: str) -> dict[str, object]:
    """Where the values of interest are: in a dispute, in an item of a payout, in anything else."""
    if what:
        first = reading.at(thing, "disputed_transactions.0")
        return {
            "id": text(thing, "dispute_id"),
            "original": text(first, "seller_transaction_id"),
            "ours": text(first, "custom", "invoice_number"),
            "amount": thing.get("dispute_amount"),
        }
    item = thing.get("payout_item")
    if isinstance(item, dict):
        return {
            "id": text(thing, "payout_item_id"),
            "ours": text(item, "sender_item_id"),
            "amount": item.get("amount"),
        }
    return {
        "id": text(thing, "id"),
        "original": text(thing, "supplementary_data.related_ids.capture_id"),
        "ours": text(thing, "custom_id", "invoice_id"),
        "amount": thing.get("amount"),
    }


def _kind(kind: str, thing: Mapping[str, object]) -> PspEventKind:
    if kind not in ("CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.UPDATED", "CUSTOMER.DISPUTE.RESOLVED"):
        return _KINDS.get(kind, _K.OTHER)
    if kind.endswith("RESOLVED") or text(thing, "status") == "RESOLVED":
        outcome = text(thing, "dispute_outcome.outcome_code")
        won, lost = "SELLER_FAVOUR" in outcome, "BUYER_FAVOUR" in outcome
        return _K.DISPUTE_WON if won else _K.DISPUTE_LOST if lost else _K.DISPUTE_CLOSED
    return _STAGES.get(text(thing, "dispute_life_cycle_stage"), _K.OTHER)


READER = PayPal()
