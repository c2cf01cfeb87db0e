"""What of a person's rights counts at this moment: the run-time half of grants and forbidden pairs.

The tables of rights are swept every minute; between two sweeps a right that has run out is still in them, and a
waiver that has ended leaves two roles together. Neither counts: this is asked whenever rights are read.
"""

from __future__ import annotations

from collections.abc import Iterable

from backoffice.access.models import Grant, Kind, Waiver
from backoffice.kernel import clock
from backoffice.organisation import pairs
from backoffice.organisation.models import User
from backoffice.organisation.pairs import Conflict
from backoffice.organisation.selectors.scope import Limits


def limits(user: User, roles: frozenset[str]) -> Limits:
    """Roles and places of this person that have run out, and what two roles of a pair withhold from each other."""
    now = clock.now()
    grants = list(Grant.objects.filter(user=user, ended_at=None).only("role", "kind", "entities", "desks", "until"))
    live = [grant for grant in grants if grant.until is None or grant.until > now]
    over = [grant for grant in grants if grant.until is not None and grant.until <= now]
    ended = {grant.role for grant in over} - {grant.role for grant in live}
    found = pairs.between(roles - ended)
    return Limits(
        roles=frozenset(ended),
        entities=_lost(over, live, "entities"),
        desks=_lost(over, live, "desks"),
        permissions=pairs.withheld(unwaived(user.pk, found, live)) if found else frozenset(),
    )


def unwaived(user_id: int, found: Iterable[Conflict], live: Iterable[Grant]) -> list[Conflict]:
    """The conflicts that neither a waiver nor a break-glass grant in force lets stand."""
    waived = set(
        Waiver.objects.filter(user_id=user_id, ended_at=None, until__gt=clock.now()).values_list("pair", flat=True)
    )
    broken = {grant.role for grant in live if grant.kind == Kind.BREAK_GLASS}
    return [
        conflict
        for conflict in found
        if not (
            pairs.pair(conflict.pair).waiver and (conflict.pair in waived or broken & {conflict.role, conflict.other})
        )
    ]


def live_grants(user_id: int) -> list[Grant]:
    """The person's grants that have not ended and not run out."""
    now = clock.now()
    rows = Grant.objects.filter(user_id=user_id, ended_at=None)
    return [grant for grant in rows if grant.until is None or grant.until > now]


def _lost(over: list[Grant], live: list[Grant], name: str) -> frozenset[int]:
    """Places that only grants which have run out brought."""
    kept = {pk for grant in live for pk in getattr(grant, name)}
    return frozenset(pk for grant in over for pk in getattr(grant, name) if pk not in kept)
