"""Technical logins are in no figure about client money, and every such figure says how many it leaves out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.actions import Mark
from accounts.selectors.technical import left_out
from accounts.services import technical
from backoffice.approvals import registry
from backoffice.approvals.registry import Level
from backoffice.kernel import clock
from reconciliation.models import Break
from reporting.render import html
from reporting.selectors import money
from tests.builders import ROBOT, user
from tests.reporting_day import MORNING, NIGHT, build_day, built
from tests.test_reporting_daily import rows_of
from tests.worlds import DAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def day():
    return build_day()


def mark(day, at, is_technical: bool = True) -> None:
    account = day.world.account
    account.desired.command_key = ""
    account.desired.save()
    with clock.at(at):
        technical.mark(actor=ROBOT, account_id=account.pk, technical=is_technical)


def test_its_money_leaves_the_figures_and_the_report_says_so(day):
    before = built(day.here)
    assert rows_of(before, "money") and rows_of(before, "stake")
    assert dict(before.facts)["Client money"] == "no technical logins"
    controls, classes = rows_of(before, "balance"), rows_of(before, "differences")
    mark(day, NIGHT)
    after = built(day.here)
    assert rows_of(after, "money") == ()
    assert dict(after.facts)["Client money"] == "1 technical login left out"
    assert rows_of(after, "balance") == controls, "the books balance with every account in them"
    assert rows_of(after, "differences") == classes, "a difference stays one, whoever the login belongs to"
    stake = {row.currency: (row.breaks, row.amount) for row in rows_of(after, "stake")}
    rest = [item for item in Break.objects.exclude(amount=None) if item.klass in ("UNIDENTIFIED",) and item.is_open]
    assert stake == {"USD": (len(rest), sum(abs(item.amount) for item in rest))}
    page = html.document(after)
    assert page.count("1 technical login left out") >= 3


def test_a_report_made_again_leaves_out_what_was_technical_then(day):
    then = built(day.here)
    mark(day, MORNING + timedelta(hours=1))
    again = built(day.here)
    assert again.content_hash() == then.content_hash()
    mark_off = MORNING + timedelta(hours=2)
    mark(day, mark_off, is_technical=False)
    assert built(day.here).content_hash() == then.content_hash()


def test_only_the_money_of_technical_logins_is_left_out(day):
    mark(day, NIGHT)
    here = {day.here.pk: "CY"}
    with_all = money.flows(here, first=DAY, last=DAY, cutoff=MORNING)
    without = money.flows(here, first=DAY, last=DAY, cutoff=MORNING, without=left_out(here, MORNING))
    assert [(flow.into, flow.out) for flow in with_all] == [(Decimal("1500.25"), Decimal(200))]
    assert without == []
    nobody = money.flows(here, first=DAY, last=DAY, cutoff=MORNING, without=left_out([day.here.pk + 99], MORNING))
    assert nobody == with_all


def test_today_says_how_many(day):
    client = Client()
    client.force_login(user("tina", "reporting.view_today", "ledger.view_ledgeraccount", entities=(day.here,)))
    with clock.at(MORNING):
        assert "left out" not in client.get(reverse("today")).content.decode()
    mark(day, NIGHT)
    with clock.at(MORNING):
        shown = client.get(reverse("today")).content.decode()
    assert "clients, last 10 business days · 1 technical login left out" in shown


def test_money_on_it_is_red_before_anybody_agrees(day):
    """A client's money is not made to disappear from the totals without somebody seeing it."""
    payload = Mark(day.world.account.pk, True)
    (check,) = registry.get(actions.TECHNICAL).checks(payload)
    assert check.level is Level.RED
    assert "no total of client money will have it" in check.detail
