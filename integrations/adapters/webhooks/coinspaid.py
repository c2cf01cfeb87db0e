"""CoinsPaid (CryptoProcessing) callbacks: X-Processing-Signature is HMAC-SHA512 of the raw body, hex.

X-Processing-Key is the public half. Our reference is in crypto_address.foreign_id for deposits and in foreign_id for
withdrawals. Fees may be in another currency than the amount (gas on a token transfer). Callbacks are sent again while
confirmations grow: the same id and status is the same event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, Setting

_K = PspEventKind
_DEPOSITS = {
    "not_confirmed": _K.PAYMENT_PENDING,
    "confirmed": _K.PAYMENT_APPROVED,
    "cancelled": _K.PAYMENT_CANCELLED,
    "declined": _K.PAYMENT_DECLINED,
}
_WITHDRAWALS = {
    "pending": _K.PAYOUT_SENT,
    "processing": _K.PAYOUT_SENT,
    "not_confirmed": _K.PAYOUT_SENT,
    "confirmed": _K.PAYOUT_PAID,
    "cancelled": _K.PAYOUT_FAILED,
    "declined": _K.PAYOUT_FAILED,
}


class CoinsPaid(Reader):
    name = "coinspaid"
    title = "CoinsPaid callbacks"
    settings: Sequence[Setting] = (
        Setting("key", "API key", help="compared with X-Processing-Key where it is set", required=False),
        Setting("secret", "API secret", secret=True),
    )

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        made = reading.mac(secrets["secret"].encode(), incoming.body, "sha512")
        given = incoming.headers.get("x-processing-signature", "")
        reading.require_same([given], [made], where="X-Processing-Signature")
        if settings.get("key"):
            key = incoming.headers.get("x-processing-key", "")
            reading.require_same([key], [settings["key"]], where="X-Processing-Key")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)
        number, what, status = text(found, "id"), text(found, "type"), text(found, "status")
        out = what.startswith("withdrawal")
        side = "currency_sent" if out else "currency_received"
        known = _WITHDRAWALS if out else _DEPOSITS if what.startswith(("deposit", "invoice")) else {}
        details = reading.details(
            found,
            txid="transactions.0.txid",
            fee="fees.0.amount",
            fee_currency="fees.0.currency",
            paid_amount=f"{'currency_received' if out else 'currency_sent'}.amount",
            paid_currency=f"{'currency_received' if out else 'currency_sent'}.currency",
        )
        return [
            PspEvent(
                event_id=f"{number}:{what}:{status}" if number else reading.body_id(incoming.body),
                kind=known.get(status, _K.OTHER),
                psp_reference=number,
                merchant_reference=text(found, "crypto_address.foreign_id", "foreign_id"),
                amount=reading.major(text(found, f"{side}.amount")),
                currency=text(found, f"{side}.currency"),
                status=f"{what} {status}".strip(),
                reason=text(found, "error"),
                details=details,
            )
        ]


READER = CoinsPaid()
