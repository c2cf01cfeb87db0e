"""Client money in the browser: the worked example short by 1,275.00, explained, topped up by three, then even."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from backoffice.approvals.models import Request
from integrations.records import PspKind
from reconciliation.actions.client_money import TOP_UP
from reconciliation.models import ClientMoneyRun, TopUp
from tests.desk import policy
from tests.five_clients import five_clients
from tests.worlds import DAY, psp_line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_shortfall_is_seen_explained_and_made_up(visit):
    desk = five_clients()
    desk.w.put(desk.w.psp, psp_line("p1", "1300.00", kind=PspKind.PAYMENT, reference="D-00000007"))
    desk.w.book()
    policy(action=TOP_UP, execute_permission="reconciliation.execute_top_up")
    fred, fiona, pat = (visit().enter(user) for user in desk.users())
    page = fred.go("client-money")
    fred.press("Calculate")
    page.locator("[name=day]").fill(str(DAY))
    fred.press("Calculate")
    main = page.locator("main")
    expect(main).to_contain_text("Shortfall, to be paid in today")
    fred.sees("15,700.00", "14,425.00", "1,275.00", "left outside", "1,300.00")
    page.get_by_role("row", name=re.compile("^D ")).get_by_role("link").first.click()
    fred.sees("Wallet USD", "Withdrawal W-00000001", "1,100.00")
    run = ClientMoneyRun.objects.latest("pk")

    fred.go("client-money-run", run.pk)
    fred.press("Top up")
    page.locator("[name=reason_code]").select_option(index=1)
    page.locator("[name=reason]").fill("shortfall of yesterday's close")
    fred.press("Ask for approval")
    asked = Request.objects.get(action=TOP_UP)
    fiona.go("request", asked.pk)
    fiona.sees("Makes up the shortfall", "exactly")
    fiona.press("Approve", "Approve")
    assert not TopUp.objects.exists()
    pat.go("request", asked.pk)
    pat.press("Execute", "Execute")
    expect(pat.page.locator("main")).to_contain_text("executed")
    assert TopUp.objects.count() == 1

    page = fred.go("calculate-client-money")
    page.locator("[name=day]").fill(str(DAY))
    fred.press("Calculate")
    expect(page.locator("main")).to_contain_text("not on a bank line yet")
    second = ClientMoneyRun.objects.latest("pk")
    assert (second.number, second.difference) == (2, 0)
    fiona.go("client-money-run", second.pk)
    fiona.press("Sign")
    fiona.press("Sign")
    fiona.sees("Fred", "Fiona")
    assert ClientMoneyRun.objects.get(pk=second.pk).signed_name
