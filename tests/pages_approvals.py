"""Rows for the pages of approvals: manual journals asked for by Anna, decided by Boris and others."""

from __future__ import annotations

from decimal import Decimal

from backoffice.approvals.models import Part, Participation, Policy, Request
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from ledger.models import Kind
from ledger.services.manual import ManualLine
from tests.builders import ledger_account, person, user
from tests.pages import Made, builds

ASK, DECIDE, RUN = "ledger.ask_manual_journal", "ledger.approve_manual_journal", "ledger.close_day"


def ask(here: LegalEntity, number: int) -> list[Request]:
    """`number` more manual journals of 5.00 that wait for a decision."""
    anna, known = person(user("anna", ASK, entities=(here,))), Request.objects.count()
    cash, owed = ledger_account(here, "cash", kind=Kind.ASSET), ledger_account(here, "owed")
    lines = (ManualLine(cash.pk, Decimal("5.00")), ManualLine(owed.pk, Decimal("-5.00")))
    return [
        requests.submit(
            actor=anna,
            action=MANUAL_JOURNAL,
            payload=ManualJournal(f"{known + n}", here.pk, clock.today(), f"correction {known + n}", lines),
            reason=f"typing error {known + n}",
        )
        for n in range(number)
    ]


def decide(request: Request, who: Person) -> Request:
    return requests.approve(actor=who, request_id=request.pk, seen_hash=request.payload_hash)


@builds("requests", "approve-request", "reject-request", "withdraw-request")
def waiting(here: LegalEntity, number: int) -> Made:
    rows = ask(here, number)
    return Made(kwargs={"pk": rows[0].pk}, words=("correction 0",) if rows[0].summary.endswith(" 0") else ())


@builds("execute-request")
def approved(here: LegalEntity, number: int) -> Made:
    """Approved, and waiting for a third person."""
    Policy.objects.get_or_create(action=MANUAL_JOURNAL, defaults={"execute_permission": RUN})
    boris = person(user("boris", DECIDE, entities=(here,)))
    rows = [decide(request, boris) for request in ask(here, number)]
    assert {row.state for row in rows} == {"APPROVED"}
    return Made(kwargs={"pk": rows[0].pk}, words=("typing error 0",))


@builds("request")
def long_chain(here: LegalEntity, number: int) -> Made:
    """One request that `number` more people have approved, of many who have to."""
    Policy.objects.get_or_create(action=MANUAL_JOURNAL, defaults={"approvers": 1_000})
    request = Request.objects.first() or ask(here, 1)[0]
    known = Participation.objects.filter(part=Part.APPROVER).count()
    for n in range(known, known + number):
        decide(request, person(user(f"approver-{n}", DECIDE, entities=(here,))))
    return Made(kwargs={"pk": request.pk}, words=("Approver-0", "typing error 0"))
