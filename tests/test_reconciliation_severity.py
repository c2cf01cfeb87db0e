"""Severity of breaks is the higher of amount and age; limits follow from it, by a rule that two people change."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.organisation.models import FxRate, Holiday
from reconciliation.models import Break, BreakState, EventKind, Kind, Resolution, Rule, Run, Severity
from reconciliation.selectors.open_breaks import BUCKETS, aged
from reconciliation.services import breaks, grading, rules
from tests import builders
from tests.builders import ROBOT
from tests.test_reconciliation_classes import run
from tests.worlds import DAY, deposit, world

pytestmark = pytest.mark.django_db

# A Thursday, noon.
NOW = datetime(2026, 11, 19, 12, 0, tzinfo=UTC)


def a_run(here) -> Run:
    newest = Rule.objects.filter(kind=Kind.CASH).order_by("-version")[0]
    return Run.objects.create(
        entity=here, kind=Kind.CASH, business_date=DAY, rule=newest, state="DONE", requested_by="test", requested_at=NOW
    )


def a_break(here, day: date = DAY, amount: str | None = "10", currency: str = "USD", klass: str = "AMOUNT") -> Break:
    by = Run.objects.filter(entity=here).first() or a_run(here)
    return Break.objects.create(
        entity=here, kind=Kind.CASH, klass=klass, key=f"ref:{Break.objects.count()}", business_date=day, summary="",
        amount=None if amount is None else Decimal(amount), currency=currency, owner_role="PAY", opened_at=NOW,
        opened_by=by, seen_by=by,
    )  # fmt: skip


def graded(item: Break, at: datetime = NOW) -> Break:
    grading.grade(entity_id=item.entity_id, now=at)
    item.refresh_from_db()
    return item


@pytest.fixture
def here():
    return builders.entity("CY")  # reports in USD


@pytest.mark.parametrize(
    ("amount", "days", "severity"),
    [
        ("999.99", 0, Severity.LOW),
        ("1000", 0, Severity.MEDIUM),
        ("-1000", 0, Severity.MEDIUM),
        ("9999.99", 1, Severity.MEDIUM),
        ("10000", 0, Severity.HIGH),
        ("0.01", 3, Severity.HIGH),
        ("0.01", 5, Severity.CRITICAL),
        ("100000", 0, Severity.CRITICAL),
        ("1000", 3, Severity.HIGH),
        (None, 0, Severity.LOW),
        (None, 1, Severity.MEDIUM),
    ],
)
def test_the_higher_of_amount_and_age(here, amount, days, severity):
    # Five business days back from a Thursday is the Thursday before.
    day = DAY - timedelta(days=days if days < 4 else days + 2)
    assert graded(a_break(here, day, amount)).severity == severity


def test_amounts_count_in_the_reporting_currency_and_one_without_a_rate_is_high(here):
    FxRate.objects.create(date=DAY, base_id="EUR", quote_id="USD", rate=Decimal("1.25"), source="test")
    assert graded(a_break(here, amount="799.99", currency="EUR")).severity == Severity.LOW
    assert graded(a_break(here, amount="-800", currency="EUR")).severity == Severity.MEDIUM
    assert graded(a_break(here, amount="1", currency="GBP")).severity == Severity.HIGH
    assert graded(a_break(here, amount="0", currency="GBP")).severity == Severity.LOW


def test_a_holiday_does_not_age_a_break(here):
    item = a_break(here, DAY - timedelta(days=1))
    assert graded(item).severity == Severity.MEDIUM
    Holiday.objects.create(calendar=here.calendar, date=DAY, name="a holiday")
    other = a_break(here, DAY - timedelta(days=1))
    assert graded(other).severity == Severity.LOW


def test_limits_run_from_the_severity_and_a_worse_break_never_gets_more_time(here):
    item = graded(a_break(here))
    assert (item.severity_at, item.graded_by.kind) == (NOW, "breaks")
    assert item.own_by == datetime(2026, 11, 23, 12, tzinfo=UTC)  # two business days: Monday
    assert item.resolve_by == datetime(2026, 11, 30, 12, tzinfo=UTC)  # seven
    item = graded(item, NOW + timedelta(days=1))
    assert item.severity == Severity.MEDIUM
    # One business day from Friday is Monday; five are the Friday after, sooner than it was.
    assert item.own_by == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert item.resolve_by == datetime(2026, 11, 27, 12, tzinfo=UTC)
    last = item.resolve_by
    for day in range(2, 9):
        graded(item, NOW + timedelta(days=day))
        assert item.resolve_by <= last
        last = item.resolve_by
    assert item.severity == Severity.CRITICAL
    assert [e.data["to"] for e in item.events.filter(event=EventKind.GRADED)] == ["medium", "high", "critical"]
    before = (item.severity_at, item.resolve_by)
    assert grading.grade(entity_id=here.pk, now=NOW + timedelta(days=8)) == 0
    item.refresh_from_db()
    assert (item.severity_at, item.resolve_by) == before


def test_a_class_has_its_own_limits_and_a_closed_break_is_left_alone(here):
    timing = graded(a_break(here, klass="TIMING"))
    assert timing.own_by == datetime(2026, 11, 24, 12, tzinfo=UTC)  # three business days
    closed = a_break(here, amount="100000")
    Break.objects.filter(pk=closed.pk).update(state=BreakState.RESOLVED, resolution=Resolution.BY_PERSON, closed_at=NOW)
    closed = graded(closed)
    assert (closed.severity, closed.severity_at, closed.due_at) == (Severity.LOW, None, None)


def test_due_is_first_to_be_taken_then_to_be_closed(here):
    item = graded(a_break(here))
    assert item.due_at == item.own_by
    breaks.assign(actor=ROBOT, break_ids=[item.pk], assignee_id=builders.user("mara", entities=(here,)).pk)
    item.refresh_from_db()
    assert item.due_at == item.resolve_by


def test_a_run_grades_what_it_finds_and_one_that_opens_again_has_all_its_time():
    w = world()
    with clock.at(NOW):
        w.put(w.server, deposit(1, "2000.00", "D-AAAAAAAA", server_time=datetime(2026, 11, 10, 12)))
        w.book()
        run(w, Kind.CASH)
    item = Break.objects.get(klass="MISSING_EXTERNAL")
    assert (item.severity, item.severity_at) == (Severity.CRITICAL, NOW)  # seven business days
    Break.objects.filter(pk=item.pk).update(
        state=BreakState.RESOLVED, resolution=Resolution.BY_ITSELF, closed_at=NOW + timedelta(hours=1)
    )
    later = NOW + timedelta(days=4)
    with clock.at(later):
        run(w, Kind.CASH)
    item.refresh_from_db()
    assert (item.state, item.severity_at) == (BreakState.OPEN, later)
    assert item.resolve_by == later + timedelta(days=1)


def test_every_open_break_is_in_one_bucket(here):
    days = [DAY - timedelta(days=n) for n in range(60)]
    items = {a_break(here, day).pk: day for day in days}
    found: dict[int, str] = {}
    for label, _ in BUCKETS:
        for pk in Break.objects.filter(aged(label, DAY)).values_list("pk", flat=True):
            assert pk not in found
            found[pk] = label
    assert len(found) == 60
    by_day = {items[pk]: label for pk, label in found.items()}
    assert by_day[date(2026, 11, 18)] == "0–1"
    assert by_day[date(2026, 11, 17)] == "2–3"
    assert by_day[date(2026, 11, 15)] == by_day[date(2026, 11, 14)] == by_day[date(2026, 11, 13)] == "4–7"
    assert by_day[date(2026, 11, 10)] == "4–7"
    assert by_day[date(2026, 11, 9)] == "8–30"
    assert by_day[days[-1]] == "> 30"


def test_the_list_narrows_to_overdue_severe_and_old_ones_and_sorts_by_severity(client, here):
    for amount in ("10", "20000", "2000", "200000"):
        graded(a_break(here, amount=amount))
    somebody = builders.user("mara", "reconciliation.view_break", entities=(here,))
    client.force_login(somebody)
    with clock.at(NOW + timedelta(hours=5)):  # high ones are to be taken within four hours, critical ones within one
        late = client.get(reverse("breaks") + "?overdue=yes").content.decode()
        fine = client.get(reverse("breaks") + "?overdue=no").content.decode()
        page = client.get(reverse("breaks") + "?sort=-severity").content.decode()
        severe = client.get(reverse("breaks") + "?severity=4").content.decode()
        young = client.get(reverse("breaks") + "?age=0–1").content.decode()
        old = client.get(reverse("breaks") + "?age=> 30").content.decode()
    assert late.count(">overdue<") == 2
    assert "200,000.00" in late and "20,000.00" in late and "2,000.00" not in late.replace("200,000.00", "")
    assert "2,000.00" in fine and "20,000.00" not in fine
    places = [page.index(f">{amount}") for amount in ("200,000.00", "20,000.00", "2,000.00", "10.00")]
    assert places == sorted(places)
    assert severe.count(">critical<") == 1 + 1  # the row, and the choice in the filter
    assert "200,000.00" in young and "No breaks fit" in old


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount_tiers": {"MEDIUM": "1000", "HIGH": "1000", "CRITICAL": "2000"}}, "amount_tiers must be"),
        ({"amount_tiers": {"MEDIUM": "1000", "HIGH": "2000"}}, "amount_tiers must be"),
        ({"age_tiers": {"MEDIUM": 3, "HIGH": 1, "CRITICAL": 5}}, "age_tiers must be"),
        ({"own": {"": {"LOW": "2d"}}}, "own must be"),
        ({"own": {}}, "own must be"),
        ({"resolve": {"": {"LOW": "7w", "MEDIUM": "5d", "HIGH": "3d", "CRITICAL": "1d"}}}, "resolve must be"),
        ({"resolve": {"": {"LOW": "7d", "MEDIUM": "5d", "HIGH": "3d", "CRITICAL": "0h"}}}, "resolve must be"),
        ({"own": {"NO_SUCH": {"LOW": "2d"}}}, "own must be"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(here, change, words):
    before = Rule.objects.get(kind="breaks")
    with pytest.raises(rules.BadRule, match=words):
        rules.read(json.dumps({**before.parameters, **change}), before)


def test_another_version_grades_from_then_on(here):
    before = Rule.objects.get(kind="breaks")
    tiers = {"MEDIUM": "5", "HIGH": "10000", "CRITICAL": "100000"}
    Rule.objects.create(
        kind="breaks", version=2, parameters={**before.parameters, "amount_tiers": tiers}, note="lower",
        made_at=NOW, made_by="test",
    )  # fmt: skip
    item = graded(a_break(here))
    assert (item.severity, item.graded_by.version) == (Severity.MEDIUM, 2)
