"""Keyset pages: every row once, in order, both ways, whatever the ties; tokens of strangers do no harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.audit.models import Entry
from backoffice.organisation.models import Currency, Desk, FxRate, Holiday, LegalEntity
from backoffice.ui import paging
from backoffice.ui.paging import Order, Place
from tests import builders
from tests.pages_ui import START, make_entries

pytestmark = pytest.mark.django_db

# PostgreSQL's text has no NUL, and no half of a surrogate pair.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)


class Undo(Exception):
    """Takes the rows of one example away again."""


def forwards(queryset, order, size):
    place, seen = Place(), []
    while True:
        page = paging.page(queryset, order, size=size, place=place)
        assert not page.refused
        assert len(page.rows) <= size
        seen += [row.pk for row in page.rows]
        assert len(seen) <= 200, "the walk turns in circles"
        if page.after is None:
            return seen
        place = Place(after=page.after)


def backwards(queryset, order, size):
    place, seen = Place(last=True), []
    while True:
        page = paging.page(queryset, order, size=size, place=place)
        assert not page.refused
        seen = [row.pk for row in page.rows] + seen
        assert len(seen) <= 200, "the walk turns in circles"
        if page.before is None:
            return seen
        place = Place(before=page.before)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(words, max_size=25),
    size=st.integers(1, 7),
    descending=st.booleans(),
)
def test_walking_either_way_shows_every_row_once_and_in_order(db, names, size, descending):
    order = Order("name", ("name", "pk"), descending)
    try:
        with transaction.atomic():
            Holiday.objects.bulk_create(
                Holiday(calendar="T", date=START.date() + timedelta(days=n), name=name) for n, name in enumerate(names)
            )
            queryset = Holiday.objects.filter(calendar="T")
            expected = list(queryset.order_by(*order.terms()).values_list("pk", flat=True))

            assert len(expected) == len(names)
            assert forwards(queryset, order, size) == expected
            assert backwards(queryset, order, size) == expected
            raise Undo
    except Undo:
        pass


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rates=st.lists(st.decimals("0.000000000001", "99999", places=12), max_size=15),
    size=st.integers(1, 5),
    descending=st.booleans(),
)
def test_the_same_with_numbers_days_and_a_key_that_is_text(db, rates, size, descending):
    order = Order("rate", ("rate", "date", "base_id", "pk"), descending)
    try:
        with transaction.atomic():
            FxRate.objects.bulk_create(
                FxRate(
                    date=START.date() + timedelta(days=n % 3), base_id="USD", quote_id="EUR", rate=rate, source=str(n)
                )
                for n, rate in enumerate(rates)
            )
            expected = list(FxRate.objects.order_by(*order.terms()).values_list("pk", flat=True))

            assert forwards(FxRate.objects.all(), order, size) == expected
            assert backwards(FxRate.objects.all(), order, size) == expected
            raise Undo
    except Undo:
        pass


def test_rows_that_come_and_go_shift_nothing():
    rows = make_entries(builders.entity(), 9)
    order = Order("id", ("pk",))
    first = paging.page(Entry.objects.all(), order, size=3)
    make_entries(builders.entity(), 4)

    second = paging.page(Entry.objects.exclude(pk=rows[0].pk), order, size=3, place=Place(after=first.after))

    assert [row.pk for row in second.rows] == [row.pk for row in rows[3:6]]


def test_a_page_seeks_with_one_row_comparison():
    rows = make_entries(builders.entity(), 5)
    order = Order("at", ("at", "pk"), descending=True)
    token = paging.token(rows[2], order)

    with CaptureQueriesContext(connection) as queries:
        paging.page(Entry.objects.all(), order, size=2, place=Place(after=token))

    (query,) = queries
    assert 'ROW("audit_entry"."at", "audit_entry"."id") < ROW(' in query["sql"]
    assert "OFFSET" not in query["sql"]


def test_a_token_can_be_read():
    (row,) = make_entries(builders.entity(), 1)

    assert paging.token(row, Order("at", ("at", "pk"))) == f"2026-11-20T08:15:00Z~{row.pk}"


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "~",
        "2026-11-20T08:15:00Z",
        "2026-11-20T08:15:00Z~1~2",
        "2026-11-20T08:15:00~1",
        "yesterday~1",
        "2026-13-40T08:15:00Z~1",
        "2026-11-20T08:15:00Z~one",
        "2026-11-20T08:15:00Z~1.5",
        "2026-11-20T08:15:00Z~99999999999999999999",
        "2026-11-20T08:15:00Z~",
        "2026-11-20T08:15:00Z~%00",
        "2026-11-20T08:15:00Z~1);DROP TABLE audit_entry",
        "2026-11-20T08:15:00Z~" + "9" * 5000,
    ],
)
def test_a_token_that_is_not_ours_gives_the_first_page(token):
    rows = make_entries(builders.entity(), 4)

    page = paging.page(Entry.objects.all(), Order("at", ("at", "pk")), size=3, place=Place(after=token))

    assert page.refused
    assert [row.pk for row in page.rows] == [row.pk for row in rows[:3]]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e5", "0x10", "1,5", "\x00", ""])
def test_a_number_in_a_token_is_a_plain_number(text):
    page = paging.page(FxRate.objects.all(), Order("rate", ("rate", "pk")), size=3, place=Place(after=f"{text}~1"))

    assert page.refused


def test_two_places_at_once_are_no_place():
    assert paging.page(Entry.objects.all(), Order("id", ("pk",)), size=3, place=Place(after="1", before="2")).refused


def test_a_sort_that_could_lose_rows_is_refused():
    paging.check(Entry.objects.all(), ("at", "pk"))
    paging.check(Desk.objects.all(), ("entity", "code"))
    paging.check(Desk.objects.all(), ("entity__code", "pk"))
    for queryset, fields, why in (
        (Entry.objects.all(), ("actor_id", "pk"), "NULL"),
        (Entry.objects.all(), ("entity__code", "pk"), "NULL"),
        (Entry.objects.all(), ("at",), "unique"),
        (Desk.objects.all(), ("code",), "unique"),
        (Desk.objects.all(), ("colour", "pk"), "no field"),
    ):
        with pytest.raises(AssertionError, match=why):
            paging.check(queryset, fields)


def test_a_column_that_may_be_empty_is_sorted_by_a_key_that_is_not():
    make_entries(builders.entity(), 6)
    queryset = Entry.objects.annotate(who=Coalesce(F("actor_id"), Value(0)))
    order = Order("who", ("who", "pk"), descending=True)

    paging.check(queryset, order.fields)
    assert forwards(queryset, order, 2) == list(queryset.order_by("-who", "-pk").values_list("pk", flat=True))


def test_the_total_is_exact_up_to_its_limit_and_then_about(monkeypatch):
    here, there = builders.entity(), builders.entity("UK")
    make_entries(here, 30)
    make_entries(there, 3)
    monkeypatch.setattr(paging, "EXACT_UP_TO", 20)

    assert paging.total(Entry.objects.filter(entity=there)) == paging.Total(3)
    assert paging.total(Entry.objects.none()) == paging.Total(0)
    assert paging.total(LegalEntity.objects.filter(pk__in=[])) == paging.Total(0)
    many = paging.total(Entry.objects.all())
    assert not many.exact
    assert many.count >= 20
    assert str(many).startswith("about ")
    assert str(paging.Total(3)) == "3"
    assert str(paging.Total(9_876)) == "9,876"


@pytest.mark.parametrize(("limit", "exact"), [(29, False), (30, True), (31, True)])
def test_the_limit_itself_is_still_exact(monkeypatch, limit, exact):
    make_entries(builders.entity(), 30)
    monkeypatch.setattr(paging, "EXACT_UP_TO", limit)

    found = paging.total(Entry.objects.all())

    assert found.exact is exact
    assert found.count == 30 or not exact


@pytest.mark.parametrize(
    ("estimate", "words"),
    [(4_987_654, "about 5,000,000"), (12_345, "about 12,000"), (10_001, "about 10,000"), (10_000, "about 10,000")],
)
def test_an_estimate_pretends_no_precision(estimate, words):
    assert str(paging.Total(estimate, exact=False)) == words


def test_counting_stops_at_the_limit():
    make_entries(builders.entity(), 5)

    with CaptureQueriesContext(connection) as queries:
        paging.total(Entry.objects.all())

    assert f"LIMIT {paging.EXACT_UP_TO + 1}" in queries[-1]["sql"]


def test_where_counting_is_dear_the_planner_is_believed(monkeypatch):
    make_entries(builders.entity(), 5)
    monkeypatch.setattr(paging, "_plan", lambda bounded: (2_000_000, 15_000.0))
    assert paging.total(Entry.objects.all()) == paging.Total(2_000_000, exact=False)

    monkeypatch.setattr(paging, "_plan", lambda bounded: (9_000, 15_000.0))
    assert paging.total(Entry.objects.all()) == paging.Total(5)


def test_currencies_as_keys():
    order = Order("code", ("code",))

    assert forwards(Currency.objects.all(), order, 7) == sorted(Currency.objects.values_list("pk", flat=True))


def test_moments_keep_their_microseconds():
    (row,) = make_entries(builders.entity(), 1)
    at = datetime(2026, 11, 20, 8, 15, 0, 123456, tzinfo=UTC)
    other = Entry.objects.create(
        at=at, actor_kind="SYSTEM", actor_label="system: booking", action="test.happened", entity_id=row.entity_id
    )
    order = Order("at", ("at", "pk"))

    page = paging.page(Entry.objects.all(), order, size=5, place=Place(after=paging.token(other, order)))

    assert page.rows == []
