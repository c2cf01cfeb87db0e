"""What the rail says about rights: break-glass grants that an auditor and a manager should look at."""

from __future__ import annotations

from backoffice.access.models import Grant, Kind
from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope


def break_glass_in_force(user: User) -> int:
    """How many are in force now; counted for those who watch (AUD) and those who approve (MGT)."""
    if not scope.roles_of(user) & {"AUD", "MGT"}:
        return 0
    return Grant.objects.filter(kind=Kind.BREAK_GLASS, ended_at=None, until__gt=clock.now()).count()
