"""What a fact means in the books. Pure: no database, no clock.

All amounts are signed as in the ledger, debit positive. A client's account is a liability, so money that comes
to the client is a negative line on it; what the broker earns is negative on income.

    deal, trade      client -(p+s+c+f) | trading result +profit | swap +swap | commission +commission | fees +fee
    deal, balance    client -amount    | client money on its way +amount
    PSP payment      PSP +net | fees +fee | client money on its way -gross
    PSP payout       PSP +net (negative) | payouts on their way -net; one that came back is the same, positive
    PSP reserve      PSP +net (negative when held) | reserves held -net, until the day of the release
    PSP exchange     PSP +net | exchange -net, in each of the two currencies a journal of its own
    PSP state        nothing: the payment is booked when its money moves
    bank line        bank +amount | payouts or client money on its way, or unallocated -amount
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from accounts.models import UnbookedReason
from integrations.records import PAYOUT_TOKEN, DealKind, PspKind

CLIENT_BALANCE = "@balance"
CLIENT_CREDIT = "@credit"
CLIENT_RESERVED = "@reserved"
MONEY = "@money"  # the account at the PSP or bank itself
CLIENT_MONEY = "clearing.client_money"
OWN_MONEY = "clearing.own_money"

# Our own references, wherever they travel: comment, merchant reference, EndToEndId, remittance. Deposit, withdrawal,
# transfer, adjustment, credit, fee, conversion, top-up of client money.
REFERENCE = re.compile(r"\b[DWTACFXP]-[0-9A-Z]{8}\b")

# Where a balance-kind deal's counterpart is; the client's side is the balance account unless it is credit.
_DEAL_CONTRA: Mapping[DealKind, str] = {
    DealKind.BALANCE: CLIENT_MONEY,
    DealKind.CREDIT: "credit.granted",
    DealKind.CHARGE: "income.fees",
    DealKind.CORRECTION: "expense.client_corrections",
    DealKind.BONUS: "expense.bonus",
    DealKind.COMMISSION: "income.commission",
    DealKind.AGENT: "expense.partners",
    DealKind.INTEREST: "expense.client_interest",
    DealKind.DIVIDEND: "expense.client_interest",
    DealKind.TAX: "tax.payable",
    DealKind.SO_COMPENSATION: "expense.negative_balance",
    DealKind.SO_COMPENSATION_CREDIT: "credit.granted",
}
_ON_CREDIT = {DealKind.CREDIT, DealKind.SO_COMPENSATION_CREDIT}
_PSP_CONTRA: Mapping[PspKind, str] = {
    PspKind.PAYMENT: CLIENT_MONEY,
    PspKind.REFUND: CLIENT_MONEY,
    PspKind.REFUND_REVERSED: CLIENT_MONEY,
    PspKind.CHARGEBACK: "expense.chargebacks",
    PspKind.CHARGEBACK_REVERSED: "expense.chargebacks",
    PspKind.FEE: "expense.psp_fees",
    PspKind.PAYOUT: "clearing.payouts",
    PspKind.RESERVE: "clearing.reserves",
    PspKind.TRANSFER: "clearing.own_money",
    PspKind.ADJUSTMENT: "expense.psp_fees",
    PspKind.CONVERSION: "clearing.fx",
}


class CannotBook(Exception):
    """The fact is kept but not booked; the reason becomes a break."""

    def __init__(self, reason: UnbookedReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Plan:
    """A journal in terms of account names; an empty one means that the fact moves no money."""

    kind: str
    description: str
    lines: Mapping[str, Decimal] = field(default_factory=dict)


def plan_deal(
    *,
    kind: str,
    ticket: int,
    symbol: str,
    side: str,
    volume_lots: Decimal,
    gateway: str,
    comment: str,
    profit: Decimal,
    swap: Decimal,
    commission: Decimal,
    fee: Decimal,
    deleted: bool,
) -> Plan:
    """A trade server's deal. A deleted one moves nothing: what its earlier version booked is reversed."""
    deal_kind = DealKind(kind)
    if deleted:
        return Plan("DEAL", f"Deal {ticket} deleted at the server")
    if deal_kind == DealKind.UNKNOWN:
        raise CannotBook(UnbookedReason.UNKNOWN_TYPE, f"deal {ticket}: a deal action this version does not know")
    if deal_kind == DealKind.TRADE:
        result = "income.abook" if gateway else "income.bbook"
        lines = _nonzero({
            CLIENT_BALANCE: -(profit + swap + commission + fee),
            result: profit,
            "income.swap": swap,
            "income.commission": commission,
            "income.fees": fee,
        })  # fmt: skip
        return Plan("DEAL", f"Deal {ticket} {side} {volume_lots.normalize():f} {symbol}", lines)
    amount = profit + swap + commission + fee
    client = CLIENT_CREDIT if deal_kind in _ON_CREDIT else CLIENT_BALANCE
    lines = _nonzero({client: -amount, _DEAL_CONTRA[deal_kind]: amount})
    return Plan("DEAL", f"Deal {ticket} {deal_kind.value.lower()} {comment}".strip(), lines)


def plan_psp(*, kind: str, provider_type: str, reference: str, gross: Decimal, fee: Decimal, net: Decimal) -> Plan:
    """A PSP line: the PSP's balance moves by net, the fee is ours, the rest is what the line is about."""
    psp_kind = PspKind(kind)
    if psp_kind == PspKind.UNKNOWN:
        raise CannotBook(UnbookedReason.UNKNOWN_TYPE, f"PSP type {provider_type!r} is not known")
    if psp_kind == PspKind.PAYMENT_STATE:
        return Plan("PSP", f"{provider_type} {reference}".strip())
    contra = _PSP_CONTRA[psp_kind]
    lines: dict[str, Decimal] = {MONEY: net}
    lines["expense.psp_fees"] = fee
    lines[contra] = lines.get(contra, Decimal(0)) - (net + fee)
    return Plan("PSP", f"{provider_type} {reference}".strip(), _nonzero(lines))


def plan_bank(
    *, amount: Decimal, remittance: str, end_to_end_id: str, counterparty: str, is_charge: bool, is_payout: bool = False
) -> Plan:
    """A bank line: what it says decides on what it waits for its other side. `is_payout`: a payout of a PSP that we
    know is proved to be it (booking/payouts.py)."""
    said = f"{end_to_end_id} {remittance}"
    if is_payout or PAYOUT_TOKEN.search(said):
        contra = "clearing.payouts"
    elif ours := REFERENCE.search(said):
        # A top-up of client money is the house's own money on its way between its accounts.
        contra = OWN_MONEY if ours[0].startswith("P") else CLIENT_MONEY
    else:
        contra = "expense.psp_fees" if is_charge else "clearing.unallocated"
    text = " ".join(part for part in (counterparty, remittance) if part)
    return Plan("BANK", f"Bank {text}".strip()[:300], _nonzero({MONEY: amount, contra: -amount}))


def plan_fill(*, exec_id: str, commission: Decimal) -> Plan:
    """A fill at a liquidity provider: only its commission (negative is a cost) is money in our books."""
    lines = _nonzero({"expense.lp_commission": -commission, "lp.payable": commission})
    return Plan("FILL", f"LP commission {exec_id}", lines)


def _nonzero(lines: Mapping[str, Decimal]) -> dict[str, Decimal]:
    kept = {name: amount for name, amount in lines.items() if amount}
    assert not sum(kept.values(), Decimal(0)), "a plan balances"
    return kept
