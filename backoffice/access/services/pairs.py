"""Forbidden pairs at the moments they matter: when a role is given, and when something is done."""

from __future__ import annotations

from collections.abc import Iterable

from backoffice.access.selectors import rights
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError
from backoffice.organisation import pairs
from backoffice.organisation.models import User


class PairForbidden(DomainError):
    """One person would hold, or do, both sides of a forbidden pair. The message names the pair."""

    def __init__(self, message: str, pair: int) -> None:
        super().__init__(message)
        self.pair = pair


def require_roles_fit(*, user_id: int | None, roles: Iterable[str], break_glass: bool = False) -> None:
    """Refuse roles that exclude each other, or that exclude one the person (None: somebody new) already holds.

    A waiver in force lets its pair stand; a break-glass role may stand beside another for its hours, except
    beside an auditor's.
    """
    wanted = set(roles)
    held = set(User.objects.get(pk=user_id).groups.values_list("name", flat=True)) if user_id else set()
    found = [c for c in pairs.between(held | wanted) if {c.role, c.other} & wanted]
    if user_id:
        found = rights.unwaived(user_id, found, rights.live_grants(user_id))
    for conflict in found:
        known = pairs.pair(conflict.pair)
        if break_glass and known.waiver:
            continue
        way_out = (
            "Take the other role away first, or have management waive the pair for this person."
            if known.waiver
            else "There is no waiver of this pair."
        )
        raise PairForbidden(
            f"{conflict.role} and {conflict.other} exclude each other ({known}). {way_out}", conflict.pair
        )


def require_not_both(*, actor: Actor, pair: int, earlier: int | Iterable[int | None] | None) -> None:
    """Refuse when the actor is among those who did the other side of the pair to the same thing.

    `earlier` are user ids: who set the hold that is to be released (pair 9), who edited the payee of the withdrawal
    that is to be approved or sent (pair 1). Call it inside the use case, with the row locked. No waiver lifts it.
    """
    people = {earlier} if earlier is None or isinstance(earlier, int) else set(earlier)
    if isinstance(actor, Person) and actor.user_id in people:
        known = pairs.pair(pair)
        raise PairForbidden(
            f"You did the other half of this yourself ({known}). Another person has to take this step.", pair
        )
