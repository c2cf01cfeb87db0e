"""Telling the auditors that somebody broke the glass: a mail through the outbox, and the counter in their rail."""

from __future__ import annotations

from backoffice.access.models import Grant
from backoffice.organisation.models import User
from backoffice.outbox import services as outbox

SUBJECT = "Back office: break-glass"
BODY = (
    "Somebody was given a role for a few hours under break-glass, approved by management.\n"
    "Who, what and why is in the back office under Administration, Grants (number {number}).\n"
)


def break_glass(given: Grant) -> int:
    """One mail per active auditor, without personal data, in the caller's transaction. Returns how many."""
    auditors = User.objects.filter(groups__name="AUD", is_active=True).exclude(email="").order_by("pk")
    for auditor in auditors:
        outbox.enqueue(
            kind="mail",
            key=f"break-glass:{given.pk}:{auditor.pk}",
            payload={"to": [auditor.email], "subject": SUBJECT, "body": BODY.format(number=given.pk)},
        )
    return len(auditors)
