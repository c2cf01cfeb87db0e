"""Return to source: money goes back the way it came before anything else may leave.

`plan` is pure: deposits with what is left of each, the amount wanted, the entity's rule. The rule of the trade is first
in, first out by source; cards are refunded up to what that card paid in, then e-wallets, and what is more than all
deposits (profit) leaves by the methods of the rule. `sources_of` reads the deposits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from backoffice.kernel.money import allocate
from payments.models import MoneyRequest, PayeeKind, PaymentRule, RequestKind, RequestState, SourceOrder
from payments.models.requests import UNDONE_STATES
from payments.selectors import disputed


@dataclass(frozen=True, slots=True)
class Source:
    """One deposit. `left` is what can still go back to it: paid in, less given back, less charged back, never below
    nought; in the deposit's currency."""

    request_id: int
    reference: str
    method: str
    at: datetime
    amount: Decimal
    left: Decimal
    connection_id: int | None = None
    psp_reference: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """The part of a PaymentRule that `plan` needs. `windows`: days after which a method takes no refund any more."""

    order: str = SourceOrder.FIFO
    priority: tuple[str, ...] = ()
    windows: Mapping[str, int] | None = None
    tolerance: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Part:
    """How much goes where. Without a source it is profit; `expired` says that the source's window is over, so that it
    goes by a method of profit, with proof."""

    amount: Decimal
    source: Source | None = None
    expired: bool = False

    @property
    def method(self) -> str:
        """The method it has to go by; '' where one of the rule's methods for profit is to be used."""
        return "" if self.source is None or self.expired else self.source.method


def order_of(rule: PaymentRule) -> Order:
    return Order(
        rule.source_order,
        tuple(rule.priority),
        {method: int(days) for method, days in rule.windows.items()},
        rule.tolerance,
    )


def plan(sources: Sequence[Source], amount: Decimal, rule: Order, *, now: datetime, exponent: int) -> list[Part]:
    """Split `amount` over the sources by the rule; what is more than all of them is profit and comes last."""
    open_ones = [source for source in _sorted(sources, rule) if source.left > rule.tolerance]
    total = sum((source.left for source in open_ones), Decimal(0))
    if rule.order == SourceOrder.PRO_RATA and open_ones:
        shares = allocate(min(amount, total), [source.left for source in open_ones], exponent)
    else:
        shares, rest = [], amount
        for source in open_ones:
            shares.append(min(rest, source.left))
            rest -= shares[-1]
    parts = [
        Part(share, source, _is_over(source, rule, now))
        for source, share in zip(open_ones, shares, strict=True)
        if share > 0
    ]
    profit = amount - sum((part.amount for part in parts), Decimal(0))
    return [*parts, Part(profit)] if profit > 0 else parts


def _sorted(sources: Sequence[Source], rule: Order) -> list[Source]:
    ordered = sorted(sources, key=lambda s: (s.at, s.request_id), reverse=rule.order == SourceOrder.LIFO)
    if rule.order == SourceOrder.PRIORITY:
        place = {method: number for number, method in enumerate(rule.priority)}
        ordered.sort(key=lambda source: place.get(source.method, len(place)))
    return ordered


def _is_over(source: Source, rule: Order, now: datetime) -> bool:
    days = (rule.windows or {}).get(source.method)
    return days is not None and source.at < now - timedelta(days=days)


def sources_of(client_id: int, currency: str, *, besides: int | None = None) -> list[Source]:
    """A client's credited deposits in a currency, oldest first, with what is left of each.

    Withdrawals that name their deposit count against it; others of a method count against that method's deposits,
    oldest first. `besides` is a withdrawal that does not count: the one that is looked at.
    """
    deposits = MoneyRequest.objects.filter(
        client=client_id, kind=RequestKind.DEPOSIT, currency=currency, state=RequestState.DONE
    ).order_by("asked_at", "pk")
    rows = list(deposits)
    gone = disputed.charged_back([row.pk for row in rows])
    left = {row.pk: max(row.amount - gone.get(row.pk, Decimal(0)), Decimal(0)) for row in rows}
    for original_id, method, amount in _withdrawn(client_id, currency, besides):
        if original_id in left:
            left[original_id] = max(left[original_id] - amount, Decimal(0))
            continue
        rest = amount
        for row in rows:
            if row.method == method:
                taken = min(left[row.pk], rest)
                left[row.pk] -= taken
                rest -= taken
    return [
        Source(
            row.pk, row.reference, row.method, row.asked_at, row.amount, left[row.pk], row.connection_id,
            row.psp_reference,
        )
        for row in rows
    ]  # fmt: skip


def _withdrawn(client_id: int, currency: str, besides: int | None) -> list[tuple[int | None, str, Decimal]]:
    """(deposit, method, amount) of what left or is about to; those that name their deposit first."""
    rows = (
        MoneyRequest.objects.filter(client=client_id, kind=RequestKind.WITHDRAWAL, currency=currency)
        .exclude(state__in=UNDONE_STATES)
        .exclude(pk=besides or 0)
        .order_by("asked_at", "pk")
        .values_list("original_id", "payee__kind", "amount")
    )
    return sorted(rows, key=lambda row: row[0] is None)


def sentence(part: Part, currency: str, exponent: int) -> str:
    """One part in words: "2,000.00 USD by card (D-7K3M9QPX)"."""
    amount = f"{part.amount:,.{exponent}f} {currency}"
    if part.source is None:
        return f"{amount} more than all deposits"
    way = PayeeKind(part.source.method).label if part.source.method else "unknown method"
    over = ", its refund window is over" if part.expired else ""
    return f"{amount} by {way} ({part.source.reference}{over})"
