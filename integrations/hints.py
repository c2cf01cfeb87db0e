"""What payment providers tell us at once, in one form for every vendor: hints. Their reports are the book.

A hint may come twice, late, or after a newer one. `forward` says whether it moves what is known of its payment on;
one that does not is kept and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum


class PspEventKind(str, Enum):
    """What happened, whatever the provider calls it. Payments are client to us, payouts are us to the client."""

    PAYMENT_PENDING = "PAYMENT_PENDING"
    PAYMENT_DECLINED = "PAYMENT_DECLINED"  # or expired: no money came, though late money may
    PAYMENT_APPROVED = "PAYMENT_APPROVED"
    PAYMENT_CANCELLED = "PAYMENT_CANCELLED"  # taken back before it was money: voided, capture failed
    PAYOUT_SENT = "PAYOUT_SENT"
    PAYOUT_PAID = "PAYOUT_PAID"
    PAYOUT_FAILED = "PAYOUT_FAILED"
    PAYOUT_RETURNED = "PAYOUT_RETURNED"  # it had been paid, and the money came back
    REFUNDED = "REFUNDED"
    REFUND_FAILED = "REFUND_FAILED"
    DISPUTE_INQUIRY = "DISPUTE_INQUIRY"
    DISPUTE_FRAUD_NOTICE = "DISPUTE_FRAUD_NOTICE"  # TC40 or SAFE: no money moves
    DISPUTE_NOTIFIED = "DISPUTE_NOTIFIED"
    DISPUTE_CHARGED_BACK = "DISPUTE_CHARGED_BACK"  # the money was taken
    DISPUTE_DEFENDED = "DISPUTE_DEFENDED"
    DISPUTE_REVERSED = "DISPUTE_REVERSED"  # given back, not for good
    DISPUTE_PRE_ARBITRATION = "DISPUTE_PRE_ARBITRATION"
    DISPUTE_SECOND_ROUND = "DISPUTE_SECOND_ROUND"
    DISPUTE_WON = "DISPUTE_WON"
    DISPUTE_LOST = "DISPUTE_LOST"
    DISPUTE_CLOSED = "DISPUTE_CLOSED"
    REPORT_AVAILABLE = "REPORT_AVAILABLE"
    # A type this version does not know: kept, nothing follows from it.
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class PspEvent:
    """One thing a provider says happened.

    `event_id` is the provider's own, or made of the values its signature covers, so that the same event has it at
    every delivery. `psp_reference` names what the event is about (payment, payout, refund, dispute),
    `original_reference` the payment a refund or dispute belongs to, `merchant_reference` is ours. `amount` is in major
    units of `currency`, unsigned as the provider says it, None where there is none. `status` and `reason` are the
    provider's words. `details` may have: method, arn, reason_code, scheme, defence_until (ISO moment), defendable,
    auto_defended, merchant_account, report_url, txid, fee, fee_currency, paid_amount, paid_currency.
    """

    event_id: str
    kind: PspEventKind
    psp_reference: str = ""
    original_reference: str = ""
    merchant_reference: str = ""
    amount: Decimal | None = None
    currency: str = ""
    occurred_at: datetime | None = None
    status: str = ""
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


_K = PspEventKind
# The life of each thing, from its beginning to its end; what stands in one line excludes the others in it.
LIVES: tuple[tuple[tuple[PspEventKind, ...], ...], ...] = (
    ((_K.PAYMENT_PENDING,), (_K.PAYMENT_DECLINED,), (_K.PAYMENT_APPROVED,), (_K.PAYMENT_CANCELLED,)),
    ((_K.PAYOUT_SENT,), (_K.PAYOUT_PAID,), (_K.PAYOUT_FAILED, _K.PAYOUT_RETURNED)),
    ((_K.REFUNDED,), (_K.REFUND_FAILED,)),
    (
        (_K.DISPUTE_FRAUD_NOTICE,),
        (_K.DISPUTE_INQUIRY,),
        (_K.DISPUTE_NOTIFIED,),
        (_K.DISPUTE_CHARGED_BACK,),
        (_K.DISPUTE_DEFENDED,),
        (_K.DISPUTE_REVERSED,),
        (_K.DISPUTE_PRE_ARBITRATION,),
        (_K.DISPUTE_SECOND_ROUND,),
        (_K.DISPUTE_WON, _K.DISPUTE_LOST),
        (_K.DISPUTE_CLOSED,),
    ),
)
_PLACE = {kind: (life, step) for life, steps in enumerate(LIVES) for step, kinds in enumerate(steps) for kind in kinds}


def forward(old: PspEventKind | None, new: PspEventKind) -> bool:
    """Whether a hint `new` moves on a thing that is known as `old` (None: nothing is known yet).

    False for the same state again, for an older one that comes late, and for kinds that are no state of the thing:
    payment, payout, refund and dispute each have a life of their own, and reports and unknown events have none.
    """
    if new not in _PLACE:
        return False
    if old is None:
        return True
    if old not in _PLACE:
        return False
    (life, step), (new_life, new_step) = _PLACE[old], _PLACE[new]
    return life == new_life and new_step > step
