"""Today: what each part says, who sees which, how it refreshes, and what it costs."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.organisation.models import Holiday
from backoffice.organisation.selectors import calendars
from reconciliation.models import OPEN_STATES, Break
from reconciliation.selectors import open_breaks
from reconciliation.services import breaks
from reporting.selectors import days, today
from tests import builders
from tests.pages_reporting import busy_days
from tests.reporting_day import HELD, MARKUP, MORNING, build_day
from tests.worlds import DAY

pytestmark = pytest.mark.django_db
TODAY = "reporting.view_today"
PARTS = {
    "compared": "reconciliation.view_run",
    "breaks": "reconciliation.view_break",
    "runs": "reconciliation.view_run",
    "feeds": "integrations.view_connection",
    "money": "ledger.view_ledgeraccount",
    "files": "integrations.view_fileimport",
}
ALL = (TODAY, *sorted(set(PARTS.values())), "approvals.view_request", "accounts.view_unbooked")


def sign_in(*permissions: str, user: str = "fred", entities=()) -> Client:
    client = Client()
    client.force_login(builders.user(user, *permissions, entities=entities))
    return client


def words(client: Client) -> str:
    with clock.at(MORNING):
        page = client.get("/").content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def part(client: Client, key: str) -> str:
    with clock.at(MORNING):
        page = client.get("/").content.decode()
    found = re.search(rf'<section class="[^"]*" id="today-{key}">(.*?)</section>', page, re.S)
    assert found, f"there is no part {key}"
    return " ".join(re.sub(r"<[^>]+>", " ", found.group(1)).split())


def test_each_part_tells_the_day():
    day = build_day()
    client = sign_in(*ALL, entities=(day.here,))

    assert "trades CY 2026-11-19 5 3 60.0 % 2 done" in part(client, "compared")
    assert "4 of 4 done" in part(client, "compared")
    found = part(client, "breaks")
    assert "5 open" in found
    assert "missing at LP DLR · 1 · · · 1" in found
    assert "USD in 1,500.25 USD · out 200.00 USD" in part(client, "money")
    assert f"{HELD} bank held: does not prove itself" in part(client, "files")
    assert "1 file waiting" in part(client, "work")
    assert "0 approvals waiting for me" in part(client, "work")
    assert "mt5 CY" in part(client, "feeds")
    assert "cash CY 2026-11-19 done" in part(client, "runs")


def test_my_breaks_stand_at_the_top():
    day = build_day()
    client = sign_in(*ALL, user="mara", entities=(day.here,))

    mine = part(client, "work")

    assert "1 break assigned to me" in mine
    assert day.taken.summary in mine
    assert "2 bd" in mine
    assert "0 breaks assigned to me" in part(sign_in(*ALL, entities=(day.here,)), "work")


@pytest.mark.parametrize("key", sorted(PARTS))
def test_a_part_needs_its_permission(key):
    day = build_day()
    without = tuple(name for name in ALL if name != PARTS[key])
    with clock.at(MORNING):
        page = sign_in(*without, entities=(day.here,)).get("/").content.decode()

    assert f'id="today-{key}"' not in page
    assert 'id="today-work"' in page


def test_with_the_bare_permission_there_is_a_calm_page():
    day = build_day()

    page = words(sign_in(TODAY, entities=(day.here,)))

    assert "Friday 2026-11-20" in page
    for trace in ("Open breaks", "Feeds", "Money", "D-AAAA2222", HELD, "breaks assigned", "not booked"):
        assert trace not in page


def test_people_of_another_entity_see_nothing_of_it():
    day = build_day()
    with clock.at(MORNING):
        breaks.assign(
            actor=builders.person(day.mara), break_ids=[day.taken.pk], assignee_id=builders.user("stan", *ALL).pk
        )
    stranger = sign_in(*ALL, user="stan", entities=(builders.entity("UK"),))

    page = words(stranger)

    for trace in ("mt5", HELD, "1,500.25", "missing at LP", day.taken.summary, "1 break assigned"):
        assert trace not in page
    for sentence in ("No source is connected yet.", "No break is open.", "No money has moved.", "No file waits."):
        assert sentence in page


def test_a_fresh_installation_says_what_to_do():
    homeless = words(sign_in(*ALL, "integrations.add_connection", user="sue"))
    assert "You work in no legal entity" in homeless
    assert "Add a connection" not in homeless
    here = builders.entity("CY")
    page = words(sign_in(*ALL, "integrations.add_connection", user="sam", entities=(here,)))

    assert "Add a connection" in page
    assert "Nothing to compare yet." in page
    assert "Nothing has been reconciled yet." in page


def test_texts_from_outside_stay_text():
    day = build_day()
    with clock.at(MORNING):
        item = Break.objects.get(klass="UNIDENTIFIED")
        breaks.assign(actor=builders.person(day.mara), break_ids=[item.pk], assignee_id=day.mara.pk)
        page = sign_in(*ALL, user="mara", entities=(day.here,)).get("/").content.decode()

    assert MARKUP[:6].replace('"', "&quot;").replace(">", "&gt;").replace("<", "&lt;") in page
    assert "evil.example/x.png>" not in page


# Links


def test_every_number_of_open_breaks_leads_to_just_these_breaks():
    day = build_day()
    client = sign_in(*ALL, entities=(day.here,))
    with clock.at(MORNING):
        page = client.get("/").content.decode()
        cells = re.findall(r'<td class="right number"><a href="([^"]+)">(\d+)</a>', page)
        assert sum(int(count) for _, count in cells) == 5
        for address, count in cells:
            answer = client.get(address.replace("&amp;", "&"))
            assert answer.context["total"].count == int(count), address
        work = re.findall(r'<a class="today-figure[^"]*" href="([^"]+)">', page)
        for address in work:
            assert client.get(address.replace("&amp;", "&")).status_code == 200, address


def test_buckets_and_their_links_agree_on_every_age():
    """A break of each age from 0 to 40 business days stands in one bucket, and the bucket's days hold it."""
    builders.entity("CY")
    Holiday.objects.create(calendar="TARGET", date=date(2026, 11, 11), name="a day off")
    now = date(2026, 11, 20)
    calendar = days.of(["TARGET"], now, date(2026, 8, 1))["TARGET"]
    spans = today._spans({1: calendar}, now)
    for age in range(41):
        on = calendar.newest(now, age + 1)[0]
        assert calendar.age(on, now) == age
        fits = [n for n, span in enumerate(spans) if inside(on, span)]
        assert fits == [today.bucket_of(age)], (age, on, spans)


def inside(day: date, span: str) -> bool:
    ends = dict(pair.split("=") for pair in span.split("&") if pair)
    return ends.get("day_from", "0000") <= day.isoformat() <= ends.get("day_to", "9999")


def test_ages_are_those_of_the_list_of_breaks():
    day = build_day()
    with clock.at(MORNING):
        calendar = days.of(["TARGET"], MORNING.date())["TARGET"]
        ours = {
            row.meaning.code: tuple(cell.count for cell in row.cells)
            for row in today.open_breaks({day.here.pk: calendar}, MORNING.date())
        }
        theirs: dict[str, list[int]] = {}
        for row in Break.objects.filter(entity=day.here, state__in=OPEN_STATES):
            age = calendars.age_in_business_days(day.here.calendar, row.business_date, MORNING.date())
            bucket = next(number for number, (_, limit) in enumerate(open_breaks.BUCKETS) if age <= limit)
            theirs.setdefault(row.klass, [0] * len(open_breaks.BUCKETS))[bucket] += 1
    assert ours == {code: tuple(counts) for code, counts in theirs.items()}


# Refreshing


def test_a_refresh_without_news_is_empty_and_brings_only_what_changed():
    day = build_day()
    client = sign_in(*ALL, entities=(day.here,))
    with clock.at(MORNING):
        seen = client.get("/").context["seen"]
        quiet = client.get(reverse("today-parts"), {"seen": seen})
        breaks.resolve(actor=builders.person(day.mara), break_id=day.taken.pk, reason="found")
        news = client.get(reverse("today-parts"), {"seen": seen})
        again = client.get(reverse("today-parts"), {"seen": news.context["seen"]})

    assert (quiet.status_code, quiet.content) == (204, b"")
    page = news.content.decode()
    assert re.findall(r'id="(today-[a-z]+)"', page) == ["today-poll", "today-breaks"]
    assert page.count('hx-swap-oob="true"') == 1
    assert "4 open" in page
    assert again.status_code == 204


def test_after_a_change_of_rights_the_whole_page_is_asked_for():
    day = build_day()
    client = sign_in(*ALL, entities=(day.here,))
    with clock.at(MORNING):
        seen = client.get("/").context["seen"]
        fewer = sign_in(TODAY, user="sue", entities=(day.here,)).get(reverse("today-parts"), {"seen": seen})

    assert fewer["HX-Refresh"] == "true"
    assert fewer.content == b""


@pytest.mark.parametrize("seen", ["", "nonsense", "work", ":::,,,", "x" * 5000])
def test_a_refresh_with_nonsense_brings_everything(seen):
    client = sign_in(*ALL, entities=(builders.entity("CY"),))

    answer = client.get(reverse("today-parts"), {"seen": seen})

    assert answer.status_code == 200
    assert "HX-Refresh" in answer or answer.content.count(b"hx-swap-oob") == 7


# Cost


def test_the_number_of_queries_is_the_same_for_any_number_of_rows_days_and_entities():
    here, other = builders.entity("CY"), builders.entity("UK")
    busy_days(here, 1)
    client = sign_in(*ALL, entities=(here, other))
    client.get("/")
    with CaptureQueriesContext(connection) as few:
        client.get("/")
    busy_days(here, 60)
    busy_days(other, 10)
    with CaptureQueriesContext(connection) as many:
        client.get("/")

    assert len(many) == len(few)
    assert len(many) <= 27


def test_reading_the_page_writes_nothing():
    day = build_day()
    client = sign_in(*ALL, entities=(day.here,))
    with clock.at(MORNING), CaptureQueriesContext(connection) as seen:
        client.get("/")

    assert not [q["sql"] for q in seen if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


# Business days


def test_the_last_business_day_skips_weekends_and_holidays():
    Holiday.objects.create(calendar="TARGET", date=date(2026, 11, 20), name="a day off")
    found = days.of(["TARGET"], date(2026, 11, 23))["TARGET"]

    assert found.before(date(2026, 11, 23)) == DAY
    assert found.age(DAY, date(2026, 11, 23)) == 1
    assert found.age(DAY + timedelta(days=1), date(2026, 11, 22)) == 0
    assert found.newest(date(2026, 11, 22), 2) == [date(2026, 11, 18), DAY]


# Exports of lists


def test_an_export_of_a_list_is_in_the_audit_log():
    here = builders.entity("CY")
    busy_days(here, 3)
    client = sign_in("reconciliation.view_break", "organisation.export_rows", entities=(here,))

    b"".join(client.get("/breaks/?klass=VOLUME&export=csv").streaming_content)
    client.get("/breaks/?export=xlsx")

    rows = Entry.objects.filter(action="list.exported").order_by("id")
    assert [(row.data["format"], row.data["rows"], row.data["finished"]) for row in rows] == [
        ("csv", None, False),
        ("csv", 3, True),
        ("xlsx", None, False),
        ("xlsx", 3, True),
    ]
    first = rows[0]
    assert (first.actor_label, first.target, first.data["query"]) == ("Fred", "/breaks/", {"klass": ["VOLUME"]})
    assert first.request_id
