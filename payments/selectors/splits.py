"""Into which payments a withdrawal has to be split, so that all of it goes back the way it came.

The plan of sources.py goes by deposits; payments go by destinations. What is given back by a PSP names its deposit and
stays a payment of its own; everything else of one method is one payment, and profit goes with such a one where the rule
lets it go that way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from django.db.models import QuerySet

from backoffice.kernel import clock
from backoffice.organisation.selectors import currencies
from payments.models import MoneyRequest, Payee, PayeeKind, PayeeState, RequestKind, RequestState
from payments.selectors import sources
from payments.selectors.rules import rule_for
from payments.selectors.sources import Part

_BY_REFUND = (PayeeKind.CARD, PayeeKind.EWALLET)


@dataclass(frozen=True, slots=True)
class Share:
    """One payment: `amount` in the withdrawal's currency by one of `methods`. `original_id` is the deposit that it
    gives back, for those that a PSP refunds."""

    amount: Decimal
    methods: tuple[str, ...]
    words: str
    original_id: int | None = None


def shares(request: MoneyRequest) -> list[Share]:
    """The payments of a withdrawal as they would be now, in the order of the plan; one where nothing is to be split."""
    rule = rule_for(request.entity_id)
    exponent = currencies.exponent(request.currency_id)
    known = sources.sources_of(request.client_id, request.currency_id, besides=request.pk)
    parts = sources.plan(known, request.amount, sources.order_of(rule), now=clock.now(), exponent=exponent)
    found: dict[object, Share] = {}
    for part in parts:
        method = part.method or _way_out(found, rule.profit_methods)
        share = _share(part, (method,) if method else tuple(rule.profit_methods), request.currency_id, exponent)
        key = share.original_id or method
        known_share = found.get(key)
        found[key] = share if known_share is None else _together(known_share, share)
    return list(found.values())


def can_be_split(request: MoneyRequest) -> bool:
    """Whether it is a withdrawal that nobody has sent for approval yet and that has more than one way back."""
    asked = request.kind == RequestKind.WITHDRAWAL and request.state == RequestState.ASKED
    return asked and request.split_from_id is None and len(shares(request)) > 1


def payees_for(request: MoneyRequest, share: Share) -> QuerySet[Payee]:
    """Verified payees of the client that the share may go to."""
    rows = Payee.objects.filter(client=request.client_id, currency=request.currency_id, state=PayeeState.VERIFIED)
    return rows.filter(kind__in=share.methods).order_by("-pk")


def token(found: list[Share]) -> str:
    """What a page hands back, so that nobody splits by another plan than the one that was read."""
    return ";".join(f"{share.amount.normalize():f}:{share.original_id or ','.join(share.methods)}" for share in found)


def _share(part: Part, methods: tuple[str, ...], currency: str, exponent: int) -> Share:
    source = part.source
    refund = part.method in _BY_REFUND and source is not None and source.psp_reference != ""
    return Share(
        part.amount,
        methods,
        sources.sentence(part, currency, exponent),
        source.request_id if refund and source is not None else None,
    )


def _together(first: Share, second: Share) -> Share:
    return replace(first, amount=first.amount + second.amount, words=f"{first.words}; {second.words}")


def _way_out(found: dict[object, Share], profit_methods: list[str]) -> str:
    """The method of a payment that is made anyway and that profit may go by, too; else none in particular."""
    return next((method for method in profit_methods if method in found), "")
