"""Paying out to crypto addresses through CoinsPaid's API.

What of the protocol is known and what is assumed stands in integrations/docs.md ("Payouts at PSPs").

POST /api/v2/withdrawal/crypto with our reference as `foreign_id`, which CoinsPaid takes once; looked up by
POST /api/v2/transactions/info with the same. Every body is signed: X-Processing-Key names the key,
X-Processing-Signature is the HMAC-SHA512 (hex) of the raw body. Amounts are decimal texts.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from backoffice.kernel import money
from integrations.adapters import gateway
from integrations.adapters.failures import BadAnswer, BadSetting
from integrations.adapters.gateway import Answer, Http, text
from integrations.ports import (
    GatewayPayout,
    Instruction,
    OutcomeUnknown,
    PayoutStage,
    Probe,
    PspGateway,
    PspGatewayAdapter,
    ServerError,
    Setting,
)

_PAY = "/api/v2/withdrawal/crypto"
_FIND = "/api/v2/transactions/info"
_ACCOUNTS = "/api/v2/accounts/list"
_STAGES = {
    "processing": PayoutStage.SENT,
    "not_confirmed": PayoutStage.SENT,
    "confirmed": PayoutStage.PAID,
    "cancelled": PayoutStage.FAILED,
    "declined": PayoutStage.FAILED,
    "returned": PayoutStage.RETURNED,
}


class CoinsPaidGateway:
    """One account at CoinsPaid. Not for use by several threads."""

    def __init__(self, http: Http, *, key: str, secret: str) -> None:
        self._http = http
        self._key = key
        self._secret = secret.encode()

    def pay(self, instruction: Instruction) -> GatewayPayout:
        """Raises ServerError, OutcomeUnknown."""
        to = instruction.destination
        body = {
            "foreign_id": instruction.reference,
            "amount": format(instruction.amount, "f"),
            "currency": instruction.currency,
            "address": to["address"],
            **({"tag": to["tag"]} if to.get("tag") else {}),
            **({"convert_to": to["convert_to"]} if to.get("convert_to") else {}),
        }
        try:
            answer = self._order(body)
        except ServerError as error:
            # The reference is known there: an order of ours came through before.
            if error.retcode == 400 and "foreign_id" in str(error):
                raise OutcomeUnknown(f"{error} It may have been paid: it is looked up first.") from error
            raise
        made = answer.data.get("data")
        if not isinstance(made, Mapping) or not text(made, "id") or text(made, "foreign_id") != instruction.reference:
            raise OutcomeUnknown(f"POST {_PAY}: done, but the answer does not name the payment. It is looked up first.")
        return GatewayPayout(
            psp_reference=text(made, "id"),
            stage=_STAGES.get(text(made, "status"), PayoutStage.SENT),
            amount=instruction.amount,
            currency=instruction.currency,
        )

    def find(self, instruction: Instruction) -> Sequence[GatewayPayout]:
        """Raises ServerError."""
        rows = self._ask(_FIND, {"foreign_id": instruction.reference}).data.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise BadAnswer(f"POST {_FIND}: the answer is not a list.")
        return [_payout(row) for row in rows if text(row, "foreign_id") == instruction.reference]

    def probe(self) -> list[Probe]:
        """List the balances."""
        try:
            self._ask(_ACCOUNTS, {})
        except ServerError as error:
            return [Probe("Balances", False, str(error))]
        return [Probe("Balances", True, "The PSP answers and takes the signature.")]

    def close(self) -> None:
        self._http.close()

    def _order(self, body: Mapping[str, Any]) -> Answer:
        raw = gateway.encoded(body)
        return self._http.order(_PAY, headers=self._signed(raw), what=f"POST {_PAY}", body=raw)

    def _ask(self, path: str, body: Mapping[str, Any]) -> Answer:
        raw = gateway.encoded(body)
        return self._http.read(path, headers=self._signed(raw), what=f"POST {path}", body=raw)

    def _signed(self, raw: bytes) -> dict[str, str]:
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "X-Processing-Key": self._key,
            "X-Processing-Signature": hmac.new(self._secret, raw, hashlib.sha512).hexdigest(),
        }


class CoinsPaidGatewayAdapter:
    """How CoinsPaid is reached for payouts."""

    name = "coinspaid_gateway"
    title = "CoinsPaid withdrawals (API)"
    settings: Sequence[Setting] = (
        *gateway.SETTINGS,
        Setting("key", "Key", "The public half, sent as X-Processing-Key."),
        Setting("secret", "Secret", "The half that signs.", secret=True),
    )
    destination: Sequence[Setting] = (
        Setting("address", "Address", "Where the coins go."),
        Setting("tag", "Tag", "Memo or destination tag, where the chain has one.", False),
        Setting("convert_to", "Paid as", "The coin that is sent, where it is not the payout's currency.", False),
    )

    def open(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> PspGateway:
        """Raises BadSetting. Nothing is sent yet."""
        if not secrets.get("secret") or not settings.get("key"):
            raise BadSetting("key, secret: both halves of the key are needed.")
        return CoinsPaidGateway(gateway.http_of(settings), key=settings["key"], secret=secrets["secret"])


def _payout(row: Mapping[str, Any]) -> GatewayPayout:
    status, sent = text(row, "status"), row.get("currency_sent")
    if status not in _STAGES:
        raise BadAnswer(f"The status {status[:40]!r} of a transaction is not known to this version.")
    if not isinstance(sent, Mapping):
        raise BadAnswer("A transaction does not say what was sent.")
    try:
        amount = money.parse(text(sent, "amount"))
    except money.BadAmount as error:
        raise BadAnswer(f"A transaction cannot be read: {error}") from error
    return GatewayPayout(
        psp_reference=text(row, "id"),
        stage=_STAGES[status],
        amount=amount,
        currency=text(sent, "currency"),
        reason=text(row, "error"),
    )


ADAPTER: PspGatewayAdapter = CoinsPaidGatewayAdapter()
