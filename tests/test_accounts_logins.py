"""What people do to one login: a new password forced, trading given back, margin foretold, the technical mark."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions
from accounts.actions import Lift, Mark, Terms
from accounts.models import Reason, Restriction, RestrictionKind, TechnicalMark, TradingAccount
from accounts.selectors import margin
from accounts.selectors.server_state import password_state
from accounts.selectors.technical import left_out
from accounts.services import passwords, protective, restrictions
from accounts.services.passwords import AlreadyDemanded
from backoffice.approvals import registry
from backoffice.approvals.models import Request, State
from backoffice.approvals.registry import Level
from backoffice.approvals.services import requests
from backoffice.approvals.services.refusals import Excluded
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.organisation.models import User
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message
from backoffice.outbox.models import State as Sent
from integrations.models import ServerCommand, ServerGroup, ServerMargin
from integrations.services import connections, feeds
from tests.attacks import execute, refused
from tests.builders import ROBOT
from tests.clients import GROUP, Floor, floor
from tests.mt5_world import LOGIN, MANAGER, PASSWORD, misbehave, running

pytestmark = pytest.mark.django_db
UPDATE = "/api/user/update"
RESET, TECHNICAL, EXCLUDED = 0x400, 0x10000, 0x20000


@pytest.fixture
def f() -> Floor:
    return floor()


@pytest.fixture
def simulator():
    with running() as simulator:
        yield simulator


@pytest.fixture
def wired(f, simulator) -> Floor:
    """The floor's first login is one of the simulated server's."""
    connections.change(
        actor=ROBOT,
        connection_id=f.server.pk,
        settings={"base_url": simulator.url, "login": MANAGER, "groups": "real\\*", "timeout_seconds": "1"},
        secret_values={"password": PASSWORD},
        is_active=True,
    )
    TradingAccount.objects.filter(pk=f.logins[0].pk).update(login=LOGIN, group="real\\USD", leverage=30)
    f.logins[0].refresh_from_db()
    state = f.state()
    state.group, state.leverage = "real\\USD", 30
    state.save()
    simulator.control.run("user/edit", {"login": LOGIN, "fields": {"Leverage": 30}})
    return f


def at(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def work(seconds: float = 0.0) -> int:
    with clock.at(clock.now() + timedelta(seconds=seconds)):
        return outbox.send_due()


def rights(simulator) -> int:
    return int(simulator.store.user(LOGIN)["Rights"])


def page(name: str, f: Floor) -> str:
    answer = at(name).get(reverse("trading-account", args=[f.logins[0].pk]))
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split())


# A new password forced


def test_a_new_password_is_forced_by_support_and_pending_until_read_back(wired, simulator):
    before = rights(simulator)
    address = reverse("force-password", args=[wired.logins[0].pk])
    misbehave(simulator, "off", path=UPDATE)
    assert at("sue").post(address, {"code": "SECURITY"}).status_code == 303
    assert "New password queued" in page("sue", wired)
    work()
    assert "New password pending at server" in page("sue", wired)
    assert rights(simulator) == before
    with pytest.raises(AlreadyDemanded):
        passwords.force_change(actor=wired.carl, account_id=wired.logins[0].pk, reason=Reason.SECURITY)
    simulator.control.run("reset", {})
    work(60)
    work(600)
    assert rights(simulator) == before | RESET, "one bit, and no other"
    assert "New password confirmed" in page("sue", wired)
    assert password_state(wired.logins[0]).code == "CONFIRMED"
    told = at("sue").get(reverse("client", args=[wired.client.pk])).content.decode()
    assert f"new password forced for login {LOGIN}" in told
    entry = Entry.objects.get(action="client.password_forced")
    assert (entry.actor_id, entry.data) == (wired.sue.user_id, {"login": LOGIN, "reason": "SECURITY"})
    said = Entry.objects.filter(action__startswith="server.command").values_list("data", flat=True)
    assert not any("password" in str(value).lower() and "reset_password" not in str(value) for value in said)


def test_a_server_that_forgets_the_demand_is_told_on(wired, simulator):
    misbehave(simulator, "forget_update", count=1)
    passwords.force_change(actor=wired.sue, account_id=wired.logins[0].pk, reason=Reason.SECURITY)
    work()
    assert Message.objects.get().state == Sent.REFUSED
    shown = page("sue", wired)
    assert "New password refused by the server" in shown and "did not store it" in shown
    passwords.force_change(actor=wired.sue, account_id=wired.logins[0].pk, reason=Reason.SECURITY)
    work(1)
    assert rights(simulator) & RESET


@pytest.mark.parametrize("name", ["dana", "fred", "fiona", "pat", "ian", "mia", "sam", "ada"])
def test_others_cannot_force_it(f, name):
    address = reverse("force-password", args=[f.logins[0].pk])
    assert at(name).get(address).status_code in (403, 404)
    assert at(name).post(address, {"code": "SECURITY"}).status_code in (403, 404)
    assert not ServerCommand.objects.exists()


def test_nothing_but_the_demand_comes_from_a_forged_form(f):
    address = reverse("force-password", args=[f.logins[0].pk])
    forged = {"password": "geheim1", "reset_password": "0", "login": "1", "enabled": "0", "group": "x", "key": "k"}
    assert at("sue").post(address, {**forged, "code": "<b>"}).status_code == 422
    assert at("sue").post(address, {**forged, "code": "SECURITY"}).status_code == 303
    command = ServerCommand.objects.get()
    assert (command.login, command.wanted) == (f.logins[0].login, {"reset_password": True})
    assert "geheim1" not in str(list(Message.objects.values())) + str(list(Entry.objects.values()))


def test_a_demand_and_a_change_of_rights_do_not_take_each_others_place(wired, simulator):
    passwords.force_change(actor=wired.sue, account_id=wired.logins[0].pk, reason=Reason.SECURITY)
    protective.suspend(actor=wired.dana, client_id=wired.client.pk, reason=Reason.SECURITY)
    for seconds in (0, 60, 600):
        work(seconds)
    assert rights(simulator) & (RESET | 0x4) == RESET | 0x4


# Trading given back


def no_trading(f: Floor, who: str = "carl", kind: RestrictionKind = RestrictionKind.READ_ONLY) -> Restriction:
    row = restrictions.restrict(actor=f.people[who], client_id=f.client.pk, kind=kind, reason=Reason.SECURITY)
    f.confirm()
    return row


@pytest.mark.parametrize("kind", [RestrictionKind.READ_ONLY, RestrictionKind.CLOSE_ONLY])
def test_support_asks_dealing_agrees_and_trading_is_back(f, kind):
    row = no_trading(f, kind=kind)
    request = f.ask(f.sue, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))
    assert f.agree(f.dana, request).state == State.EXECUTED
    row.refresh_from_db()
    assert (row.is_open, row.lifted_by_id) == (False, f.dana.user_id)
    state = f.state()
    assert (state.trading, state.group, state.is_pending) == (True, GROUP, True)


def test_who_set_it_neither_asks_nor_agrees(f):
    row = no_trading(f, "dana")
    request = f.ask(f.sue, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))
    with pytest.raises(Excluded):
        f.agree(f.dana, request)
    assert f.agree(f.cora, request).state == State.EXECUTED
    again = no_trading(f, "carl")
    with pytest.raises(DomainError, match="You set this yourself"):
        f.ask(f.carl, actions.LIFT_TRADING, Lift(again.pk, Reason.CLEARED))
    with refused("23514"):
        execute(
            "UPDATE accounts_restriction SET lifted_at = now(), lifted_by_id = %s, lift_reason = 'CLEARED'"
            " WHERE id = %s",
            [f.carl.user_id, again.pk],
        )


def test_one_person_is_never_enough(f):
    row = no_trading(f)
    request = f.ask(f.cora, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))
    with pytest.raises(requests.SameEyes):
        f.agree(f.cora, request)
    row.refresh_from_db()
    assert row.is_open
    with pytest.raises(NotPermitted):
        f.ask(f.dana, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))


@pytest.mark.parametrize("name", ["fred", "fiona", "pat", "sue", "mia", "ada"])
def test_nobody_else_agrees_to_it(f, name):
    row = no_trading(f)
    request = f.ask(f.cora, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))
    with pytest.raises(NotPermitted):
        f.agree(f.people[name], request)


@pytest.mark.parametrize(
    "kind", [kind for kind in RestrictionKind if kind not in (RestrictionKind.READ_ONLY, RestrictionKind.CLOSE_ONLY)]
)
def test_money_and_log_in_stay_with_compliance(f, kind):
    """Through the action, and through the page with a forged number."""
    row = no_trading(f, kind=kind)
    with pytest.raises(DomainError, match="Compliance lifts the rest"):
        f.ask(f.sue, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))
    answer = {"code": "CLEARED", "reason": "x"}
    assert at("sue").post(reverse("lift-trading", args=[row.pk]), answer).status_code == 404
    assert at("sue").post(reverse("lift-restriction", args=[row.pk]), answer).status_code == 403
    request = f.ask(f.cora, actions.LIFT, Lift(row.pk, Reason.CLEARED))
    with pytest.raises(NotPermitted):
        f.agree(f.dana, request)


def test_what_came_with_a_suspension_is_not_dealings_to_give_back(f):
    protective.suspend(actor=f.carl, client_id=f.client.pk, reason=Reason.SECURITY)
    f.confirm()
    row = Restriction.objects.get(client=f.client, kind=RestrictionKind.READ_ONLY)
    with pytest.raises(DomainError, match="Compliance lifts the rest"):
        f.ask(f.sue, actions.LIFT_TRADING, Lift(row.pk, Reason.CLEARED))


def test_the_page_offers_it_to_support(f):
    row = no_trading(f)
    client = reverse("client", args=[f.client.pk])
    address = reverse("lift-trading", args=[row.pk])
    assert address in at("sue").get(client).content.decode()
    assert address not in at("dana").get(client).content.decode()
    answer = at("sue").post(address, {"code": "CLEARED", "reason": "it was a mistake"})
    assert answer.status_code == 303
    request = Request.objects.get()
    assert (request.action, request.reason_code) == (actions.LIFT_TRADING, "CLEARED")
    shown = at("dana").get(reverse("request", args=[request.pk])).content.decode()
    assert reverse("approve-request", args=[request.pk]) in shown


# Margin


def reading(f: Floor, *, equity: str, tied: str, leverage: int = 100, minutes: int = 1, **group: object) -> None:
    account = f.logins[0]
    TradingAccount.objects.filter(pk=account.pk).update(leverage=30)
    account.refresh_from_db()
    now = clock.now() - timedelta(minutes=minutes)
    values = {"stop_out": Decimal(50), "in_money": False, **group}
    ServerMargin.objects.update_or_create(
        connection=f.server,
        login=account.login,
        defaults={"equity": Decimal(equity), "margin": Decimal(tied), "leverage": leverage, "read_at": now},
    )
    ServerGroup.objects.update_or_create(
        connection=f.server, name=GROUP, defaults={"currency": "USD", "read_at": now, **values}
    )


@pytest.mark.parametrize(
    ("leverage", "percent", "level"),
    [
        (100, "500", Level.GREEN),
        (20, "100", Level.GREEN),
        (19, "95", Level.AMBER),
        (10, "50", Level.AMBER),
        (9, "45", Level.RED),
        (1, "5", Level.RED),
    ],
)
def test_less_leverage_lowers_the_margin_level_in_proportion(f, leverage, percent, level):
    """Equity 500 and margin 100 at 1:100 are 500 %; at 1:20 margin is 500 and the level 100 %."""
    reading(f, equity="500", tied="100")
    found = margin.after(f.logins[0], group=GROUP, leverage=leverage)
    assert (found.percent, found.level) == (Decimal(percent), level)


@pytest.mark.parametrize(
    ("values", "leverage", "level", "words"),
    [
        ({"equity": "500", "tied": "0"}, 1, Level.GREEN, "no open positions"),
        ({"equity": "-5", "tied": "100"}, 100, Level.RED, "below stop-out"),
        ({"equity": "500", "tied": "100", "minutes": 61}, 100, Level.AMBER, "not known: the newest reading is of"),
        ({"equity": "500", "tied": "100", "leverage": 0}, 50, Level.AMBER, "not known: the server has not told the"),
        ({"equity": "500", "tied": "100", "stop_out": Decimal(450), "in_money": True}, 100, Level.RED, "free margin"),
        ({"equity": "500", "tied": "100", "stop_out": Decimal(350), "in_money": True}, 100, Level.GREEN, "free margin"),
    ],
)
def test_what_the_reading_says_and_does_not_say(f, values, leverage, level, words):
    reading(f, **values)
    found = margin.after(f.logins[0], group=GROUP, leverage=leverage)
    assert (found.level, words in found.words) == (level, True), found.words


def test_what_is_not_known_is_amber_and_says_why(f):
    account = f.logins[0]
    found = margin.after(account, group=GROUP, leverage=20)
    assert (found.level, found.percent) == (Level.AMBER, None)
    assert found.words == "not known: mt5 has not told this login's margin"
    reading(f, equity="500", tied="100")
    other = margin.after(account, group="real\\VIP", leverage=100)
    assert (other.level, other.percent) == (Level.AMBER, None)
    assert "real\\VIP may ask another margin" in other.words
    ServerGroup.objects.update(name="real\\renamed")
    found = margin.after(account, group=GROUP, leverage=100)
    assert (found.level, "not told the group's stop-out" in found.words) == (Level.AMBER, True)


def test_both_pages_show_it(f):
    reading(f, equity="500", tied="100")
    address = reverse("change-terms", args=[f.logins[0].pk])
    form = " ".join(re.sub(r"<[^>]*>", " ", at("dana").get(address).content.decode()).split())
    assert "Margin level now 500.0 % stop-out at 50 %" in form
    assert "At 1:10, about 50.0 %, below 100 %" in form
    assert "At 1:5, about 25.0 %, below stop-out" in form
    assert "1:500" not in form, "above the cap nothing is offered"
    said = {"group": GROUP, "leverage": 5, "reason_code": "CLIENT", "reason": "as agreed"}
    assert at("dana").post(address, said).status_code == 303
    request = Request.objects.get()
    shown = at("carl").get(reverse("request", args=[request.pk])).content.decode()
    assert "Margin level afterwards" in shown and "the server would close positions" in shown
    checks = {check.label: check.level for check in registry.get(request.action).checks(_payload(request))}
    assert checks["Margin level afterwards"] is Level.RED
    f.agree(f.carl, request)
    stored = request.participations.get(part="APPROVER").checks
    levels = {check["label"]: check["level"] for check in stored}
    assert levels["Margin level afterwards"] == "red"


def test_the_expectation_is_what_the_server_says_afterwards(wired, simulator):
    """Read over the wire, foretold, changed, read again."""
    simulator.control.run("load", {"deals": [{"Login": LOGIN, "Action": 2, "Time": 1_795_000_000, "Profit": "1000"}]})
    simulator.control.run("account", {"login": LOGIN, "floating": "-100", "margin": "250"})
    feeds.pull_users(actor=ROBOT, connection_id=wired.server.pk)
    account = wired.logins[0]
    assert margin.now(account).percent == Decimal(360)
    foretold = margin.after(account, group="real\\USD", leverage=5)
    assert (foretold.percent, foretold.level) == (Decimal(60), Level.AMBER)
    wired.both(wired.dana, wired.carl, actions.TERMS, Terms(account.pk, "real\\USD", 5))
    for seconds in (0, 60):
        work(seconds)
    feeds.pull_users(actor=ROBOT, connection_id=wired.server.pk)
    account.refresh_from_db()
    assert (account.leverage, margin.now(account).percent) == (5, foretold.percent)


def test_margin_that_cannot_be_read_does_not_spoil_the_logins(wired, simulator):
    misbehave(simulator, "forbidden", path="/api/user/account/get_batch")
    read = feeds.pull_users(actor=ROBOT, connection_id=wired.server.pk)
    assert read.read > 0
    wired.server.feed.refresh_from_db()
    assert wired.server.feed.users_read_at is not None
    assert "Margin could not be read" in wired.server.feed.users_error
    assert margin.now(wired.logins[0]).level is Level.AMBER


# The technical mark


def marked(f: Floor, technical: bool = True) -> Request:
    return f.both(f.dana, f.carl, actions.TECHNICAL, Mark(f.logins[0].pk, technical))


def test_a_technical_login_is_marked_by_two_and_told_to_the_server(wired, simulator):
    before = rights(simulator)
    marked(wired)
    account = TradingAccount.objects.get(pk=wired.logins[0].pk)
    assert account.technical
    work()
    assert rights(simulator) == before | TECHNICAL | EXCLUDED, "two bits, and no other"
    assert not wired.state().is_pending
    mark = TechnicalMark.objects.get()
    assert (mark.technical, mark.by_id) == (True, wired.carl.user_id)
    assert "technical: left out" in page("sue", wired) and "technical, out of reports" in page("sue", wired)
    told = at("sue").get(reverse("client", args=[wired.client.pk])).content.decode()
    assert "counted in reports → technical" in told
    marked(wired, technical=False)
    work(1)
    assert rights(simulator) == before
    assert Entry.objects.filter(action="client.login_technical").count() == 2


def test_other_commands_leave_a_mark_that_is_not_ours_alone(wired, simulator):
    """Somebody marked it at the server: a suspension is no decision about that."""
    simulator.control.run("user/edit", {"login": LOGIN, "set": TECHNICAL})
    protective.suspend(actor=wired.dana, client_id=wired.client.pk, reason=Reason.SECURITY)
    work()
    assert rights(simulator) & (TECHNICAL | 0x4) == TECHNICAL | 0x4


def test_nobody_marks_alone_and_dealing_does_not_agree(f):
    payload = Mark(f.logins[0].pk, True)
    request = f.ask(f.sue, actions.TECHNICAL, payload)
    for name in ("sue", "dana", "fred", "mia"):
        with pytest.raises((NotPermitted, requests.SameEyes)):
            f.agree(f.people[name], request)
    with pytest.raises(NotPermitted):
        f.ask(f.fred, actions.TECHNICAL, payload)
    with pytest.raises(DomainError, match="not technical already"):
        f.ask(f.dana, actions.TECHNICAL, Mark(f.logins[0].pk, False))
    assert not TechnicalMark.objects.exists()


def test_the_history_of_marks_stands(f):
    marked(f)
    for statement in (
        "UPDATE accounts_technicalmark SET technical = false",
        "DELETE FROM accounts_technicalmark",
        "TRUNCATE accounts_technicalmark",
    ):
        with refused("BO001", "42501"):
            execute(statement)


def test_what_is_left_out_is_what_was_marked_at_that_moment(f):
    early = clock.now()
    with clock.at(early + timedelta(hours=1)):
        marked(f)
        f.confirm()
    with clock.at(early + timedelta(hours=3)):
        marked(f, technical=False)
    here, account = [f.here.pk], f.logins[0]
    found = [left_out(here, early + timedelta(hours=hours)).accounts for hours in (0, 2, 4)]
    assert found == [(), (account.pk,), ()]
    middle = left_out(here, early + timedelta(hours=2))
    assert {account.balance_account_id, account.credit_account_id} <= set(middle.ledger)
    assert left_out([f.here.pk + 999], early + timedelta(hours=2)).accounts == ()


def test_money_on_it_is_red_before_the_second_person(f):
    request = f.ask(f.dana, actions.TECHNICAL, Mark(f.logins[0].pk, True))
    checks = registry.get(request.action).checks(_payload(request))
    assert [check.level for check in checks] == [Level.GREEN]


def _payload(request: Request):
    return registry.load(registry.get(request.action).payload, request.payload)
