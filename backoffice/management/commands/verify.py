"""`manage verify`: recompute everything the product promises and name what does not hold.

Exit code 0 and no finding, or 1 and each finding with its rule, its row and how far off it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction

from accounts.selectors import verify as accounts
from backoffice.access.selectors import verify as access
from backoffice.approvals.selectors import verify as approvals
from backoffice.audit.selectors import verify as audit
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.findings import Finding
from backoffice.organisation.services import protection
from backoffice.signin.selectors import verify as signin
from integrations.selectors import verify as integrations
from ledger.selectors import verify as ledger
from payments.selectors import verify as payments
from reconciliation.selectors import verify as reconciliation
from reporting.selectors import verify as reporting

CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    ledger.findings,
    integrations.findings,
    accounts.findings,
    payments.findings,
    reconciliation.findings,
    approvals.findings,
    access.findings,
    signin.findings,
    reporting.findings,
    audit.findings,
)


@transaction.atomic
def findings() -> list[Finding]:
    """All that does not hold, in the order of the rooms."""
    with connection.cursor() as cursor:
        # Every rule reads whole tables. Without statistics of them, as right after a load, PostgreSQL would take them
        # for small and compare each row with each: minutes for a few thousand journals.
        cursor.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off")
    found = [finding for check in CHECKS for finding in check()]
    return found + [Finding("the database is protected as declared", text, "") for text in protection.differences()]


class Command(Base):
    help = "Recompute balances, journals, facts, raw messages, bookings and rights from scratch."

    def answer(self, **options: Any) -> dict[str, Any]:
        found = findings()
        return {
            "clean": not found,
            "findings": [{"rule": f.rule, "subject": f.subject, "detail": f.detail} for f in found],
        }

    def sentences(self, result: dict[str, Any]) -> list[str]:
        if result["clean"]:
            return ["Everything holds."]
        counts = Counter(finding["rule"] for finding in result["findings"])
        lines = [f"NOT: {rule} ({count})" for rule, count in counts.items()]
        return lines + [f"  {f['subject']}: {f['detail']}" for f in result["findings"]]

    def exit_code(self, result: dict[str, Any]) -> int:
        return 0 if result["clean"] else 1
