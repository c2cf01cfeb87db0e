"""Pages of breaks and runs beyond what tests/test_ui_pages.py does with every page."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from backoffice.kernel import clock
from backoffice.organisation.models import Holiday
from backoffice.organisation.selectors import calendars
from backoffice.ui import components
from reconciliation.models import Break
from reconciliation.selectors.cash_sides import _rows, _said
from tests import builders
from tests import test_reconciliation_classes as classes

pytestmark = pytest.mark.django_db
DAY = date(2026, 11, 18)


def sign_in(*permissions: str) -> Client:
    client = Client()
    client.force_login(builders.user("mara", *permissions, entities=(builders.entity("CY"),)))
    return client


@pytest.mark.parametrize("plant", [classes.test_every_class_of_trade_break, classes.test_every_class_of_cash_break])
def test_the_page_of_a_break_of_any_class_opens_and_says_what_it_is(plant):
    plant()
    client = sign_in("reconciliation.view_break", "reconciliation.assign_break")
    found = list(Break.objects.all())

    for item in found:
        answer = client.get(reverse("break", args=[item.pk]))
        assert answer.status_code == 200, item.klass
        assert item.key in answer.content.decode(), item.klass
    assert len({item.klass for item in found}) > 10


@pytest.mark.parametrize(
    ("texts", "sign"),
    [(("DEP 7", "R-7", "R-7"), False), (("R-7", "R-7", "R-7"), True), (("R-7", "R-7", "R-8"), False)],
)
def test_texts_and_days_of_a_payment_have_the_sign_they_deserve(texts, sign):
    days = (DAY, DAY, DAY if sign else DAY + timedelta(days=2))
    columns = [_said([(Decimal(10), "EUR", day, text)]) for day, text in zip(days, texts, strict=True)]
    html = components.diff(_rows(columns), ("Server", "Ledger", "PSP"))
    lines = {label: re.search(rf"<tr[^>]*>(?:(?!</tr>).)*?{label}.*?</tr>", html)[0] for label in ("Text", "First day")}
    assert ["=</span>" in line for line in lines.values()] == [sign, sign]
    assert ["≠" in line for line in lines.values()] == [not sign, not sign]
    assert 'class="differs"' not in html


def test_a_form_shows_its_day_the_way_it_takes_it():
    client = sign_in("reconciliation.start_run", "reconciliation.view_run")
    here = builders.entity("CY")
    with clock.at(datetime(2026, 11, 10, 9, 0, tzinfo=UTC)):
        form = client.get(reverse("start-run"))
        asked = {"entity": here.pk, "kind": "cash", "day": "2026-11-09"}
        wrong = client.post(reverse("start-run"), {**asked, "day": "09/11/2026"})
        right = client.post(reverse("start-run"), asked)

    assert 'value="2026-11-09"' in form.content.decode()
    assert wrong.status_code == 422
    assert "Write the day as 2026-11-20." in wrong.content.decode()
    assert right.status_code == 303


def test_ages_of_many_are_those_of_one_each():
    Holiday.objects.create(calendar="TARGET", date=date(2026, 11, 11), name="a holiday")
    friday, thursday = date(2026, 11, 6), date(2026, 11, 12)
    spans = [
        ("TARGET", friday, thursday),
        ("NYSE", friday, thursday),
        ("TARGET", date(2026, 11, 7), date(2026, 11, 8)),
        ("TARGET", thursday, friday),
        ("TARGET", friday, friday),
    ]

    assert calendars.ages_in_business_days(spans) == [3, 4, 0, 0, 0]
    assert [calendars.age_in_business_days(*span) for span in spans] == [3, 4, 0, 0, 0]
    assert calendars.ages_in_business_days([]) == []
