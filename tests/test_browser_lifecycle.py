"""A client's life in the browser: suspended and given back by two at a simulated server (J9), held without a hint
(J10), and what the auditor reads of it all (J15)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import expect

from accounts import actions
from accounts.actions import Lift, Step
from accounts.models import NEUTRAL, Client, Reason, Restriction, RestrictionKind, What
from accounts.services import clients, closing, restrictions
from accounts.services.clients import Login
from accounts.services.restrictions import Restricted
from backoffice.approvals.models import Request
from backoffice.approvals.selectors import progress
from backoffice.audit.models import Check, Entry
from backoffice.audit.services import sealing, verification
from backoffice.kernel import clock
from backoffice.organisation.selectors import calendars
from integrations.services import connections
from tests.browser import Visitor, cells, staff
from tests.builders import ROBOT, entity
from tests.clients import floor
from tests.mt5_world import MANAGER, PASSWORD, asked, misbehave, running
from tests.test_integrations_users_commands import work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

UPDATE = "/api/user/update"
OPEN, CLOSING = "real\\USD", "real\\CLOSE-USD"
LEVERAGE = {5001: 30, 5002: 20}
# What would tell of a hold; "hold" alone is also a word of the page itself.
TELLING = re.compile(r"AML|money laund|suspicio|consent|informer|Carl|AML_HOLD")


@pytest.fixture
def simulator():
    """The simulated server with a close-only group and the two logins' leverages."""
    with running() as simulator:
        simulator.control.run("load", {"groups": [{"Group": CLOSING}]})
        for login, leverage in LEVERAGE.items():
            simulator.control.run("user/edit", {"login": login, "fields": {"Leverage": leverage}})
        yield simulator


def two_logins(simulator) -> Client:
    """A client with two logins at the simulator."""
    here = entity("CY")
    server = connections.add(
        actor=ROBOT,
        entity_id=here.pk,
        name="mt5",
        adapter="mt5_webapi",
        settings={
            "base_url": simulator.url,
            "login": MANAGER,
            "groups": "real\\*,!real\\test",
            "timeout_seconds": "1",
            "close_only_group": "real\\CLOSE-{currency}",
        },
        secret_values={"password": PASSWORD},
    )
    client = clients.open_client(actor=ROBOT, entity_id=here.pk, number="C-1", name="Ada Lovelace", country="GB")
    logins = [Login(client.pk, server.pk, login, "USD", OPEN, leverage) for login, leverage in LEVERAGE.items()]
    clients.open_trading_accounts(actor=ROBOT, logins=logins)
    return client


def at_server(simulator) -> dict[int, tuple[str, int]]:
    """Group and leverage of both logins as the server has them."""
    users = {login: simulator.store.user(login) for login in LEVERAGE}
    return {login: (user["Group"], int(user["Leverage"])) for login, user in users.items()}


def both_show(who: Visitor, client: Client, words: str) -> None:
    who.go("client", client.pk)
    for login in LEVERAGE:
        assert words in cells(who.page, str(login))


def suspend(dana: Visitor, client: Client) -> None:
    dana.go("client", client.pk)
    dana.press("Suspend")
    dana.page.locator("[name=code]").select_option("TRADING_ABUSE")
    dana.page.locator("[name=trading]").select_option("CLOSE_ONLY")
    dana.press("Suspend")
    expect(dana.page.locator("main")).to_contain_text("What happened")


def ask_to_reactivate(carl: Visitor, client: Client) -> None:
    carl.go("client", client.pk)
    carl.press("Ask to reactivate")
    carl.page.locator("[name=code]").select_option("CLEARED")
    carl.page.locator("[name=reason]").fill("The trades have been explained.")
    carl.press("Ask for approval")


def may_withdraw(client: Client) -> bool:
    """What the service that pays out asks before anything else."""
    try:
        with transaction.atomic():
            restrictions.require_may(client_id=client.pk, what=What.WITHDRAWAL)
    except Restricted:
        return False
    return True


def is_refused(who: Visitor, words: str) -> None:
    """The form comes back with a sentence; the browser itself complains of nothing but the status 422."""
    expect(who.page.locator("main")).to_contain_text(words)
    assert [complaint for complaint in who.complaints if "status of 422" not in complaint] == []
    who.complaints.clear()


def forbidden(who: Visitor, permission: str, route: str, *arguments: object, **data: str) -> None:
    """A POST with the token of the person's own page is refused for want of this permission, and not of the token."""
    token = who.page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    address = who.address + reverse(route, args=arguments)
    answer = who.page.request.post(address, form={"csrfmiddlewaretoken": token, **data})
    assert answer.status == 403, (route, answer.status)
    assert f"This needs the permission <code>{permission}</code>" in answer.text(), route


def list_as_file(who: Visitor, route: str) -> str:
    page = who.go(route)
    with page.expect_download() as taken:
        page.get_by_role("link", name="CSV", exact=True).click()
    return Path(taken.value.path()).read_text()


def as_shown(request: Request) -> dict[str, str]:
    """What the page of a decision carries along."""
    return {"seen": request.payload_hash, "token": progress.token(request)}


def links(who: Visitor, name: str) -> int:
    return who.page.get_by_role("link", name=name, exact=True).count()


# J9: suspend and lift.


def test_dana_suspends_close_only_and_two_of_compliance_give_it_back(visit, simulator, settings):
    settings.STEP_UP = True  # they sign in with their second factor, so it is fresh
    client, here = two_logins(simulator), entity("CY")
    dana = visit().sign_in(staff("dana", "DLR", here))
    carl, cora = (visit().sign_in(staff(name, "CMP", here)) for name in ("carl", "cora"))

    suspend(dana, client)
    dana.sees("suspended", "terms of trading")
    both_show(dana, client, "queued")
    assert at_server(simulator) == {login: (OPEN, leverage) for login, leverage in LEVERAGE.items()}
    assert not may_withdraw(client), "whether or not the server has been told"
    assert work() == 2
    both_show(dana, client, "confirmed")
    assert {group for group, _ in at_server(simulator).values()} == {CLOSING}

    assert (links(dana, "Ask to reactivate"), links(dana, "Ask to lift")) == (0, 0)
    answer = {"code": "CLEARED", "reason": "it was nothing"}
    forbidden(dana, "accounts.ask_lift", "reactivate-client", client.pk, **answer)
    row = Restriction.objects.filter(client=client, lifted_at=None).first()
    forbidden(dana, "accounts.ask_lift", "lift-restriction", row.pk, **answer)
    assert not Request.objects.exists()

    ask_to_reactivate(carl, client)
    request = Request.objects.get()
    carl.go("request", request.pk)
    carl.sees("waiting for approval", "suspended", "active")
    assert links(carl, "Approve") == 0
    forbidden(dana, "accounts.decide_status", "approve-request", request.pk, **as_shown(request))
    simulator.control.run("user/edit", {"login": 5001, "fields": {"Leverage": 1}})  # somebody at the server
    cora.go("request", request.pk)
    cora.sees("Carl asked: The trades have been explained.", "mt5 login 5001", "mt5 login 5002")
    cora.press("Approve", "Approve")
    expect(cora.page.locator("main")).to_contain_text("executed")

    both_show(cora, client, "queued")
    assert may_withdraw(client)
    assert work() == 2
    both_show(cora, client, "confirmed")
    assert at_server(simulator) == {login: (OPEN, leverage) for login, leverage in LEVERAGE.items()}
    history = " | ".join(" ".join(line.split()) for line in cora.page.locator(".timeline li").all_inner_texts())
    for said in (
        "Dana status: active → suspended · terms of trading",
        "Cora status: suspended → active · checked; the cause is gone",
        *(f"Dana login {login}: group {OPEN} → group {CLOSING}" for login in LEVERAGE),
        *(f"Cora login {login}: group {CLOSING} → group {OPEN}" for login in LEVERAGE),
    ):
        assert said in history, (said, history)


def test_a_suspension_holds_here_while_the_server_is_off(visit, simulator):
    client, here = two_logins(simulator), entity("CY")
    dana, carl = visit().enter(staff("dana", "DLR", here)), visit().enter(staff("carl", "CMP", here))
    misbehave(simulator, "off")

    suspend(dana, client)
    both_show(dana, client, "queued")
    assert work() == 2
    both_show(dana, client, "pending at server")
    assert not may_withdraw(client)
    assert asked(simulator, UPDATE) == []

    ask_to_reactivate(carl, client)
    is_refused(carl, "has not confirmed the last change for this client yet")
    assert not Request.objects.exists()

    simulator.control.run("reset", {})
    work(seconds=3600)
    both_show(dana, client, "confirmed")
    assert {group for group, _ in at_server(simulator).values()} == {CLOSING}
    ask_to_reactivate(carl, client)
    expect(carl.page.locator("main")).to_contain_text("Make a client active again")
    assert Request.objects.count() == 1


# J10: an AML hold without tipping off.


def test_a_hold_reads_like_a_review_and_ends_with_the_mlro_and_another(visit):
    """Withdrawals are requests only in a later version: what fiona has to decide here is the other request that gives a
    client's money back, the end of a closing. The service that withdrawals will ask refuses already."""
    f = floor()
    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    with transaction.atomic():
        f.confirm()
    pending = f.ask(f.fred, actions.CLOSE, Step(f.client.pk, Reason.COMPLETED))
    roles = {"carl": "CMP", "cora": "CMP", "mona": "MLRO", "sue": "SUP", "ian": "IBM", "dana": "DLR", "fiona": "FAP"}
    who = {name: visit().enter(staff(name, role, f.here)) for name, role in roles.items()}
    carl, cora, mona, fiona = (who[name] for name in ("carl", "cora", "mona", "fiona"))

    carl.go("client", f.client.pk)
    carl.press("Set a flag")
    carl.page.locator("[name=kind]").select_option("AML_HOLD")
    carl.page.locator("[name=note]").fill("an informer has called")
    carl.press("Set a flag")
    expect(carl.page.locator("main")).to_contain_text("AML hold")
    carl.sees("an informer has called")

    for name in ("sue", "ian", "dana"):
        reads_a_review(who[name], f.client)
    for name in ("sue", "ian"):  # their roles take no list away as a file
        assert links(who[name], "CSV") == 0
        refused = who[name].page.request.get(who[name].address + reverse("clients") + "?export=csv")
        assert (refused.status, "AML" in refused.text()) == (403, False)
    file = list_as_file(who["dana"], "clients")
    assert NEUTRAL in file and "C-1" in file and not TELLING.search(file)
    assert "AML hold" in list_as_file(carl, "clients")

    assert not may_withdraw(f.client)
    fiona.go("request", pending.pk)
    fiona.sees(f"the client is {NEUTRAL}")
    assert links(fiona, "Approve") == 0 and not TELLING.search(fiona.text())
    fiona.go("approve-request", pending.pk)
    fiona.press("Approve")
    is_refused(fiona, NEUTRAL)
    assert not TELLING.search(fiona.text())

    note_consent(mona)
    deadline = calendars.add_business_days(f.here.calendar, clock.today(), 7)
    assert str(deadline) in cells(mona.page, "C-1")
    who["sue"].go("client", f.client.pk)
    assert not TELLING.search(who["sue"].text())

    ask_to_end(carl, f.client)
    is_refused(carl, "You set this yourself.")
    assert not Request.objects.exclude(pk=pending.pk).exists()
    ask_to_end(mona, f.client)
    expect(mona.page.locator("main")).to_contain_text("What happened")
    release = Request.objects.exclude(pk=pending.pk).get()
    carl.go("request", release.pk)
    assert links(carl, "Approve") == 0
    carl.go("approve-request", release.pk)  # no form for somebody who took part
    expect(carl.page.locator("main")).to_contain_text("You took part in what this request is about.")
    carl.complaints.clear()
    cora.go("request", release.pk)
    cora.press("Approve", "Approve")
    expect(cora.page.locator("main")).to_contain_text("executed")

    assert may_withdraw(f.client)
    who["sue"].go("client", f.client.pk)
    who["sue"].sees("No flags.")
    fiona.go("request", pending.pk)
    fiona.press("Approve", "Approve")
    expect(fiona.page.locator("main")).to_contain_text("executed")


def reads_a_review(who: Visitor, client: Client) -> None:
    """The client's page and the search say that there is a review, and nothing of what it is about."""
    page = who.go("client", client.pk)
    expect(page.locator("main .pill", has_text=NEUTRAL).first).to_be_visible()
    assert not TELLING.search(page.locator("body").inner_text())
    assert "AML hold" not in page.content() and "AML_HOLD" not in page.content()
    assert (links(who, "Holds"), links(who, "End")) == (0, 0)
    page = who.go("clients")
    page.get_by_label("Name", exact=True).fill("ada")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "name=ada" in url)
    assert NEUTRAL in cells(page, "C-1")
    assert not TELLING.search(page.locator("body").inner_text())
    assert "AML hold" not in page.content() and "AML_HOLD" not in page.content()


def note_consent(mona: Visitor) -> None:
    """The MLRO notes today's letter to the authority, from the list of holds."""
    page = mona.go("holds")
    page.get_by_role("row", name=re.compile("C-1")).get_by_role("link").first.click()
    page.locator("[name=what]").select_option("ASKED")
    page.get_by_label("Day of the letter").fill(str(clock.today()))
    mona.press("Note it")
    expect(page.locator("table")).to_contain_text("consent asked for")


def ask_to_end(who: Visitor, client: Client) -> None:
    who.go("client", client.pk)
    who.press("End")
    who.page.get_by_label("What was found").fill("The payments are explained.")
    who.page.get_by_label("Kind of reason").select_option("CLEARED")
    who.press("End the flag")


# J15: what the auditor reads.


def test_the_auditor_reads_all_changes_nothing_and_finds_the_tampered_row(visit, settings, tmp_path, superuser):
    settings.SEAL_HEADS = tmp_path / "heads"
    f = floor()
    row = restrictions.restrict(
        actor=f.dana, client_id=f.client.pk, kind=RestrictionKind.NO_WITHDRAWAL, reason=Reason.SECURITY
    )
    request = f.ask(f.carl, actions.LIFT, Lift(row.pk, Reason.CLEARED))
    sealing.seal()
    ada = visit().sign_in(staff("ada", "AUD", f.here))
    page = ada.page

    ada.go("requests").get_by_role("row", name=re.compile("Lift")).get_by_role("link").first.click()
    ada.sees("Carl asked: as the test wants it", "no withdrawals", "waiting for approval")
    for route, arguments in (
        ("request", (request.pk,)),
        ("client", (f.client.pk,)),
        ("trading-account", (f.logins[0].pk,)),
        ("audit-log", ()),
    ):
        ada.go(route, *arguments)
        assert page.locator("main form[method=post], main button.primary, main .decide a").count() == 0, route
        writes = ("Approve", "Suspend", "Restrict", "Ask to lift", "Set a flag", "Write a note", "Ask for other terms")
        assert [name for name in writes if links(ada, name)] == [], route
    answer = {"code": "SECURITY", "kind": "FREEZE", "trading": "CLOSE_ONLY", "reason": "x"}
    forbidden(ada, "accounts.decide_status", "approve-request", request.pk, **as_shown(request))
    for permission, route, pk in (
        ("accounts.suspend_client", "suspend-client", f.client.pk),
        ("accounts.restrict_client", "restrict-client", f.client.pk),
        ("accounts.ask_lift", "lift-restriction", row.pk),
    ):
        forbidden(ada, permission, route, pk, **answer)

    file = list_as_file(ada, "audit-log")
    assert "client.restricted" in file and "Dana" in file

    verify(ada)
    expect(page.get_by_text("all holds")).to_be_visible()
    entry = Entry.objects.get(action="client.restricted")
    tamper(superuser, f"UPDATE audit_entry SET actor_label = 'Nobody' WHERE id = {entry.pk}")
    verify(ada)
    expect(page.get_by_text(f"First bad row: audit.entries {entry.pk}:")).to_be_visible()
    expect(page.locator("main .pill.bad").first).to_be_visible()
    found = page.locator("main table code").all_inner_texts()
    assert found == [f"audit.entries {entry.pk}"]


def verify(ada: Visitor) -> None:
    """The button, and the worker's part."""
    ada.go("audit-checks")
    ada.press("Verify now", "Verify now")
    expect(ada.page.locator("main")).to_contain_text("waiting for a worker")
    verification.carry_out(check_id=Check.objects.latest("pk").pk)
    ada.go("audit-check", Check.objects.latest("pk").pk)


def tamper(superuser, statement: str) -> None:
    """What somebody with the whole database can do, who puts the triggers back afterwards."""
    superuser.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = 'audit_entry'::regclass")
    triggers = [name for (name,) in superuser.fetchall()]
    superuser.execute("ALTER TABLE audit_entry DISABLE TRIGGER USER")
    superuser.execute(statement)
    assert superuser.rowcount == 1
    superuser.execute("ALTER TABLE audit_entry " + ", ".join(f"ENABLE ALWAYS TRIGGER {name}" for name in triggers))
