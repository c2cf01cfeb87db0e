"""How much of a fact no standing match has taken, and who matched what."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Q, Sum

from reconciliation.models import Break, CashAllocation, CashMatch


def free_of(kind: str, fact_id: int, amount: Decimal) -> Decimal:
    """What is left of a fact's `amount`, with its sign."""
    standing = CashAllocation.objects.filter(fact_kind=kind, fact_id=fact_id, match__undone_at=None)
    taken: Decimal | None = standing.aggregate(taken=Sum("amount"))["taken"]
    return amount - (taken or Decimal(0))


def people_who_matched(item: Break) -> set[int]:
    """Ids of those who ever matched by hand what a break is about: its reference, or one of its lines."""
    facts = Q()
    for kind, name in (("bank", "bank"), ("psp", "psp"), ("deal", "deals"), ("journal", "journals")):
        facts |= Q(allocations__fact_kind=kind, allocations__fact_id__in=item.refs.get(name, []))
    found = CashMatch.objects.filter(entity_id=item.entity_id).exclude(person=None).filter(Q(key=item.key) | facts)
    return {person for person in found.values_list("person_id", flat=True) if person is not None}
