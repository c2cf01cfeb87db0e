"""Rows for the pages of fraud alerts, through the rules that make them."""

from __future__ import annotations

from accounts.models import Client
from accounts.services import clients
from backoffice.approvals.services import requests
from backoffice.organisation.models import LegalEntity
from payments.actions import fraud as actions
from payments.models import FraudAlert, FraudRule
from payments.services import fraud, payees
from tests.builders import ROBOT, person, user
from tests.pages import Made, builds


def alerts_of(here: LegalEntity, number: int) -> list[FraudAlert]:
    """Clients whose payees belong to others."""
    known = FraudAlert.objects.count()
    for n in range(known, known + number):
        client = Client.objects.filter(entity=here, number=f"FR-{n}").first() or clients.open_client(
            actor=ROBOT, entity_id=here.pk, number=f"FR-{n}", name=f"Mallory {n}", country="US"
        )
        payees.propose(
            actor=ROBOT, client_id=client.pk, kind="BANK", currency="USD", holder=f"Zed {n}",
            details={"account": f"{n:08d}", "bic": "CHASUS33", "town": "New York", "country": "US"},
        )  # fmt: skip
    fraud.find(actor=ROBOT, entity_id=here.pk)
    return list(FraudAlert.objects.filter(entity=here).order_by("-pk")[:number])


@builds("fraud-alerts", "fraud-alert", "assign-alert", "explain-alert", "close-alert")
def many_alerts(here: LegalEntity, number: int) -> Made:
    rows = alerts_of(here, number)
    return Made(kwargs={"pk": rows[0].pk}, words=("FR-",))


@builds("find-fraud")
def nothing_to_show(here: LegalEntity, number: int) -> Made:
    return Made()


@builds("fraud-rules", "change-fraud-rule")
def versions_of_rules(here: LegalEntity, number: int) -> Made:
    maker = person(user("sam", "payments.ask_fraudrule", entities=(here,)))
    checker = person(user("mia", "payments.approve_fraudrule", entities=(here,)))
    for _ in range(number):
        payload = actions.ChangeFraudRule(here.pk, False, "SPLIT", True, "limit 4711, band 10, number 3, hours 24")
        asked = requests.submit(actor=maker, action=actions.CHANGE, payload=payload, reason="the board")
        requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Made(kwargs={"pk": FraudRule.objects.latest("pk").pk}, words=("4711",))
