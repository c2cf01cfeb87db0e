"""The little reference data the benchmarks share."""

from __future__ import annotations

from datetime import date

from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection, FeedState
from ledger.models import LedgerAccount

ROBOT = System("bench")
DAY = date(2026, 11, 19)


def entity() -> LegalEntity:
    return LegalEntity.objects.get_or_create(
        code="CY",
        defaults={"name": "Bench", "jurisdiction": "CY", "reporting_currency_id": "EUR", "calendar": "TARGET"},
    )[0]


def accounts(count: int, *, hot: int = 1) -> tuple[list[int], list[int]]:
    """Ids of client accounts, and of house accounts that many processes post to at once (striped)."""
    here = entity()
    now = clock.now()
    for striped, many in ((False, count), (True, hot)):
        LedgerAccount.objects.bulk_create(
            LedgerAccount(
                entity=here,
                code=f"{'hot' if striped else 'client'}.{number}",
                currency_id="USD",
                name=f"account {number}",
                kind="ASSET" if striped else "LIABILITY",
                striped=striped,
                exponent=2,
                opened_at=now,
            )
            for number in range(many)
        )
    spread = list(LedgerAccount.objects.filter(striped=False).values_list("pk", flat=True))
    return spread, list(LedgerAccount.objects.filter(striped=True).values_list("pk", flat=True))


def connection(adapter: str, name: str) -> Connection:
    made = Connection.objects.create(entity=entity(), adapter=adapter, name=name, settings={}, created_at=clock.now())
    FeedState.objects.create(connection=made)
    return made
