"""A chargeback in the browser, the ledger half of J13: opened, flagged, charged by two people, won, undone to zero; and
an alert that is worked on."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from accounts.models import FlagKind, RestrictionKind
from backoffice.approvals.models import Request
from backoffice.approvals.models import State as Approval
from backoffice.audit.models import Entry
from integrations.records import PspKind
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from payments.models import CasePosting, ChargebackCase, FraudAlert
from payments.services import case_posting
from tests.browser import Visitor, staff
from tests.chargebacks import opened
from tests.pages_fraud import alerts_of
from tests.payments_desk import Desk, announced, at_source, open_desk, psp
from tests.test_browser_lifecycle import as_shown, forbidden, links
from tests.worlds import psp_line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def loss(desk: Desk) -> Decimal:
    accounts = LedgerAccount.objects.filter(entity=desk.here, code=case_posting.LOSS).values_list("pk", flat=True)
    return sum(balances(list(accounts)).values(), Decimal(0))


def asked_for(who: Visitor, case: ChargebackCase, button: str, code: str, words: str) -> Request:
    page = who.go("chargeback", case.pk)
    who.press(button)
    page.locator("[name=reason_code]").select_option(code)
    page.locator("[name=reason]").fill(words)
    who.press("Charge the client" if button == "Charge the client" else "Give back")
    expect(page.locator("main")).to_contain_text("The dispute")
    return Request.objects.get(target=f"payments.chargebackcase:{case.pk}", state=Approval.PENDING)


def agreed(who: Visitor, approval: Request) -> None:
    who.go("request", approval.pk)
    who.press("Approve", "Approve")
    expect(who.page.locator("main")).to_contain_text("executed")


def test_pat_opens_a_case_finance_charges_it_and_winning_undoes_it(visit, settings):
    desk = open_desk("1000.00")
    settings.STEP_UP = True
    deposit = announced(desk.client, "1000.00")
    at_source(psp(), psp_line("P-1", "1000.00", reference=deposit.reference))
    roles = {"fred": "FMK", "fiona": "FAP", "pat": "PAY", "sue": "SUP"}
    fred, fiona, pat, sue = (visit().sign_in(staff(name, role, desk.here)) for name, role in roles.items())
    before = loss(desk), desk.money()[0]

    page = pat.go("client", desk.client.pk)
    page.get_by_role("link", name="Open a chargeback case").click()
    for name, label in (("state", "charged back"), ("connection", psp().name), ("deposit", deposit.reference)):
        page.locator(f"[name={name}]").select_option(label=label)
    page.locator("[name=currency]").select_option("USD")
    for name, value in (("amount", "1000.00"), ("dispute_reference", "D-1"), ("psp_reference", "P-1"),
                        ("reason_code", "10.4"), ("method", "visa"), ("deadline_at", "2026-12-24T10:00"),
                        ("text", "He says it was not him")):  # fmt: skip
        page.locator(f"[name={name}]").fill(value)
    pat.press("Open the case")
    expect(page.locator("main")).to_contain_text("The dispute")
    pat.sees("charged back", "1,000.00 USD", "2026-12-24 10:00", "chargeback risk", "no withdrawals", "He says it was")
    case = ChargebackCase.objects.get()
    assert desk.client.flags.filter(kind=FlagKind.CHARGEBACK_RISK, ended_at=None).exists()
    assert desk.client.restrictions.filter(kind=RestrictionKind.NO_WITHDRAWAL, lifted_at=None).exists()
    assert links(pat, "Charge the client") == 0

    approval = asked_for(fred, case, "Charge the client", "TERMS", "the client bears it")
    fred.go("request", approval.pk)
    assert links(fred, "Approve") == 0
    forbidden(fred, "payments.approve_chargeback", "approve-request", approval.pk, **as_shown(approval))
    assert not CasePosting.objects.exists()
    fiona.go("request", approval.pk)
    fiona.sees("expense.chargebacks", "Money taken", "Left as a loss")
    agreed(fiona, approval)
    assert (loss(desk), desk.money()[0]) == (before[0] - 1000, 1000)
    fred.go("chargeback", case.pk)
    fred.sees("Charged to the client 1,000.00 USD", "1,000.00 USD booked, 1,000.00 USD free", "charged to the client")
    # The provider's line brings the loss: the client has borne it.
    line = psp_line("L-2", "-1000.00", psp_reference="P-1", modification_reference="D-1", kind=PspKind.CHARGEBACK,
                    provider_type="Chargeback", reference=deposit.reference)  # fmt: skip
    at_source(psp(), line)
    assert loss(desk) == before[0]

    page = pat.go("chargeback", case.pk)
    pat.press("It has moved")
    page.locator("[name=to]").select_option(label="won")
    page.locator("[name=text]").fill("The issuer gave in")
    pat.press("It has moved")
    expect(page.locator("main")).to_contain_text("Won: finance asks to give the client back")
    agreed(fiona, asked_for(fred, case, "Give back", "WON", "won"))
    back = psp_line("L-3", "1000.00", psp_reference="P-1", modification_reference="D-1",
                    kind=PspKind.CHARGEBACK_REVERSED, provider_type="ChargebackReversed")  # fmt: skip
    at_source(psp(), back)
    assert (loss(desk), desk.money()[0]) == before
    page = fred.go("chargeback", case.pk)
    fred.sees(
        "won", "Charged to the client 0.00 USD", "2,000.00 USD booked, 2,000.00 USD free", "given back to the client"
    )
    assert links(fred, "Give back") == 0
    sue.go("chargeback", case.pk)
    sue.sees("won")
    assert links(sue, "It has moved") == 0
    for action in ("chargeback.charged_back", "chargeback.won", "chargeback.charged", "chargeback.returned"):
        assert Entry.objects.filter(action=action, target=f"payments.chargebackcase:{case.pk}").exists(), action


def test_an_alert_is_taken_explained_and_closed(visit):
    desk = open_desk()
    alert = alerts_of(desk.here, 1)[0]
    carl = visit().enter(staff("carl", "CMP", desk.here))
    page = carl.go("fraud-alerts")
    page.get_by_role("link", name=str(alert)).first.click()
    carl.sees("Names agree", "Nothing has happened to the client")
    carl.press("Assign", "Assign")
    expect(page.locator("main")).to_contain_text("Carl assigned to")
    carl.press("Close")
    page.locator("[name=outcome]").select_option("EXPLAINED")
    page.locator("[name=text]").fill("Maiden name, passport seen")
    carl.press("Close")
    expect(page.locator("main")).to_contain_text("explained: nothing wrong")
    carl.sees("Maiden name, passport seen")
    assert links(carl, "Assign") == 0 and FraudAlert.objects.get(pk=alert.pk).closed_by is not None
    assert carl.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
def test_the_pages_fit(visit, size, theme):
    """No page of chargebacks or alerts is wider than its window."""
    desk = open_desk()
    case = opened(desk.client, psp(), dispute_reference="D-1", psp_reference="P-1", text="a note about it")
    alert = alerts_of(desk.here, 1)[0]
    pat = visit(size=size, theme=theme).enter(staff("pat", "PAY", desk.here))
    for route, arguments in (("chargebacks", ()), ("case-deadlines", ()), ("dispute-ratios", ()),
                             ("chargeback", (case.pk,)), ("move-case", (case.pk,)), ("open-case", (desk.client.pk,)),
                             ("fraud-alerts", ()), ("fraud-alert", (alert.pk,))):  # fmt: skip
        page = pat.go(route, *arguments)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), route
    assert pat.complaints == []
