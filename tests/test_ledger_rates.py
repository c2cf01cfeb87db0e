"""Rates entered by hand: two people, a reason, a version; and only who names the source sees them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from backoffice.approvals.models import Request
from backoffice.approvals.registry import Level
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import Forbidden
from backoffice.organisation.models import FxRate, User
from backoffice.organisation.selectors import currencies
from backoffice.organisation.selectors.currencies import NoRate, quoted
from ledger import actions
from ledger.models import MANUAL, ManualRate
from ledger.services.rates import BadRate, enter
from tests.attacks import at_once, execute, refused
from tests.builders import entity, person, user
from tests.desk import unchanged

D = Decimal
DAY = date(2026, 11, 19)
committed = pytest.mark.django_db(transaction=True)


class Desk:
    def __init__(self) -> None:
        self.here = entity("CY")
        rights = {
            "fred": ("ledger.ask_manualrate", "organisation.view_fxrate"),
            "fiona": ("ledger.approve_manualrate", "ledger.ask_manualrate", "organisation.view_fxrate"),
        }
        self.people: dict[str, Person] = {
            name: person(user(name, *held, entities=(self.here,))) for name, held in rights.items()
        }
        FxRate.objects.create(date=DAY, base_id="EUR", quote_id="USD", rate=D("1.08"), source="ECB")

    def ask(self, rate: str = "1.10", who: str = "fred", **more: Any) -> Request:
        values: dict[str, Any] = {"day": DAY, "base": "EUR", "quote": "USD", "reason": "the bank's fixing", **more}
        payload = actions.EnterRate(entity_id=self.here.pk, rate=D(rate), **values)
        return requests.submit(
            actor=self.people[who],
            action=actions.ENTER_RATE,
            payload=payload,
            reason="no source",
            reason_code="MISSING",
        )

    def agree(self, asked: Request, who: str = "fiona") -> Request:
        return requests.approve(actor=self.people[who], request_id=asked.pk, seen_hash=asked.payload_hash)


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk()


def by_hand() -> list[tuple[int, Decimal]]:
    return list(FxRate.objects.filter(source=MANUAL).order_by("version").values_list("version", "rate"))


def test_two_people_enter_it_and_versions_are_kept(desk: Desk) -> None:
    asked = desk.ask("1.10")
    assert by_hand() == []
    desk.agree(asked)
    desk.agree(desk.ask("1.11", reason="a digit was wrong"))
    assert by_hand() == [(1, D("1.10")), (2, D("1.11"))]
    kept = ManualRate.objects.order_by("pk")
    assert [row.reason for row in kept] == ["the bank's fixing", "a digit was wrong"]
    assert kept[0].request == Request.objects.get(pk=asked.pk)


def test_only_who_names_the_source_sees_it(desk: Desk) -> None:
    desk.agree(desk.ask("1.50"))
    assert quoted("EUR", "USD", DAY).rate == D("1.08") == quoted("EUR", "USD", DAY, source="ECB").rate
    assert quoted("EUR", "USD", DAY, source=MANUAL).rate == D("1.50")
    assert currencies.convert(D(100), "EUR", "USD", DAY) == D("108.00")
    desk.agree(desk.ask("0.0093", base="JPY", quote="USD"))
    with pytest.raises(NoRate):
        quoted("JPY", "USD", DAY)
    assert quoted("USD", "JPY", DAY, source=MANUAL).how == "inverse"


def test_nobody_alone_and_nobody_without_the_right(desk: Desk) -> None:
    asked = desk.ask(who="fiona")
    with pytest.raises(requests.SameEyes):
        desk.agree(asked, "fiona")
    with pytest.raises(Forbidden):
        desk.agree(asked, "fred")
    assert by_hand() == []


def test_what_cannot_be_a_rate_is_refused_when_it_is_asked(desk: Desk) -> None:
    wrong: list[dict[str, Any]] = [
        {"rate": "0"},
        {"rate": "-1.1"},
        {"rate": "NaN"},
        {"rate": "1.0000000000001"},
        {"rate": "1000000000000"},
        {"base": "USD"},
        {"base": "XXX"},
        {"day": clock.today() + timedelta(days=1)},
        {"reason": "  "},
    ]
    for values in wrong:
        unchanged(BadRate, lambda values=values: desk.ask(**values))
    desk.agree(desk.ask())
    unchanged(BadRate, desk.ask, match="different")


def test_the_approver_sees_how_far_it_is_from_the_sources(desk: Desk) -> None:
    check = actions._beside_others
    payload = actions.EnterRate(desk.here.pk, DAY, "EUR", "USD", D("1.081"), "x")
    assert check(payload).level == Level.GREEN
    turned = actions.EnterRate(desk.here.pk, DAY, "USD", "EUR", D("1.08"), "x")
    assert check(turned).level == Level.RED
    assert check(actions.EnterRate(desk.here.pk, DAY, "GBP", "JPY", D(190), "x")).level == Level.AMBER


def test_the_database_refuses_one_that_nobody_agreed_to(desk: Desk) -> None:
    values = "('2026-11-19', 'EUR', 'USD', 2, 'MANUAL', 1)"
    statement = f"INSERT INTO organisation_fxrate (date, base_id, quote_id, rate, source, version) VALUES {values}"
    with pytest.raises(DatabaseError, match="was not agreed to"), transaction.atomic():
        execute(statement)
        execute("SET CONSTRAINTS fxrate_agreed IMMEDIATE")
    agreed = desk.agree(desk.ask("1.10"))
    with pytest.raises(DatabaseError, match="was not agreed to"), transaction.atomic():
        row = FxRate.objects.create(date=DAY, base_id="GBP", quote_id="USD", rate=D("1.10"), source=MANUAL)
        with pytest.raises(DatabaseError, match="duplicate key"), transaction.atomic():
            ManualRate.objects.create(rate=row, reason="x", at=clock.now(), request_id=agreed.pk)
        execute("SET CONSTRAINTS fxrate_agreed IMMEDIATE")
    other = FxRate.objects.get(source="ECB")
    with pytest.raises(DatabaseError, match="by hand"), transaction.atomic():
        ManualRate.objects.create(rate=other, reason="x", at=clock.now(), request_id=agreed.pk)
    with refused("42501"):
        execute("UPDATE ledger_manualrate SET reason = 'another'")


@committed
def test_many_at_once_are_one_version() -> None:
    desk = Desk()
    asked = [one for one in at_once(4, lambda n: desk.ask(f"1.1{n}")) if isinstance(one, Request)]
    assert len(asked) == 1
    at_once(4, lambda _: desk.agree(asked[0]))
    assert len(by_hand()) == 1 == ManualRate.objects.count()


def test_the_pages(desk: Desk, client: Any) -> None:
    client.force_login(User.objects.get(pk=desk.people["fred"].user_id))
    values = {
        "entity": desk.here.pk,
        "day": str(DAY),
        "base": "EUR",
        "quote": "USD",
        "reason": "no fixing",
        "rate": "x",
    }
    address = reverse("enter-rate")
    assert address in client.get(reverse("fx-rates")).content.decode()
    assert client.post(address, {**values, "rate": "x", "reason_code": "MISSING"}).status_code == 422
    assert client.post(address, {**values, "rate": "1.10", "reason_code": "MISSING"}).status_code == 303
    desk.agree(Request.objects.get(action=actions.ENTER_RATE))
    page = client.get(reverse("fx-rates"), {"source": MANUAL}).content.decode()
    assert "1.1<" in page and "no fixing" in page
    found = enter(
        actor=desk.people["fred"], entity_id=desk.here.pk, day=DAY, base="EUR", quote="USD", rate=D(2), reason="x"
    )
    assert found is None and len(by_hand()) == 1
