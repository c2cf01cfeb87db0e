"""A desk of people around small books: who asks for a manual journal, who approves it, who executes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from backoffice.approvals.actions import POLICY, PolicyChange
from backoffice.approvals.models import Policy, Request
from backoffice.approvals.records import Rule
from backoffice.approvals.services import requests
from backoffice.audit.models import Entry
from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from ledger.models import Journal
from ledger.services.manual import ManualLine
from tests.attacks import DAY, Books, everything, only_changed, open_books
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


def own_refused(attempt: Callable[[], Any]) -> None:
    """Somebody tries to decide their own request: nothing changes, and the audit log says who tried."""
    with only_changed("audit_entry"), pytest.raises(requests.SameEyes):
        attempt()
    assert Entry.objects.filter(action="approval.self_refused").exists()


RULE = Rule(
    action=MANUAL_JOURNAL,
    entity_id=None,
    from_amount=Decimal(0),
    risk_flag="",
    approvers=1,
    approve_permission="",
    second_permission="",
    execute_permission="",
    expires_after_hours=72,
    sla_hours=8,
    bulk=False,
)


def rule_makers() -> tuple[Person, Person]:
    """Sam, who asks for rules of approval, and Mia, who approves them; both work everywhere."""
    everywhere = tuple(LegalEntity.objects.all())
    return (
        person(user("sam", "approvals.ask_policy", entities=everywhere)),
        person(user("mia", "approvals.approve_policy", entities=everywhere)),
    )


def ask_rule(rule: Rule | None, replaces: int | None = None) -> Request:
    """A change of the rules of approval that waits for Mia."""
    sam, _ = rule_makers()
    here = rule.entity_id if rule and rule.entity_id else LegalEntity.objects.order_by("pk")[0].pk
    payload = PolicyChange(here, replaces, rule)
    return requests.submit(actor=sam, action=POLICY, payload=payload, reason="the board's decision")


def policy(**values: Any) -> Policy:
    """A rule of approval, as every rule comes about: asked for by one and approved by another."""
    asked = ask_rule(replace(RULE, **values))
    _, mia = rule_makers()
    requests.approve(actor=mia, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Policy.objects.get(request=asked)


def part(request: Request, who: Person, name: str, content: str = "") -> str:
    return (
        "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, at, reason)"
        f" VALUES ({request.pk}, {who.user_id}, '{name}', '{content or request.payload_hash}', now(), '')"
    )
