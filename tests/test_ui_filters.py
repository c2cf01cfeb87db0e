"""Filters: what they leave, what they say, and that nonsense in an address does no harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from django.test import RequestFactory

from backoffice.audit.models import Entry
from backoffice.organisation.models import Desk, FxRate, Holiday, User
from backoffice.ui import filters
from tests import builders
from tests.pages_ui import START, make_desks, make_entries
from tests.ui_site import DeskFilters, EntryFilters

pytestmark = pytest.mark.django_db
DAY = START.date()


class RateFilters(filters.Filters):
    rate = filters.AmountRange("rate", "Rate")
    date = filters.DateRange("date", "Day")
    source = filters.Prefix("source", "Source")
    base = filters.Choice("base_id", "Base", [("USD", "US dollar"), ("EUR", "euro")])


def apply(kind: type[filters.Filters], query: str, queryset: Any, user: User | None = None) -> filters.Filters:
    request = RequestFactory().get(f"/?{query}")
    request.user = user or builders.user("mara", entities=(builders.entity(),))
    return kind(QueryDict(query), queryset=queryset, request=request)


@pytest.fixture
def rates() -> None:
    for n in range(5):
        FxRate.objects.create(
            date=DAY + timedelta(days=n), base_id="USD", quote_id="EUR", rate=Decimal(n + 1), source=f"ECB{n}"
        )


def found(query: str) -> list[int]:
    shown = apply(RateFilters, query, FxRate.objects.order_by("date"))
    assert shown.problems() == {}
    return [int(row.rate) for row in shown.qs]


def test_without_values_everything_is_there(rates):
    assert found("") == [1, 2, 3, 4, 5]
    assert found("rate_from=&source=&base=") == [1, 2, 3, 4, 5]


def test_ranges_include_both_ends(rates):
    assert found("rate_from=2&rate_to=4") == [2, 3, 4]
    assert found("rate_from=4") == [4, 5]
    assert found(f"date_to={DAY}") == [1]
    assert found(f"date_from={DAY + timedelta(days=1)}&date_to={DAY + timedelta(days=2)}") == [2, 3]


def test_text_and_choice(rates):
    assert found("source=ECB3") == [4]
    assert found("source=ecb3") == []
    assert found("base=USD&source=ECB") == [1, 2, 3, 4, 5]
    assert found("base=EUR") == []


def test_a_day_of_moments_ends_at_its_last_microsecond():
    here = builders.entity()
    for at in (
        datetime(2026, 11, 19, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 11, 20, tzinfo=UTC),
        datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
    ):
        Entry.objects.create(at=at, actor_kind="SYSTEM", actor_label="system: x", action="x", entity=here)

    shown = apply(EntryFilters, "at_from=2026-11-20&at_to=2026-11-20", Entry.objects.order_by("at"))

    assert [row.at.hour for row in shown.qs] == [0, 23]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("rate_from=abc", "rate"),
        ("rate_from=NaN", "rate"),
        ("rate_from=1e9", "rate"),
        ("rate_from=" + "9" * 40, "rate"),
        ("rate_from=5&rate_to=4", "rate"),
        ("date_from=20/11/2026", "date"),
        ("date_from=11/20/2026", "date"),
        ("date_from=2026-02-30", "date"),
        ("base=GBP", "base"),
        ("source=%00", "source"),
        ("source=" + "x" * 300, "source"),
    ],
)
def test_a_value_that_makes_no_sense_is_said_and_left_out_and_the_others_hold(rates, query, field):
    shown = apply(
        RateFilters, f"{query}&date_to={DAY + timedelta(days=1)}" if field != "date" else query, FxRate.objects.all()
    )

    assert list(shown.problems()) == [field]
    assert len(shown.problems()[field]) > 10
    assert shown.qs.count() == (5 if field == "date" else 2)
    assert [chip.label for chip in shown.chips()] == ([] if field == "date" else ["Day"])
    control = next(html for html in shown.controls() if f"problem-{field}" in html)
    assert 'aria-invalid="true"' in control or field == "base"
    assert "<script" not in control


def test_a_search_over_numbers_and_words():
    here = builders.entity()
    make_entries(here, 3)

    class EntrySearch(filters.Filters):
        search = filters.Search(("actor_id", "exact"), ("target", "startswith"))

    assert apply(EntrySearch, "search=test.row:1", Entry.objects.all()).qs.count() == 1
    assert apply(EntrySearch, "search=77", Entry.objects.all()).qs.count() == 0
    assert apply(EntrySearch, "search=%20", Entry.objects.all()).qs.count() == 3
    assert apply(EntrySearch, "search=99999999999999999999", Entry.objects.all()).qs.count() == 0


def test_a_search_with_no_column_for_the_word_finds_nothing():
    class Logins(filters.Filters):
        search = filters.Search(("actor_id", "exact"))

    make_entries(builders.entity(), 2)

    assert apply(Logins, "search=word", Entry.objects.all()).qs.count() == 0


def test_percent_and_underscore_are_letters():
    Holiday.objects.create(calendar="T", date=DAY, name="100% off_day")

    class Names(filters.Filters):
        name = filters.Contains("name", "Name")

    assert apply(Names, "name=0%25 OFF_", Holiday.objects.all()).qs.count() == 1
    assert apply(Names, "name=_00%25", Holiday.objects.all()).qs.count() == 0


def test_mine_is_the_person_who_looks():
    here = builders.entity()
    mara = builders.user("mara", entities=(here,))
    for person in (mara, builders.user("chris")):
        Entry.objects.create(
            at=START, actor_kind="PERSON", actor_id=person.pk, actor_label=str(person), action="x", entity=here
        )

    class Own(filters.Filters):
        mine = filters.Mine("actor_id")

    assert [row.actor_id for row in apply(Own, "mine=1", Entry.objects.all(), mara).qs] == [mara.pk]
    assert apply(Own, "", Entry.objects.all(), mara).qs.count() == 2


def test_entities_are_those_the_person_works_in():
    here, there = builders.entity(), builders.entity("UK")
    make_desks(here, 1)
    mara = builders.user("mara", entities=(here,))

    own = apply(DeskFilters, f"entity={here.pk}", Desk.objects.all(), mara)
    foreign = apply(DeskFilters, f"entity={there.pk}", Desk.objects.all(), mara)

    assert own.qs.count() == 1
    assert ("Entity", "CY") in [(chip.label, chip.value) for chip in own.chips()]
    assert list(foreign.problems()) == ["entity"]
    assert not any("UK" in control for control in foreign.controls())


def test_chips_say_what_holds_and_how_to_take_it_away():

    shown = apply(DeskFilters, "search=x&code=FX&code=CM&sort=-name&after=a~1", Desk.objects.all())

    assert [(chip.label, chip.value, chip.remove_url) for chip in shown.chips()] == [
        ("Search", "x", "?code=FX&code=CM&sort=-name"),
        ("Code", "forex", "?search=x&code=CM&sort=-name"),
        ("Code", "commodities", "?search=x&code=FX&sort=-name"),
    ]


def test_a_range_is_one_chip(rates):
    (chip,) = apply(RateFilters, "rate_from=1000&rate_to=2,000.50&base=", FxRate.objects.all()).chips()

    assert (chip.value, chip.remove_url) == ("1,000 – 2,000.5", "?")


def test_hostile_values_stay_text():
    shown = apply(
        RateFilters, "source=%22%3E%3Cimg src=x onerror=1%3E&base=%3Cimg%3E&rate_from=%3Cimg%3E", FxRate.objects.all()
    )

    assert not any("<img" in control for control in shown.controls())
