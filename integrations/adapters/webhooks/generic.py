"""Any provider that signs the raw body with one HMAC: which header, which hash, and where the values stand, is told.

The identity is the event id of the body where one is named and there, else the hash of the body. There is no
timestamp; a replay is known by its identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader, text
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, Setting

_K = PspEventKind
_WORDS = {
    **dict.fromkeys(("pending", "processing", "initiated", "created"), _K.PAYMENT_PENDING),
    **dict.fromkeys(("approved", "succeeded", "success", "completed", "paid", "captured"), _K.PAYMENT_APPROVED),
    **dict.fromkeys(("declined", "rejected", "failed", "error", "expired"), _K.PAYMENT_DECLINED),
    **dict.fromkeys(("cancelled", "canceled", "voided"), _K.PAYMENT_CANCELLED),
    **dict.fromkeys(("refunded",), _K.REFUNDED),
    **dict.fromkeys(("chargeback", "charged_back"), _K.DISPUTE_CHARGED_BACK),
}
_OUT = {
    _K.PAYMENT_PENDING: _K.PAYOUT_SENT,
    _K.PAYMENT_APPROVED: _K.PAYOUT_PAID,
    _K.PAYMENT_DECLINED: _K.PAYOUT_FAILED,
    _K.PAYMENT_CANCELLED: _K.PAYOUT_FAILED,
}


class Generic(Reader):
    name = "generic"
    title = "Any provider that signs the raw body"
    settings: Sequence[Setting] = (
        Setting("header", "Header with the signature", default="X-Signature"),
        Setting("algorithm", "Hash", help="sha256 or sha512", default="sha256"),
        Setting("encoding", "Written as", help="hex or base64", default="hex"),
        Setting("prefix", "Before the signature", help="such as sha256=", required=False),
        Setting("id_path", "Where the event id is", default="id", help="dotted: data.id"),
        Setting("status_path", "Where the status is", default="status"),
        Setting("psp_path", "Where the provider's reference is", default="transaction_id"),
        Setting("reference_path", "Where our reference is", default="reference"),
        Setting("amount_path", "Where the amount is", default="amount", help="in major units"),
        Setting("currency_path", "Where the currency is", default="currency"),
        Setting("type_path", "Where the direction is", default="type", help="payout or withdrawal pays out"),
        Setting("secret", "Signing secret", secret=True),
    )

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        algorithm = "sha512" if settings.get("algorithm") == "sha512" else "sha256"
        made = reading.mac(
            secrets["secret"].encode(), incoming.body, algorithm, encoding=settings.get("encoding", "hex")
        )
        header = settings.get("header", "X-Signature")
        given = incoming.headers.get(header.lower(), "")
        reading.require_same([given], [settings.get("prefix", "") + made], where=header)

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = reading.document(incoming.body)

        def value(name: str) -> str:
            return text(found, settings.get(f"{name}_path", ""))

        status, what = value("status"), value("type").lower()
        kind = _WORDS.get(status.lower(), _K.OTHER)
        if "payout" in what or "withdrawal" in what:
            kind = _OUT.get(kind, kind)
        return [
            PspEvent(
                event_id=value("id") or reading.body_id(incoming.body),
                kind=kind,
                psp_reference=value("psp"),
                merchant_reference=value("reference"),
                amount=reading.major(value("amount")),
                currency=value("currency").upper(),
                status=f"{value('type')} {status}".strip(),
            )
        ]


READER = Generic()
