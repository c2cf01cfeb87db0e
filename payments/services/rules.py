"""Another version of the payments desk's rules, behind four eyes."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from payments.models import CreditOn, PayeeKind, PaymentRule, SourceOrder


class BadRule(DomainError):
    """A rule that says nothing the desk could follow."""


@transaction.atomic
def change(
    *,
    actor: Actor,
    entity_id: int,
    everywhere: bool,
    source_order: str,
    priority: str,
    windows: str,
    profit_methods: str,
    tolerance: Decimal,
    cool_off_days: int,
    typed_from: Decimal,
    credit_on: str,
    request_id: int | None = None,
) -> PaymentRule | None:
    """A new version from now on. `request_id` is the approved request; without it this is the rehearsal."""
    if source_order not in SourceOrder.values or credit_on not in CreditOn.values:
        raise BadRule("Choose an order of sources and what a deposit is credited on.")
    if tolerance < 0 or typed_from < 0 or not 0 <= cool_off_days <= 365:
        raise BadRule("Amounts are not negative, and a payee is young for at most 365 days.")
    values = {
        "source_order": source_order,
        "priority": methods(priority),
        "windows": periods(windows),
        "profit_methods": methods(profit_methods),
        "tolerance": tolerance,
        "cool_off_days": cool_off_days,
        "typed_from": typed_from,
        "credit_on": credit_on,
    }
    if not values["profit_methods"]:
        raise BadRule("Name at least one method that pays what is more than all deposits.")
    if request_id is None:
        return None
    row = PaymentRule.objects.create(
        entity_id=None if everywhere else entity_id, at=clock.now(), request_id=request_id, **values
    )
    audit.record(actor=actor, action="payments.rule_changed", target=row, entity_id=entity_id, data=values)
    return row


def methods(text: str) -> list[str]:
    """ "CARD, BANK" as a list; refuses what is no method."""
    found = [word.strip().upper() for word in text.split(",") if word.strip()]
    wrong = [word for word in found if word not in PayeeKind.values]
    if wrong or len(set(found)) != len(found):
        raise BadRule(f"Methods are {', '.join(PayeeKind.values)}, each once: {', '.join(wrong) or text}.")
    return found


def periods(text: str) -> dict[str, int]:
    """ "CARD 120, EWALLET 365" as days by method."""
    found: dict[str, int] = {}
    for part in filter(None, (word.strip() for word in text.split(","))):
        method, _, days = part.partition(" ")
        if method.upper() not in PayeeKind.values or not days.strip().isdigit() or int(days) > 3650:
            raise BadRule(f"Write the days a method takes refunds as “CARD 120”: {part}.")
        found[method.upper()] = int(days)
    return found


def words(rule: PaymentRule) -> dict[str, str]:
    """A version as `change` takes it, in words."""
    return {
        "source_order": rule.source_order,
        "priority": ", ".join(rule.priority),
        "windows": ", ".join(f"{method} {days}" for method, days in sorted(rule.windows.items())),
        "profit_methods": ", ".join(rule.profit_methods),
        "tolerance": f"{rule.tolerance.normalize():f}",
        "cool_off_days": str(rule.cool_off_days),
        "typed_from": f"{rule.typed_from.normalize():f}",
        "credit_on": rule.credit_on,
    }
