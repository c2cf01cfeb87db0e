"""A desk of people around small books: who asks for a manual journal, who approves it, who executes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from backoffice.approvals.models import Policy, Request
from backoffice.approvals.services import requests
from backoffice.kernel.actor import Person
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from ledger.models import Journal
from ledger.services.manual import ManualLine
from tests.attacks import DAY, Books, everything, open_books
from tests.builders import person, user

ASK, DECIDE, RUN = "ledger.ask_manual_journal", "ledger.approve_manual_journal", "ledger.close_day"


@dataclass(frozen=True)
class Desk:
    """Books and the people around them. Mara may do everything, and still not with her own request."""

    books: Books
    mara: Person
    chris: Person
    dora: Person
    pat: Person

    def payload(self, key: str = "one", amount: str = "5") -> ManualJournal:
        lines = (ManualLine(self.books.cash.pk, Decimal(amount)), ManualLine(self.books.client.pk, -Decimal(amount)))
        return ManualJournal(key, self.books.here.pk, DAY, "correct a typing error", lines)

    def ask(self, key: str = "one", amount: str = "5", action: str = MANUAL_JOURNAL) -> Request:
        payload = self.payload(key, amount)
        return requests.submit(actor=self.mara, action=action, payload=payload, reason="a typing error")

    def approve(self, who: Person, request: Request) -> Request:
        return requests.approve(actor=who, request_id=request.pk, seen_hash=request.payload_hash)


def open_desk() -> Desk:
    books = open_books()
    here = (books.here,)
    return Desk(
        books,
        person(user("mara", ASK, DECIDE, RUN, entities=here)),
        person(user("chris", DECIDE, RUN, entities=here)),
        person(user("dora", DECIDE, RUN, entities=here)),
        person(user("pat", RUN, entities=here)),
    )


def posted() -> int:
    return Journal.objects.filter(kind="MANUAL").count()


def unchanged(kind: type[Exception] | tuple[type[Exception], ...], attempt: Callable[[], Any], match: str = "") -> None:
    before = everything()
    with pytest.raises(kind, match=match or None):
        attempt()
    assert everything() == before


def policy(**values: Any) -> None:
    Policy.objects.create(action=MANUAL_JOURNAL, **values)


def part(request: Request, who: Person, name: str, content: str = "") -> str:
    return (
        "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, at, reason)"
        f" VALUES ({request.pk}, {who.user_id}, '{name}', '{content or request.payload_hash}', now(), '')"
    )
