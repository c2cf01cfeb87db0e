"""Rules of reconciliations change behind four eyes; who matched does not write off what is left."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from backoffice.access.services.pairs import PairForbidden
from backoffice.approvals.services import requests
from backoffice.kernel.errors import DomainError
from reconciliation.actions.rules import CHANGE_RULE, ChangeRule
from reconciliation.models import Break, Kind, Rule, Suggestion
from reconciliation.services import breaks, hands
from reconciliation.services import rules as service
from tests import builders
from tests.builders import ROBOT
from tests.test_reconciliation_cash import pat, rule, unmarked
from tests.test_reconciliation_classes import run

ASK, DECIDE = "reconciliation.ask_rule", "reconciliation.approve_rule"
VIEW = "reconciliation.view_run"


def newest() -> Rule:
    return Rule.objects.filter(kind="cash").order_by("-version")[0]


def changed(**parameters) -> str:
    return json.dumps({**newest().parameters, **parameters})


@pytest.mark.django_db(transaction=True)
def test_a_tolerance_changes_by_two_people_and_the_version_knows_them():
    here, before = builders.entity("CY"), newest()
    fred, fay = (
        builders.person(builders.user(name, permission, VIEW, "approvals.view_request", entities=(here,)))
        for name, permission in (("fred", ASK), ("fay", DECIDE))
    )
    payload = ChangeRule(here.pk, "cash", changed(amount_tolerance={"USD": "0.50"}), "rounding of the PSP")
    asked = requests.submit(actor=fred, action=CHANGE_RULE, payload=payload, reason="agreed with the PSP")
    assert newest() == before
    with pytest.raises(DomainError):
        requests.approve(actor=fred, request_id=asked.pk, seen_hash=asked.payload_hash)
    assert newest() == before
    requests.approve(actor=fay, request_id=asked.pk, seen_hash=asked.payload_hash)
    made = newest()
    assert (made.version, made.request_id) == (before.version + 1, asked.pk)
    assert made.parameters == {**before.parameters, "amount_tolerance": {"USD": "0.50"}}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ("{", "not JSON"),
        ("[]", "an object"),
        ('{"amount_tolerance": {}}', "missing"),
        ({"amount_tolerance": {"USD": 0.5}}, "amount_tolerance must be"),
        ({"amount_tolerance": {"USD": "-1"}}, "amount_tolerance must be"),
        ({"amount_tolerance": {"USD": "NaN"}}, "amount_tolerance must be"),
        ({"likeness": 50}, "90 to 100"),
        ({"parts": 40}, "2 to 12"),
        ({"windows": {"CARD": 5}}, "windows must be"),
        ({"off": ["NOTHING"]}, "off must be"),
        ({"external_days": True}, "external_days must be"),
        ({}, "Nothing is different"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(parameters, words):
    text = changed(**parameters) if isinstance(parameters, dict) else parameters
    with pytest.raises(service.BadRule, match=words):
        service.change(actor=ROBOT, entity_id=builders.entity("CY").pk, kind="cash", parameters=text, note="why")


@pytest.mark.django_db
def test_who_matched_a_line_does_not_write_off_what_is_left_of_it():
    w = unmarked("60.00", remittance="D-AAAAAAA8 first part")
    rule(amount_tolerance={})
    run(w, Kind.CASH)
    me = pat()
    hands.accept(actor=me, suggestion_id=Suggestion.objects.get(rung="LIKENESS").pk)
    run(w, Kind.CASH)
    left = Break.objects.get(klass="AMOUNT")
    assert left.amount == Decimal(-40)
    with pytest.raises(PairForbidden):
        breaks.write_off(actor=me, break_id=left.pk, reason="small")
    other = builders.person(builders.user("olga", entities=(builders.entity("CY"),)))
    assert breaks.write_off(actor=other, break_id=left.pk, reason="small")["journal_id"]
