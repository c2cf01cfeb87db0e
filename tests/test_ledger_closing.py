"""Closing with the list in view: red closes with a reason only, a month by two, and opening again undoes a month."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client as Browser
from django.urls import reverse

from backoffice.approvals.models import Request
from backoffice.approvals.registry import Level
from backoffice.approvals.services import requests
from backoffice.audit.models import Entry
from backoffice.kernel.actor import Person
from backoffice.organisation.models import FxRate, User
from integrations.models import Deal
from ledger import actions, registry
from ledger.models import Closing, Period
from ledger.registry import Finding
from ledger.selectors import closing as found
from ledger.services import closing, periods
from ledger.services.journal import DayClosed
from ledger.services.periods import CannotClose
from tests.attacks import DAY, Books, execute, open_books, post
from tests.builders import ROBOT, person, user
from tests.desk import own_refused, unchanged
from tests.worlds import World, deposit, world

pytestmark = pytest.mark.django_db
MONTH = date(2026, 10, 31)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: Any) -> Iterator[dict[str, list[Finding]]]:
    """Only what a test says stands on the list beside the ledger's own lines."""
    said: dict[str, list[Finding]] = {"day": [], "month": []}
    monkeypatch.setattr(registry, "_day", [lambda entity_id, day: said["day"]])
    monkeypatch.setattr(registry, "_period", [lambda entity_id, day: said["month"]])
    yield said


@pytest.fixture
def books(db: None) -> Books:
    found_books = open_books()
    for code in ("EUR", "GBP", "USD", "CHF", "JPY"):
        home = found_books.here.reporting_currency_id
        if code != home:
            FxRate.objects.get_or_create(
                date=MONTH, base_id=code, quote_id=home, source="TEST", version=1, defaults={"rate": Decimal(1)}
            )
    return found_books


@pytest.fixture
def people(books: Books) -> dict[str, Person]:
    rights = {
        "fred": ("ledger.ask_period", "ledger.ask_reopen", "ledger.approve_period"),
        "fiona": ("ledger.approve_period", "ledger.close_day", "ledger.view_journal"),
        "mia": ("ledger.approve_reopen",),
    }
    return {name: person(user(name, *held, entities=(books.here,))) for name, held in rights.items()}


RED = Finding(Level.RED, "Facts are booked", "booking is behind: mt5")


def late(books: Books) -> None:
    post(books.here, (books.cash, "5"), (books.client, "-5"), key="late", day=date(2026, 10, 20))


def ask(books: Books, people: dict[str, Person], last_day: date = MONTH) -> Request:
    payload = actions.ClosePeriod(books.here.pk, last_day)
    return requests.submit(actor=people["fred"], action=actions.CLOSE_PERIOD, payload=payload, reason="October is done")


def close_month(books: Books, people: dict[str, Person]) -> Period:
    asked = ask(books, people)
    requests.approve(actor=people["fiona"], request_id=asked.pk, seen_hash=asked.payload_hash)
    return Period.objects.latest("pk")


def test_red_closes_with_a_reason_only_and_the_list_is_kept(books: Books, people: Any, quiet: Any) -> None:
    quiet["day"] = [RED]
    close = {"actor": people["fiona"], "entity_id": books.here.pk, "day": MONTH}
    for reason in ("", "   "):
        unchanged(
            CannotClose, lambda reason=reason: closing.close_day(**close, reason=reason), match="booking is behind"
        )
    closing.close_day(**close, reason="the server is down until Monday")
    assert Closing.objects.latest("pk").reason == "the server is down until Monday"
    kept = Entry.objects.get(action="ledger.checked_before_closing").data["checks"]
    assert {"level": "red", "label": RED.label, "detail": RED.detail} in kept


def test_green_and_amber_close_without_a_word(books: Books, people: Any, quiet: Any) -> None:
    quiet["day"] = [Finding(Level.AMBER, "Open breaks", "3 of a day")]
    assert [row for row in found.of_day(books.here.pk, MONTH) if row.level is Level.RED] == []
    closing.close_day(actor=people["fiona"], entity_id=books.here.pk, day=MONTH)
    assert periods.closed_through(books.here.pk) == MONTH


def test_a_rate_that_is_missing_or_old_shows(books: Books) -> None:
    def level(day: date) -> Level:
        return next(row.level for row in found.of_day(books.here.pk, day) if row.label.startswith("Rates"))

    later = [date(2026, 11, 4), date(2026, 11, 5), date(2026, 11, 7), date(2026, 11, 8)]
    assert [level(day) for day in later] == [Level.GREEN, Level.AMBER, Level.AMBER, Level.RED]


def test_a_month_is_closed_by_two_when_its_days_are(books: Books, people: Any, quiet: Any) -> None:
    unchanged(CannotClose, lambda: ask(books, people), match="Close the days")
    periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=date(2026, 10, 30))
    unchanged(CannotClose, lambda: ask(books, people), match="Close the days")
    periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=MONTH)
    unchanged(CannotClose, lambda: ask(books, people, date(2026, 10, 30)), match="last day of a month")
    quiet["month"] = [Finding(Level.RED, "Chargebacks are posted", "2 without a posting")]
    asked = ask(books, people)
    own_refused(lambda: requests.approve(actor=people["fred"], request_id=asked.pk, seen_hash=asked.payload_hash))
    requests.approve(actor=people["fiona"], request_id=asked.pk, seen_hash=asked.payload_hash)
    period = Period.objects.get()
    assert {"level": "red", "label": "Chargebacks are posted", "detail": "2 without a posting"} in period.checks
    assert found.period_of(books.here.pk, MONTH) == period
    unchanged(CannotClose, lambda: ask(books, people), match="closed already")


def test_opening_a_day_again_undoes_the_month_and_both_stay_to_be_seen(books: Books, people: Any) -> None:
    periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=MONTH)
    first = close_month(books, people)
    with pytest.raises(DayClosed), transaction.atomic():
        late(books)
    payload = actions.Reopen(books.here.pk, date(2026, 10, 15), "the bank's letter came late")
    asked = requests.submit(actor=people["fred"], action=actions.REOPEN, payload=payload, reason="late letter")
    requests.approve(actor=people["mia"], request_id=asked.pk, seen_hash=asked.payload_hash)
    assert found.period_of(books.here.pk, MONTH) is None and Period.objects.get() == first
    late(books)
    unchanged(CannotClose, lambda: ask(books, people), match="Close the days")
    periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=MONTH)
    assert found.period_of(books.here.pk, MONTH) is None, "its days are closed, the month is not"
    second = close_month(books, people)
    assert found.period_of(books.here.pk, MONTH) == second and Period.objects.count() == 2


def test_a_month_agreed_to_is_not_closed_over_a_day_opened_since(books: Books, people: Any) -> None:
    periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=MONTH)
    asked = ask(books, people)
    periods.reopen(actor=ROBOT, entity_id=books.here.pk, through=date(2026, 10, 15), reason="late")
    unchanged(
        CannotClose,
        lambda: requests.approve(actor=people["fiona"], request_id=asked.pk, seen_hash=asked.payload_hash),
    )


def test_what_the_database_refuses_about_months(books: Books, people: Any) -> None:
    periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=MONTH)
    asked = ask(books, people)
    closed = Closing.objects.latest("pk")
    insert = (
        "INSERT INTO ledger_period (entity_id, last_day, closing_id, at, actor, checks, request_id)"
        f" VALUES ({books.here.pk}, '{{}}', {closed.pk}, now(), 'x', '[]', {asked.pk})"
    )
    for day in ("2026-10-31", "2026-11-30", "2026-10-30"):
        with pytest.raises(DatabaseError), transaction.atomic():
            execute(insert.format(day))
            execute("SET CONSTRAINTS ALL IMMEDIATE")
    close = close_approved(people, asked)
    for statement in ("UPDATE ledger_period SET last_day = '2026-09-30'", "DELETE FROM ledger_period"):
        with pytest.raises(DatabaseError), transaction.atomic():
            execute(statement)
    assert Period.objects.get() == close


def close_approved(people: Any, asked: Request) -> Period:
    requests.approve(actor=people["fiona"], request_id=asked.pk, seen_hash=asked.payload_hash)
    return Period.objects.get()


def test_the_page_shows_the_list_before_the_button(books: Books, people: Any, quiet: Any) -> None:
    quiet["day"] = [RED]
    browser = Browser()
    browser.force_login(User.objects.get(username="fiona"))
    where = {"entity": books.here.pk, "day": str(MONTH)}
    page = browser.get(reverse("close"), where).content.decode()
    assert "booking is behind: mt5" in page and page.index("booking is behind") < page.index("Close the day")
    form = {"entity": books.here.pk, "day": str(MONTH), "note": ""}
    refused = browser.post(reverse("close-day"), form)
    assert refused.status_code == 422 and "booking is behind" in refused.content.decode()
    assert browser.post(reverse("close-day"), {**form, "note": "the server is down"}).status_code == 303
    assert browser.get(reverse("close"), {"entity": "x", "day": "never"}).status_code == 200


def test_the_rooms_name_what_is_not_done(monkeypatch: Any) -> None:
    """The real lines of every room, around one deal that nobody has booked and then one that nobody can."""
    monkeypatch.undo()
    w: World = world()

    def lines() -> dict[str, Finding]:
        return {row.label: row for row in found.of_day(w.server.entity_id, DAY)}

    w.put(w.server, deposit(1, "100.00"))
    assert Deal.objects.exists() and w.server.name in lines()["Facts are booked"].detail
    w.put(w.server, deposit(2, "100.00", login=4711))
    w.book()
    after = lines()
    assert after["Facts are booked"].level is Level.GREEN
    assert (after["Nothing is unbooked"].level, after["Nothing is unbooked"].detail[:1]) == (Level.RED, "1")
    assert after["Reconciliations ran for the day"].level is Level.RED
    assert after["Trial balance is zero"].level is Level.GREEN
    wanted = {"No file waits", "Servers have answered", "PSPs have answered", "No payment is in doubt", "Open breaks"}
    assert wanted < after.keys() and all(row.url for row in after.values())
