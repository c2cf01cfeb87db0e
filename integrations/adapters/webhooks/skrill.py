"""Skrill status posts: a form, with md5sig over the values that count.

md5sig = upper case of MD5(merchant_id + transaction_id + upper case of MD5(secret word) + mb_amount + mb_currency +
status). Numbers count as the text that was sent. The values stand one behind the other without a sign between them:
only because the merchant is known and amount, currency and status have a form can they be cut in one way.

The signature has no time in it and the post no identity: what is signed is the identity, so the same status of the same
payment counts once, however often it is sent.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from integrations.adapters.webhooks import reading
from integrations.adapters.webhooks.reading import Reader
from integrations.hints import PspEvent, PspEventKind
from integrations.ports import Incoming, Mismatch, Setting
from integrations.records import Unreadable

FIELDS_MAX = 200
_AMOUNT, _CURRENCY, _STATUS = re.compile(r"\d+(\.\d+)?"), re.compile(r"[A-Z]{3}"), re.compile(r"-?\d")
_K = PspEventKind
_KINDS = {
    "2": _K.PAYMENT_APPROVED,
    "0": _K.PAYMENT_PENDING,
    "-1": _K.PAYMENT_CANCELLED,
    "-2": _K.PAYMENT_DECLINED,
    "-3": _K.DISPUTE_CHARGED_BACK,
}
_WORDS = {"2": "processed", "0": "pending", "-1": "cancelled", "-2": "failed", "-3": "chargeback"}
_SIGNED = ("merchant_id", "transaction_id", "mb_amount", "mb_currency", "status")


class Skrill(Reader):
    name = "skrill"
    title = "Skrill status posts"
    settings: Sequence[Setting] = (
        Setting("merchant_id", "Merchant ID", help="the number of the account at Skrill, as posts carry it"),
        Setting("secret", "Secret word", help="from Skrill's developer settings", secret=True),
    )

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        found = _form(incoming.body)
        merchant, ours, amount, currency, status = (found.get(name, "") for name in _SIGNED)
        made = _md5(f"{merchant}{ours}{_md5(secrets['secret'])}{amount}{currency}{status}")
        reading.require_same([found.get("md5sig", "")], [made], where="md5sig")
        if merchant != settings.get("merchant_id"):
            raise Mismatch("merchant_id is another account's")
        formed = _AMOUNT.fullmatch(amount) and _CURRENCY.fullmatch(currency) and _STATUS.fullmatch(status)
        if not ours or not formed:
            raise Mismatch("a signed value is empty or has not its form")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        found = _form(incoming.body)
        status, currency = found.get("status", ""), found.get("mb_currency", "")
        if not all(found.get(name) for name in _SIGNED):
            raise Unreadable(f"a status post without one of {', '.join(_SIGNED)}")
        named = {
            "reason_code": "failed_reason_code",
            "method": "payment_type",
            "paid_amount": "amount",
            "paid_currency": "currency",
        }
        return [
            PspEvent(
                event_id="|".join(found[name] for name in _SIGNED),
                kind=_KINDS.get(status, _K.OTHER),
                psp_reference=found.get("mb_transaction_id", ""),
                merchant_reference=found["transaction_id"],
                amount=reading.major(found["mb_amount"]),
                currency=currency,
                status=f"{status} {_WORDS.get(status, '')}".strip(),
                reason=found.get("failed_reason_code", ""),
                details={name: found[field] for name, field in named.items() if found.get(field)},
            )
        ]


def _form(body: bytes) -> dict[str, str]:
    """The fields of a form. Raises Unreadable where two programs could read different ones."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, encoding="utf-8", errors="strict",
            max_num_fields=FIELDS_MAX,
        )  # fmt: skip
    except ValueError as error:
        raise Unreadable(f"the body is no form: {error}") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a field of the form stands twice")
    return found


def _md5(text: str) -> str:
    return hashlib.md5(reading.encoded(text), usedforsecurity=False).hexdigest().upper()


READER = Skrill()
