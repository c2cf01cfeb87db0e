"""Adyen standard webhooks (Webhooks v1: notificationItems[].NotificationRequestItem).

Signature: HMAC-SHA256 with the hex-decoded key, base64, in additionalData.hmacSignature of every item, over
pspReference:originalReference:merchantAccountCode:merchantReference:value:currency:eventCode:success. Adyen's older
documents escape ":" and "\\" inside a value, its libraries join without; where a value has one, either is taken. A text
with seven colons can be cut into these eight values in one way only, so that costs nothing.

Reason, eventDate and additionalData are not signed: hints about a hint. The identity is made of what is signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, at, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Answer, Incoming, Mismatch, Setting
from integrations.records import Unreadable

# Adyen sends one item per call and says that it may send more; this many would be somebody else.
ITEMS_MAX = 50
# Adyen's own list of currency codes and minor units.
_EXPONENTS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
_SIGNED = (
    "pspReference", "originalReference", "merchantAccountCode", "merchantReference", "amount.value",
    "amount.currency", "eventCode", "success",
)  # fmt: skip
_K = PspEventKind
# Event code -> kind when it succeeded, kind when it did not.
_KINDS: dict[str, tuple[PspEventKind, PspEventKind]] = {
    "PENDING": (_K.PAYMENT_PENDING, _K.OTHER),
    "AUTHORISATION": (_K.PAYMENT_APPROVED, _K.PAYMENT_DECLINED),
    "CAPTURE": (_K.PAYMENT_APPROVED, _K.OTHER),
    "CAPTURE_FAILED": (_K.PAYMENT_CANCELLED, _K.OTHER),
    "CANCELLATION": (_K.PAYMENT_CANCELLED, _K.OTHER),
    "TECHNICAL_CANCEL": (_K.PAYMENT_CANCELLED, _K.OTHER),
    "OFFER_CLOSED": (_K.PAYMENT_DECLINED, _K.OTHER),
    "EXPIRE": (_K.PAYMENT_CANCELLED, _K.OTHER),
    "REFUND": (_K.REFUNDED, _K.REFUND_FAILED),
    "REFUND_FAILED": (_K.REFUND_FAILED, _K.OTHER),
    "REFUNDED_REVERSED": (_K.REFUND_FAILED, _K.OTHER),
    "PAYOUT_THIRDPARTY": (_K.PAYOUT_SENT, _K.PAYOUT_FAILED),
    "PAIDOUT_REVERSED": (_K.PAYOUT_RETURNED, _K.OTHER),
    "PAYOUT_DECLINE": (_K.PAYOUT_FAILED, _K.OTHER),
    "PAYOUT_EXPIRE": (_K.PAYOUT_FAILED, _K.OTHER),
    "REQUEST_FOR_INFORMATION": (_K.DISPUTE_INQUIRY, _K.OTHER),
    "NOTIFICATION_OF_FRAUD": (_K.DISPUTE_FRAUD_NOTICE, _K.OTHER),
    "NOTIFICATION_OF_CHARGEBACK": (_K.DISPUTE_NOTIFIED, _K.OTHER),
    "CHARGEBACK": (_K.DISPUTE_CHARGED_BACK, _K.OTHER),
    "INFORMATION_SUPPLIED": (_K.DISPUTE_DEFENDED, _K.OTHER),
    "CHARGEBACK_REVERSED": (_K.DISPUTE_REVERSED, _K.OTHER),
    "SECOND_CHARGEBACK": (_K.DISPUTE_SECOND_ROUND, _K.OTHER),
    "PREARBITRATION_OPEN": (_K.DISPUTE_PRE_ARBITRATION, _K.OTHER),
    "PREARBITRATION_ACCEPTED": (_K.DISPUTE_LOST, _K.OTHER),
    "PREARBITRATION_DECLINED": (_K.DISPUTE_PRE_ARBITRATION, _K.OTHER),
    "PREARBITRATION_WON": (_K.DISPUTE_WON, _K.OTHER),
    "PREARBITRATION_LOST": (_K.DISPUTE_LOST, _K.OTHER),
    "PREARBITRATION_ISSUER_WITHDRAWN": (_K.DISPUTE_WON, _K.OTHER),
    "DISPUTE_DEFENSE_PERIOD_ENDED": (_K.DISPUTE_CLOSED, _K.OTHER),
    "REPORT_AVAILABLE": (_K.REPORT_AVAILABLE, _K.OTHER),
}


class Adyen(Reader):
    name = "adyen"
    title = "Adyen standard webhooks"
    settings: Sequence[Setting] = (
        Setting("secret", "HMAC key", help="64 hexadecimal digits, from the Customer Area", secret=True),
    )

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        key = bytes.fromhex(secrets["secret"])
        for item in _items(incoming.body):
            given = text(at(item, "additionalData"), "hmacSignature")
            made = [reading.mac(key, reading.encoded(signed), encoding="base64") for signed in signed_texts(item)]
            reading.require_same([given], made, where="additionalData.hmacSignature")
            if text(item, "eventCode") == "" or text(item, "pspReference") == "":
                raise Mismatch("an item without eventCode or pspReference")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        return [_event(item) for item in _items(incoming.body)]

    def answer(self, *, objection: str | None, secrets: Mapping[str, str], now: datetime) -> Answer:
        return Answer(200, b"[accepted]") if objection is None else Answer(401, b"refused\n")

    def problem(self, secrets: Mapping[str, str]) -> str:
        try:
            key = bytes.fromhex(secrets["secret"])
        except ValueError:
            key = b""
        return "" if len(key) >= 32 else "The HMAC key has 64 hexadecimal digits. Copy it whole from the Customer Area."


def signed_texts(item: Mapping[str, Any]) -> list[str]:
    """The text that is signed: the plain form, and the escaped one where it differs."""
    values = [text(item, name).lower() if name == "success" else text(item, name) for name in _SIGNED]
    escaped = [value.replace("\\", "\\\\").replace(":", "\\:") for value in values]
    return list(dict.fromkeys([":".join(values), ":".join(escaped)]))


def _items(body: bytes) -> list[dict[str, Any]]:
    wrapped = reading.document(body).get("notificationItems")
    if not isinstance(wrapped, list) or not 0 < len(wrapped) <= ITEMS_MAX:
        raise Unreadable(f"notificationItems is no list of 1 to {ITEMS_MAX} items")
    items = [at(one, "NotificationRequestItem") for one in wrapped]
    if not all(isinstance(item, dict) for item in items):
        raise Unreadable("an item has no NotificationRequestItem")
    return items


def _event(item: dict[str, Any]) -> PspEvent:
    code, currency = text(item, "eventCode"), text(item, "amount.currency")
    more = at(item, "additionalData")
    more = more if isinstance(more, dict) else {}
    # The keys of additionalData have dots in them, so they are read as they stand.
    known = {
        "reason_code": more.get("chargebackReasonCode"),
        "scheme": more.get("chargebackSchemeCode"),
        "defendable": more.get("defendable"),
        "auto_defended": more.get("autoDefended"),
        "arn": more.get("arn"),
        "method": item.get("paymentMethod"),
        "merchant_account": item.get("merchantAccountCode"),
        "report_url": item.get("reason") if code == "REPORT_AVAILABLE" else "",
    }
    details = {name: value.strip() for name, value in known.items() if isinstance(value, str) and value.strip()}
    until = reading.moment(text(more, "defensePeriodEndsAt"))
    if until is not None:
        details["defence_until"] = until.isoformat()
    success = text(item, "success").lower() == "true"
    return PspEvent(
        event_id=reading.encoded(signed_texts(item)[-1]).decode(errors="replace"),
        kind=_KINDS.get(code, (_K.OTHER, _K.OTHER))[0 if success else 1],
        psp_reference=text(item, "pspReference"),
        original_reference=text(item, "originalReference"),
        merchant_reference=text(item, "merchantReference"),
        amount=reading.minor(text(item, "amount.value"), currency, _EXPONENTS),
        currency=currency,
        occurred_at=reading.moment(text(item, "eventDate")),
        status=f"{code} {'true' if success else 'false'}",
        reason=text(item, "reason"),
        details=details,
    )


READER = Adyen()
