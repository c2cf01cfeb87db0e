"""Open breaks: how many there are for a person, and the buckets of their ages."""

from __future__ import annotations

from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from reconciliation.models import OPEN_STATES, Break

_MOST = 100
# Ageing buckets in business days; the last one has no end.
BUCKETS: tuple[tuple[str, int], ...] = (("0–1", 1), ("2–3", 3), ("4–7", 7), ("8–30", 30), ("> 30", 10**6))


def open_for(user: User) -> int:
    """Open breaks in the entities a person works in; counting stops at 100."""
    rows = Break.objects.filter(entity__in=scope.entity_ids(user), state__in=OPEN_STATES).order_by()
    return rows[:_MOST].count()
