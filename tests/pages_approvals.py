"""Rows for the pages of approvals: journals asked for by Anna, decided by Boris and others; notices of Mara, who
opens the pages; rules that Sam asked for and Mia approved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from backoffice.approvals import registry
from backoffice.approvals.models import Notice, Part, Participation, Policy, Request
from backoffice.approvals.services import attachments, requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from ledger.models import Kind
from ledger.services.manual import ManualLine
from tests.builders import ledger_account, person, user
from tests.desk import RULE, policy
from tests.pages import Made, builds

ASK = "ledger.ask_manual_journal"
VIEW = "approvals.view_request"
# A journal that everybody may see, decide and execute who may open the room: that permission alone opens its pages.
OPEN_JOURNAL = "test.open_journal"
registry.register(replace(registry.get(MANUAL_JOURNAL), name=OPEN_JOURNAL, view="", decide=VIEW, money=False))


def ask(here: LegalEntity, number: int, *, action: str = OPEN_JOURNAL, maker: str = "anna") -> list[Request]:
    """`number` more manual journals of 5.00 that wait for a decision."""
    anna, known = person(user(maker, ASK, entities=(here,))), Request.objects.count()
    cash, owed = ledger_account(here, "cash", kind=Kind.ASSET), ledger_account(here, "owed")
    lines = (ManualLine(cash.pk, Decimal("5.00")), ManualLine(owed.pk, Decimal("-5.00")))
    return [
        requests.submit(
            actor=anna,
            action=action,
            payload=ManualJournal(f"{known + n}", here.pk, clock.today(), f"correction {known + n}", lines),
            reason=f"typing error {known + n}",
        )
        for n in range(number)
    ]


def decide(request: Request, who: Person) -> Request:
    return requests.approve(actor=who, request_id=request.pk, seen_hash=request.payload_hash)


def rule(here: LegalEntity, **values: Any) -> None:
    """A rule for the open journal, once."""
    if not Policy.objects.filter(action=OPEN_JOURNAL).exists():
        policy(action=OPEN_JOURNAL, entity_id=here.pk, **values)


def made(rows: list[Request]) -> Made:
    return Made(kwargs={"pk": rows[0].pk}, words=("correction 0",) if rows[0].summary.endswith(" 0") else ())


@builds(
    "requests", "to-decide", "approve-request", "reject-request", "return-request", "withdraw-request", "attach-request"
)
def waiting(here: LegalEntity, number: int) -> Made:
    return made(ask(here, number))


@builds("my-requests")
def own(here: LegalEntity, number: int) -> Made:
    """Asked for by Mara herself, who opens the page."""
    return made(ask(here, number, maker="mara"))


@builds("approve-requests")
def picked(here: LegalEntity, number: int) -> Made:
    rows = ask(here, number)
    return Made(ids=tuple(row.pk for row in rows[:1]))


@builds("replace-request")
def returned(here: LegalEntity, number: int) -> Made:
    """Given back to Anna for change."""
    boris = person(user("boris", VIEW, entities=(here,)))
    rows = [
        requests.return_for_change(actor=boris, request_id=row.pk, seen_hash=row.payload_hash, reason="another day")
        for row in ask(here, number)
    ]
    return made(rows)


@builds("request-file")
def with_file(here: LegalEntity, number: int) -> Made:
    rows = ask(here, number)
    anna = person(user("anna"))
    files = [
        attachments.attach(actor=anna, request_id=row.pk, name="letter.txt", content=b"the letter of the bank")
        for row in rows
    ]
    return Made(kwargs={"pk": rows[0].pk, "file": files[0].pk}, words=("the letter of the bank",))


@builds("execute-request")
def approved(here: LegalEntity, number: int) -> Made:
    """Approved, and waiting for a third person."""
    rule(here, execute_permission=VIEW)
    boris = person(user("boris", VIEW, entities=(here,)))
    rows = [decide(request, boris) for request in ask(here, number)]
    assert {row.state for row in rows} == {"APPROVED"}
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].summary,))


@builds("request")
def long_chain(here: LegalEntity, number: int) -> Made:
    """One request of many parts: files, and people who noted something. Participations beyond what a rule may ask for
    are written directly, as the application's role may."""
    request = Request.objects.filter(action=OPEN_JOURNAL).first() or ask(here, 1)[0]
    known = Participation.objects.filter(part=Part.APPROVER).count()
    Participation.objects.bulk_create(
        Participation(
            request=request,
            person=user(f"approver-{n}", VIEW, entities=(here,)),
            part=Part.APPROVER,
            payload_hash=request.payload_hash,
            at=clock.now(),
        )
        for n in range(known, known + number)
    )
    return Made(kwargs={"pk": request.pk}, words=("Approver-0", "typing error 0"))


@builds("notices", "read-notices", "read-all-notices")
def told(here: LegalEntity, number: int) -> Made:
    """Mara may decide what Anna asks for, and is told so."""
    mara = user("mara", VIEW, entities=(here,))
    rows = ask(here, number)
    notices = Notice.objects.filter(person=mara, request__in=rows)
    assert notices.count() == number
    return Made(ids=tuple(notices.values_list("pk", flat=True)[:1]))


@builds("policies", "propose-policy", "policy", "change-policy", "end-policy")
def rules(here: LegalEntity, number: int) -> Made:
    known = Policy.objects.count()
    found = [policy(**amounts(here, known + n)) for n in range(number)]
    return Made(kwargs={"pk": found[0].pk})


def amounts(here: LegalEntity, number: int) -> Mapping[str, Any]:
    return {"action": MANUAL_JOURNAL, "entity_id": here.pk, "from_amount": RULE.from_amount + number * 1_000}
