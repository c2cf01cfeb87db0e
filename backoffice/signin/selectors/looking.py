"""Who may look at the pages as whom, and what stays hidden even so.

Somebody who looks sees what the other sees and less: what only compliance knows, files to take away, personal data in
the log and changes by table are withheld, and people of compliance are not looked at in the first place.
"""

from __future__ import annotations

from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.organisation.roles import OF_COMPLIANCE
from backoffice.organisation.selectors import scope
from backoffice.signin.models import Impersonation, LookEnd

IMPERSONATE = "signin.impersonate"
# Whoever verifies the log reads what is hidden in it from others; changes by table hide nothing but flags.
_OF_THE_LOG = {"audit.verify_log", "audit.view_change", "audit.reveal_personal"}
WITHHELD = OF_COMPLIANCE | _OF_THE_LOG | {"organisation.export_rows"}
_NOT_LOOKED_AT = {"CMP", "MLRO"}


def against(by: User, user: User) -> str:
    """Why this administrator may not look as this person; empty when nothing stands against it."""
    roles = set(user.groups.values_list("name", flat=True))
    if by.pk == user.pk:
        return "That is you. Look at the pages as you are."
    if not by.is_active or not user.is_active:
        return f"{user} has been deactivated and opens no page, so there is nothing to see."
    if user.is_superuser or "SYS" in roles or scope.may(user, IMPERSONATE):
        return f"{user} administers the system. Administrators do not look as each other: ask them to show it to you."
    if roles & _NOT_LOOKED_AT or any(scope.may(user, permission) for permission in OF_COMPLIANCE):
        return f"{user} knows what only compliance may know. Nobody looks as them: ask them to show it to you."
    if not set(scope.entity_ids(user)) <= set(scope.entity_ids(by)):
        return f"{user} works in a legal entity that you do not work in. Ask an administrator who works there."
    return ""


def over(row: Impersonation) -> LookEnd | None:
    """Why this look cannot go on; None: it can. Asked on every request."""
    if clock.now() >= row.until:
        return LookEnd.TIME
    if not scope.may(row.by, IMPERSONATE) or against(row.by, row.user):
        return LookEnd.RIGHTS
    return None
