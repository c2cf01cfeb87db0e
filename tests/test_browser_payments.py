"""Withdrawals in the browser: two people and a payer (J1), a rejection (J2), a payee that changed lately (J3) and a
withdrawal cut into pieces (J4)."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from backoffice.approvals.models import Request
from backoffice.approvals.models import State as Approval
from backoffice.audit.models import Entry
from backoffice.organisation.models import User
from backoffice.outbox.models import Message
from payments.actions import outside as actions
from payments.models import MoneyRequest, Payee, Payout, RequestState
from payments.models.reasons import REFUSALS
from tests.browser import Visitor, cells, staff
from tests.desk import policy
from tests.payments_desk import Desk, open_desk, state
from tests.test_browser_lifecycle import as_shown, forbidden, is_refused, links

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
D = Decimal


def enter(who: Visitor, desk: Desk, amount: str) -> MoneyRequest:
    """A withdrawal from the wallet to the newest payee, from the client's page."""
    page = who.go("client", desk.client.pk)
    page.get_by_role("link", name="Enter a withdrawal").click()
    page.locator("[name=source]").select_option(f"wallet:{desk.wallet.pk}")
    newest = Payee.objects.filter(client=desk.client, state="VERIFIED").latest("pk")
    page.locator("[name=payee]").select_option(str(newest.pk))
    page.locator("[name=amount]").fill(amount)
    who.press("Enter the withdrawal")
    expect(page.locator("main")).to_contain_text("What was asked for")
    return MoneyRequest.objects.latest("pk")


def send_for_approval(who: Visitor, request: MoneyRequest) -> Request:
    """From the list of new requests."""
    page = who.go("new-withdrawals")
    page.get_by_role("link", name=request.reference).click()
    expect(page.locator("main")).to_contain_text("Balance replay")
    who.press("Send for approval")
    page.locator("[name=reason_code]").select_option("CLIENT")
    page.locator("[name=reason]").fill("as he asked by mail")
    who.press("Send for approval")
    expect(page.locator("main")).to_contain_text("in review")
    return Request.objects.get(target=f"payments.moneyrequest:{request.pk}", state=Approval.PENDING)


def balances_shown(who: Visitor, desk: Desk) -> list[str]:
    """Booked, reserved and free as the client's page has them."""
    return [re.sub(r"[^0-9.,]", "", text) for text in cells(who.go("client", desk.client.pk), "USD")[1:4]]


def test_fred_asks_fiona_approves_and_pat_pays(visit, settings):
    desk = open_desk()
    settings.STEP_UP = True  # they sign in with their second factor, so it is fresh
    roles = {"fred": "FMK", "fiona": "FAP", "pat": "PAY"}
    fred, fiona, pat = (visit().sign_in(staff(name, role, desk.here)) for name, role in roles.items())
    request = enter(fred, desk, "400.00")
    approval = send_for_approval(fred, request)
    assert balances_shown(fred, desk) == ["1,000.00", "400.00", "600.00"]
    fred.go("request", approval.pk)
    assert links(fred, "Approve") == 0
    forbidden(fred, "payments.approve_withdrawal", "approve-request", approval.pk, **as_shown(approval))
    assert not Payout.objects.exists()

    fiona.go("request", approval.pk)
    fiona.sees("Balance replay", "payee 30 days old, verified", "First withdrawal", "Return to source")
    fiona.press("Approve", "Approve")
    expect(fiona.page.locator("main")).to_contain_text("executed")
    assert balances_shown(fiona, desk) == ["1,000.00", "400.00", "600.00"]

    page = pat.go("to-pay")
    page.get_by_role("link", name=request.reference).click()
    pat.press("Send")
    page.locator("[name=way]").select_option("HAND")
    pat.press("Send")
    expect(page.locator("main")).to_contain_text("to pay")
    second = visit().enter(User.objects.get(username="pat"))
    second.go("send-withdrawal", request.pk)
    second.press("Send")
    is_refused(second, "Nothing was sent by this")
    pat.press("Enter the payment")
    page.locator("[name=bank_reference]").fill("BK-2026-77")
    pat.press("Enter the payment")
    expect(page.locator("main")).to_contain_text("sent")
    pat.sees("Fred entered", "Fred sent for approval", "Fiona approved", "Pat sent: by hand", "BK-2026-77")
    pat.sees("client reads: Your withdrawal was sent.")
    assert balances_shown(pat, desk) == ["600.00", "0.00", "600.00"]
    assert (state(request), Payout.objects.count()) == (RequestState.SENT, 1)


def test_fiona_rejects_and_the_money_is_free_again(visit):
    desk = open_desk()
    fred, fiona = (visit().enter(staff(name, role, desk.here)) for name, role in (("fred", "FMK"), ("fiona", "FAP")))
    request = enter(fred, desk, "399.99")
    approval = send_for_approval(fred, request)
    page = fiona.go("money-request", request.pk)
    fiona.press("Reject")
    page.locator("[name=code]").select_option("PAYEE_MISMATCH")
    page.locator("[name=note]").evaluate("field => field.required = false")
    fiona.press("Reject")
    expect(page.locator("main")).to_contain_text("This field is required")
    fiona.complaints.clear()
    page.locator("[name=note]").fill("The holder is his brother")
    fiona.press("Reject")
    expect(page.locator("main")).to_contain_text("rejected")
    fiona.sees("Reservation released", "The holder is his brother", REFUSALS["PAYEE_MISMATCH"].public)
    assert balances_shown(fiona, desk) == ["1,000.00", "0.00", "1,000.00"]
    mail = Message.objects.get(kind="client.mail")
    assert mail.payload["body"] == REFUSALS["PAYEE_MISMATCH"].public and "brother" not in str(mail.payload)
    fiona.go("request", approval.pk)
    fiona.sees("rejected")
    assert links(fiona, "Approve") == 0
    assert Entry.objects.filter(action="money.rejected").count() == 1


def test_a_payee_of_yesterday_needs_two_and_a_sum_in_pieces_the_high_chain(visit):
    desk = open_desk()
    policy(action=actions.PAY)
    policy(action=actions.PAY, risk_flag=actions.YOUNG, approvers=2)
    sue, carl, fred = (
        visit().enter(staff(name, role, desk.here)) for name, role in (("sue", "SUP"), ("carl", "CMP"), ("fred", "FMK"))
    )
    page = sue.go("propose-payee", desk.client.pk)
    for name, value in (("kind", "BANK"), ("currency", "USD")):
        page.locator(f"[name={name}]").select_option(value)
    for name, value in (("holder", "Ada Lovelace"), ("iban", "GB29NWBK60161331926819"), ("town", "London"),
                        ("country", "GB"), ("reason", "she moved to another bank")):  # fmt: skip
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=reason_code]").select_option("NEW")
    sue.press("Propose the payee")
    expect(page.locator("main")).to_contain_text("GB29NWBK60161331926819")
    asked = Request.objects.get(action=actions.VERIFY, state=Approval.PENDING)
    assert "GB29" not in str(asked.payload) + str(asked.preview) + asked.summary
    carl.go("request", asked.pk)
    carl.press("What it is about")
    carl.sees("GB29NWBK60161331926819", "100 of 100")
    carl.go("request", asked.pk)
    carl.press("Approve", "Approve")
    expect(carl.page.locator("main")).to_contain_text("executed")

    request = enter(fred, desk, "500.00")
    fred.sees("payee 0 days old, verified")
    approval = send_for_approval(fred, request)
    assert approval.approvals_needed == 2
    carl.go("request", approval.pk)
    assert links(carl, "Approve") == 0
    policy(action=actions.PAY, from_amount=D(1000), approvers=3)
    for amount, needed in (("400.00", 2), ("100.00", 3)):
        assert send_for_approval(fred, enter(fred, desk, amount)).approvals_needed == needed
