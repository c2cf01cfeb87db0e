"""Paying out to cards through Checkout.com's API: refunds of a payment, and payouts to a stored card.

What of the protocol is known and what is assumed stands in integrations/docs.md ("Payouts at PSPs").

Refund: POST /payments/{id}/refunds, looked up in GET /payments/{id}/actions. Payout: POST /payments with `source` (the
currency account it is taken from) and `destination`, looked up by GET /payments?reference=. Both carry our reference
as `reference` and as the header Cko-Idempotency-Key. Amounts are whole minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from integrations.adapters import gateway
from integrations.adapters.failures import BadAnswer, BadSetting
from integrations.adapters.gateway import Http, text
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

# The status of a payment that is a payout.
_STAGES = {
    "Pending": PayoutStage.SENT,
    "Requested": PayoutStage.SENT,
    "Paid": PayoutStage.PAID,
    "Declined": PayoutStage.FAILED,
    "Canceled": PayoutStage.FAILED,
    "Expired": PayoutStage.FAILED,
    "Returned": PayoutStage.RETURNED,
}
_LIST_LIMIT = 100


class CheckoutGateway:
    """One account at Checkout.com. Not for use by several threads."""

    def __init__(self, http: Http, *, secret_key: str, source_account: str, channel: str) -> None:
        self._http = http
        self._headers = {
            "Authorization": f"Bearer {secret_key}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        self._source_account = source_account
        self._channel = channel

    def pay(self, instruction: Instruction) -> GatewayPayout:
        """A refund where a payment is named, else a payout. Raises ServerError, OutcomeUnknown."""
        amount = minor_units(instruction)
        if instruction.original_reference:
            target = f"/payments/{quote(instruction.original_reference, safe='')}/refunds"
            body: dict[str, Any] = {"amount": amount, "reference": instruction.reference}
            name = "action_id"
        else:
            target, name = "/payments", "id"
            body = {
                "source": {"type": "currency_account", "id": self._source_account},
                "destination": {"type": "id", "id": instruction.destination["source_id"]},
                "amount": amount,
                "currency": instruction.currency,
                "reference": instruction.reference,
            }
            if self._channel:
                body["processing_channel_id"] = self._channel
        headers = {**self._headers, "Cko-Idempotency-Key": instruction.reference}
        what = f"POST {target}"
        answer = self._http.order(target, headers=headers, what=what, body=gateway.encoded(body)).data
        made = text(answer, name)
        if not made or text(answer, "reference") != instruction.reference:
            raise OutcomeUnknown(f"{what}: done, but the answer does not name the payment. It is looked up first.")
        stage = _STAGES.get(text(answer, "status"), PayoutStage.SENT)
        return GatewayPayout(
            psp_reference=made,
            stage=stage,
            amount=instruction.amount,
            currency=instruction.currency,
            reason=text(answer, "response_summary"),
        )

    def find(self, instruction: Instruction) -> Sequence[GatewayPayout]:
        """Raises ServerError, also when the list is not whole."""
        if instruction.original_reference:
            return self._refunds(instruction)
        query = urlencode({"reference": instruction.reference, "limit": _LIST_LIMIT, "skip": 0})
        what = "GET /payments"
        answer = self._http.read(f"/payments?{query}", headers=self._headers, what=what).data
        rows = _rows(answer, what)
        if text(answer, "total_count") not in {"", str(len(rows))}:
            raise BadAnswer(f"{what}: {len(rows)} of {text(answer, 'total_count')} payments came.")
        return [
            GatewayPayout(
                psp_reference=text(row, "id"),
                stage=_stage(text(row, "status")),
                amount=_major(row, instruction),
                currency=text(row, "currency"),
                reason=text(row, "response_summary"),
            )
            for row in rows
            if text(row, "reference") == instruction.reference
        ]

    def _refunds(self, instruction: Instruction) -> Sequence[GatewayPayout]:
        what = "GET /payments/{id}/actions"
        target = f"/payments/{quote(instruction.original_reference, safe='')}/actions"
        rows = _rows(self._http.read(target, headers=self._headers, what=what).data, what)
        reversed_ids = {text(row, "reversed_action_id") for row in rows if text(row, "type") == "Refund Reversal"}
        found = []
        for row in rows:
            if text(row, "type") != "Refund" or text(row, "reference") != instruction.reference:
                continue
            approved = {"True": PayoutStage.PAID, "False": PayoutStage.FAILED}
            stage = approved.get(text(row, "approved"), PayoutStage.SENT)
            found.append(
                GatewayPayout(
                    psp_reference=text(row, "id"),
                    stage=PayoutStage.RETURNED if text(row, "id") in reversed_ids else stage,
                    amount=_major(row, instruction),
                    currency=instruction.currency,
                    reason=text(row, "response_summary"),
                )
            )
        return found

    def probe(self) -> list[Probe]:
        """Look for a reference that no payment has."""
        try:
            self._http.read("/payments?reference=probe&limit=1&skip=0", headers=self._headers, what="GET /payments")
        except ServerError as error:
            return [Probe("Payments", False, str(error))]
        return [Probe("Payments", True, "The PSP answers and takes the key.")]

    def close(self) -> None:
        self._http.close()


class CheckoutGatewayAdapter:
    """How Checkout.com is reached for payouts."""

    name = "checkout_gateway"
    title = "Checkout.com payouts and refunds (API)"
    settings: Sequence[Setting] = (
        *gateway.SETTINGS,
        Setting("source_account", "Currency account", "ca_…: what payouts are taken from."),
        Setting("channel", "Processing channel", "pc_…, where the account has several.", False),
        Setting("secret_key", "Secret key", "sk_… with the scopes for payouts, refunds and reading.", secret=True),
    )
    destination: Sequence[Setting] = (Setting("source_id", "Stored card", "src_… as the PSP named it at a deposit."),)

    def open(self, settings: Mapping[str, str], secrets: Mapping[str, str]) -> PspGateway:
        """Raises BadSetting. Nothing is sent yet."""
        if not secrets.get("secret_key"):
            raise BadSetting("secret_key: the secret key is missing.")
        return CheckoutGateway(
            gateway.http_of(settings),
            secret_key=secrets["secret_key"],
            source_account=settings.get("source_account", ""),
            channel=settings.get("channel", ""),
        )


def minor_units(instruction: Instruction) -> int:
    """The amount in whole minor units. Raises ServerError when it has a part of one."""
    units = instruction.amount.scaleb(instruction.exponent)
    if units != units.to_integral_value():
        raise ServerError(f"{instruction.amount} {instruction.currency} is not whole in minor units.", retry=False)
    return int(units)


def _major(row: Mapping[str, Any], instruction: Instruction) -> Decimal:
    said = text(row, "amount")
    if not said.isdecimal():
        raise BadAnswer(f"The amount {said[:20]!r} of a payment is not a whole number.")
    return Decimal(said).scaleb(-instruction.exponent)


def _stage(status: str) -> PayoutStage:
    if status not in _STAGES:
        raise BadAnswer(f"The status {status[:40]!r} of a payment is not known to this version.")
    return _STAGES[status]


def _rows(answer: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
    rows = answer.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise BadAnswer(f"{what}: the answer is not a list.")
    return rows


ADAPTER: PspGatewayAdapter = CheckoutGatewayAdapter()
