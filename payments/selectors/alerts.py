"""Which alerts wait for somebody."""

from __future__ import annotations

from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from payments.models import AlertState, FraudAlert

VIEW, WORK = "payments.view_fraudalert", "payments.work_fraudalert"
MOST = 100


def waiting(user: User) -> int:
    """How many open alerts nobody has taken or that this person has, for those who work on them; at most MOST."""
    if not scope.may(user, WORK):
        return 0
    rows = FraudAlert.objects.exclude(state=AlertState.CLOSED)
    mine = rows.filter(assignee=None) | rows.filter(assignee=user)
    return len(scope.visible(user, mine, WORK).order_by()[:MOST].values_list("pk"))
