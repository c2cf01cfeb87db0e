"""How high the bar is for a request: which policies hold, and what they ask for together.

Read once, when something is asked; the request keeps the answer. Among the policies without a risk flag that fit
(entity or all entities, amount reached) the one with the highest `from_amount` holds. Every fitting policy with a
flag of the target then adds to it: more approvers, a second permission, an executor, less time.

The amount that counts is the request's own plus that of all other requests of the same client in the last 24 hours,
open or executed, whatever the action: three withdrawals of 400 are 1,200.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q

from backoffice.approvals.models import OPEN, Policy, Request, State
from backoffice.approvals.registry import Action
from backoffice.kernel import clock
from backoffice.kernel.money import Money

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Bar:
    """What a request needs. `counted` is the amount that was compared with the policies, in reporting currency."""

    approvals: int
    approve: str
    second: str
    execute: str
    expires_after_hours: int
    sla_hours: int
    bulk: bool
    rules: tuple[int, ...]
    counted: Decimal


def bar(action: Action, payload: Any, entity_id: int, *, besides: int | None = None) -> Bar:
    """The bar as of now; `besides` is a request that does not count for the daily sum (itself)."""
    size = counted(action, payload, entity_id, besides=besides)
    rows = Policy.objects.filter(
        Q(entity=None) | Q(entity=entity_id),
        action=action.name,
        ended_at=None,
        from_amount__lte=size,
        risk_flag__in=["", *action.risk(payload)],
    )
    return _sum(action, list(rows), size)


def counted(action: Action, payload: Any, entity_id: int, *, besides: int | None = None) -> Decimal:
    """This amount and the client's others of a day, none of them with a sign: opposite ones do not cancel out."""
    amount, client = action.amount(payload), action.client(payload)
    return (abs(amount.amount) + _others(client, amount, entity_id, besides)) if amount else Decimal(0)


def _others(client: str, amount: Money, entity_id: int, besides: int | None) -> Decimal:
    if not client:
        return Decimal(0)
    recent = Q(state__in=OPEN) | Q(state=State.EXECUTED, finished_at__gt=clock.now() - DAY)
    rows = Request.objects.filter(recent, client=client, entity=entity_id, currency=amount.currency)
    known = rows.exclude(pk=besides or 0).exclude(amount=None).values_list("amount", flat=True)
    return sum((abs(other) for other in known if other is not None), Decimal(0))


def _sum(action: Action, rows: Sequence[Policy], size: Decimal) -> Bar:
    plain = [row for row in rows if not row.risk_flag]
    base = max(plain, key=_rank) if plain else Policy(action=action.name)
    flags = sorted((row for row in rows if row.risk_flag), key=_rank)
    all_ = [base, *flags]
    second = next((row.second_permission for row in reversed(all_) if row.second_permission), "")
    return Bar(
        approvals=max(row.approvers for row in all_),
        approve=base.approve_permission or action.decide,
        second=second,
        execute=next((row.execute_permission for row in reversed(all_) if row.execute_permission), ""),
        expires_after_hours=min(row.expires_after_hours for row in all_),
        sla_hours=min(row.sla_hours for row in all_),
        bulk=all(row.bulk for row in all_) and not action.money,
        rules=tuple(row.pk for row in all_ if row.pk),
        counted=size,
    )


def _rank(row: Policy) -> tuple[Decimal, int, bool]:
    return (Decimal(row.from_amount), row.approvers, row.entity_id is not None)


def stricter(now: Bar, request: Request) -> list[str]:
    """In which ways today's rules ask for more than the request was asked under."""
    more = [
        (now.approvals > request.approvals_needed, f"{now.approvals} approvals instead of {request.approvals_needed}"),
        (bool(now.second) and now.second != request.second_permission, f"a second approver with {now.second}"),
        (bool(now.execute) and not request.execute_permission, "a third person to execute it"),
        (now.approve != request.approve_permission, f"approval with {now.approve}"),
    ]
    return [words for holds, words in more if holds]


def risk_words(codes: Collection[str]) -> str:
    return ", ".join(code.replace("_", " ").lower() for code in codes)
