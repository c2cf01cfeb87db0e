"""Status, restrictions and what is pushed: every step that is legal, and every other one refused, by the services and
by SQL as the application's role."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from accounts import actions
from accounts.actions import Category, Lift, Protect, Step, Terms
from accounts.models import (
    Client,
    ClientStatus,
    KycResult,
    LeverageCap,
    Reason,
    Restriction,
    RestrictionKind,
    StatusChange,
    TradingAccount,
    What,
)
from accounts.models.lifecycle import FIRST, STEPS, legal
from accounts.services import (
    clients,
    closing,
    desired,
    lifting,
    onboarding,
    papers,
    protective,
    restrictions,
    steps,
    terms,
)
from accounts.services.clients import Login
from accounts.services.desired import NoCloseOnlyGroup, PendingAtServer
from accounts.services.locked import OwnStep
from accounts.services.onboarding import TwoNeeded
from accounts.services.restrictions import Restricted
from accounts.services.steps import NotReady, WrongStep
from accounts.services.terms import AboveCap
from backoffice.approvals.models import State
from backoffice.approvals.services.refusals import Excluded
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.outbox.models import Message
from integrations.records import Entry as EntryKind
from integrations.records import Side
from ledger.models import Journal
from tests.attacks import execute, refused
from tests.builders import ROBOT, entity
from tests.clients import GROUP, Floor, floor
from tests.worlds import World, deal, deposit
from tests.worlds import connection as outside

pytestmark = pytest.mark.django_db
S = ClientStatus
JOB = System("timers")
PAIRS = [(a, b) for a in ClientStatus for b in ClientStatus if a != b]


@pytest.fixture
def f() -> Floor:
    return floor()


def put(client: Client, status: str) -> None:
    """Bring a client to a status along legal steps, whatever they mean."""
    ways: dict[str, list[str]] = {start: [start] for start in (client.status,)}
    queue = [client.status]
    while queue:
        here = queue.pop(0)
        for before, after in STEPS:
            if before == here and after not in ways:
                ways[after] = [*ways[here], after]
                queue.append(after)
    for step in ways[status][1:]:
        execute(
            "UPDATE accounts_client SET status = %s, status_at = clock_timestamp(), status_reason = 'POLICY'"
            " WHERE id = %s",
            [step, client.pk],
        )
    client.refresh_from_db()


def applicant(number: str = "A-1") -> Client:
    return onboarding.apply(actor=ROBOT, entity_id=entity().pk, number=number, name="Tom Newman", country="CY")


def passed(client: Client, **changes: object) -> KycResult:
    values = {"provider": "Checker", "outcome": "CLEAN", "risk": "LOW", **changes}
    return papers.record_kyc(actor=ROBOT, client_id=client.pk, **values)


# The table of steps, in code and in the database.


def test_the_database_knows_exactly_the_steps_of_the_code():
    """All pairs of statuses, as the application's role, each from a client who is there by legal steps."""
    tried = 0
    for before in ClientStatus:
        client = applicant(f"A-{before}")
        put(client, before)
        for after in ClientStatus:
            if after == before:
                continue
            statement = (
                f"UPDATE accounts_client SET status = '{after}', status_at = clock_timestamp(),"
                f" status_reason = 'POLICY' WHERE id = {client.pk}"
            )
            if legal(before, after):
                with pytest.raises(RuntimeError), transaction.atomic():
                    execute(statement)
                    raise RuntimeError  # undone
            else:
                with refused("BO060"):
                    execute(statement)
            tried += 1
    assert tried == len(PAIRS) == 156
    assert {b for b in ClientStatus if not [1 for a, c in STEPS if a == b]} == {S.ARCHIVED, S.REJECTED, S.WITHDRAWN}


def test_the_service_takes_no_other_step_either():
    """take_step is the one way in: all pairs, with a sentence that says where one may go from there."""
    for before, after in PAIRS:
        client = applicant(f"B-{PAIRS.index((before, after))}")
        put(client, before)
        if legal(before, after):
            assert steps.take_step(actor=ROBOT, client=client, to=after, reason=Reason.POLICY).status == after
        else:
            with pytest.raises(WrongStep, match="in one step"):
                steps.take_step(actor=ROBOT, client=client, to=after, reason=Reason.POLICY)


def test_a_client_begins_as_an_applicant_or_active_only():
    for status in ClientStatus:
        statement = (
            "INSERT INTO accounts_client (entity_id, number, name, email, country, category, status, status_at,"
            f" status_reason, opened_at) VALUES ({entity().pk}, 'X-{status}', 'x', '', 'CY', 'RETAIL', '{status}',"
            " now(), '', now())"
        )
        if status in FIRST:
            execute(statement)
        else:
            with refused("BO060"):
                execute(statement)


@pytest.mark.parametrize(
    "table",
    ["client", "tradingaccount", "desiredstate", "leveragecap", "lifecyclerule"],
)
def test_histories_are_not_edited(f, table):
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.TRADING_ABUSE)
    with refused("42501"):
        execute(f"UPDATE accounts_historical{table} SET history_change_reason = 'x'")
    with refused("42501"):
        execute(f"DELETE FROM accounts_historical{table}")


# Protective steps and the way back.


def test_j9_suspend_close_only_and_lift(f):
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.TRADING_ABUSE, trading="CLOSE_ONLY")

    assert f.status() == S.SUSPENDED
    for number in (0, 1):
        state = f.state(number)
        assert (state.group, state.original_group, state.original_leverage) == ("real\\CLOSE-USD", GROUP, 30)
        assert (state.enabled, state.trading, state.is_pending) == (True, True, True)
        assert Message.objects.get(key=state.command_key).payload["wanted"] == {
            "enabled": True,
            "trading": True,
            "group": "real\\CLOSE-USD",
            "leverage": 30,
        }
    for what in (What.DEPOSIT, What.WITHDRAWAL, What.TRANSFER):
        with pytest.raises(Restricted):  # the server has not answered; money is off all the same
            restrictions.require_may(client_id=f.client.pk, what=what)

    payload = Step(f.client.pk, Reason.CLEARED)
    with pytest.raises(PendingAtServer):
        f.ask(f.carl, actions.REACTIVATE, payload)
    f.confirm()
    assert not f.state().is_pending
    with pytest.raises(DomainError):
        f.ask(f.dana, actions.REACTIVATE, payload)
    request = f.ask(f.carl, actions.REACTIVATE, payload)
    assert f.status() == S.SUSPENDED
    with pytest.raises(DomainError):
        f.agree(f.carl, request)
    assert f.agree(f.cora, request).state == State.EXECUTED

    assert f.status() == S.ACTIVE
    for number in (0, 1):
        state = f.state(number)
        assert (state.group, state.leverage, state.original_group, state.original_leverage) == (GROUP, 30, "", 0)
        assert state.is_pending
    assert restrictions.require_may(client_id=f.client.pk, what=What.WITHDRAWAL) == f.client
    assert [(c.before, c.after, c.by_id) for c in StatusChange.objects.filter(client=f.client)] == [
        ("ACTIVE", "SUSPENDED", f.dana.user_id),
        ("SUSPENDED", "ACTIVE", f.cora.user_id),
    ]


def test_who_suspended_neither_asks_nor_agrees(f):
    protective.suspend(actor=f.carl, client_id=f.client.pk, reason=Reason.SECURITY)
    f.confirm()
    payload = Step(f.client.pk, Reason.CLEARED)

    with pytest.raises(OwnStep):
        f.ask(f.carl, actions.REACTIVATE, payload)
    request = f.ask(f.cora, actions.REACTIVATE, payload)
    with pytest.raises((OwnStep, Excluded)):
        f.agree(f.carl, request)
    assert f.agree(f.mona, request).state == State.EXECUTED


def test_closing_is_no_way_around_a_suspension(f):
    """Carl suspends; Sue starts closing: what the suspension took stays taken, and Carl is still no judge of it."""
    protective.suspend(actor=f.carl, client_id=f.client.pk, reason=Reason.SECURITY)
    f.confirm()
    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    f.confirm()

    assert f.status() == S.CLOSING
    with pytest.raises(Restricted):
        restrictions.require_may(client_id=f.client.pk, what=What.WITHDRAWAL)
    assert f.state().trading is False
    with pytest.raises(OwnStep):
        f.ask(f.carl, actions.REACTIVATE, Step(f.client.pk, Reason.CLEARED))
    stays = Restriction.objects.get(kind="NO_WITHDRAWAL", lifted_at=None)
    f.both(f.cora, f.mona, actions.LIFT, Lift(stays.pk, Reason.CLEARED))
    assert restrictions.require_may(client_id=f.client.pk, what=What.WITHDRAWAL)


def test_what_a_person_restricted_outlives_the_suspension(f):
    restrictions.restrict(
        actor=f.carl, client_id=f.client.pk, kind=RestrictionKind.NO_TRANSFER, reason=Reason.PAYMENT_DISPUTE
    )
    own = restrictions.restrict(
        actor=f.dana,
        client_id=f.client.pk,
        kind=RestrictionKind.READ_ONLY,
        reason=Reason.TRADING_ABUSE,
        account_id=f.logins[1].pk,
    )
    f.confirm()
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.TRADING_ABUSE)
    f.confirm()
    assert [f.state(n).trading for n in (0, 1)] == [False, False]

    f.both(f.carl, f.cora, actions.REACTIVATE, Step(f.client.pk, Reason.CLEARED))

    assert [f.state(n).trading for n in (0, 1)] == [True, False]
    open_ones = set(Restriction.objects.filter(lifted_at=None).values_list("kind", flat=True))
    assert open_ones == {"NO_TRANSFER", "READ_ONLY"}
    f.confirm()
    f.both(f.carl, f.cora, actions.LIFT, Lift(own.pk, Reason.CLEARED))
    assert f.state(1).trading is True


@pytest.mark.parametrize(
    ("kind", "enabled", "trading", "group"),
    [
        ("NO_LOGIN", False, True, GROUP),
        ("READ_ONLY", True, False, GROUP),
        ("FREEZE", True, False, GROUP),
        ("CLOSE_ONLY", True, True, "real\\CLOSE-USD"),
        ("NO_DEPOSIT", True, True, GROUP),
    ],
)
def test_what_each_restriction_pushes(f, kind, enabled, trading, group):
    before = Message.objects.filter(kind="server.user").count()
    restrictions.restrict(actor=f.carl, client_id=f.client.pk, kind=kind, reason=Reason.SECURITY)

    state = f.state()
    assert (state.enabled, state.trading, state.group) == (enabled, trading, group)
    sent = Message.objects.filter(kind="server.user").count() - before
    assert sent == (0 if kind == "NO_DEPOSIT" else 2)  # one command for each login


FORBIDDEN = {
    "NO_DEPOSIT": {What.DEPOSIT, What.CARD_DEPOSIT},
    "NO_WITHDRAWAL": {What.WITHDRAWAL},
    "NO_TRANSFER": {What.TRANSFER},
    "NO_NEW_ACCOUNT": {What.NEW_ACCOUNT},
    "NO_IB_COMMISSION": {What.IB_COMMISSION},
    "FREEZE": set(What) - {What.BONUS},
    "NO_LOGIN": set(),
    "READ_ONLY": set(),
    "CLOSE_ONLY": set(),
}


@pytest.mark.parametrize("kind", list(RestrictionKind))
def test_what_each_restriction_forbids_at_once(f, kind):
    restrictions.restrict(actor=f.carl, client_id=f.client.pk, kind=kind, reason=Reason.SECURITY)
    found = set()
    for what in What:
        try:
            restrictions.require_may(client_id=f.client.pk, what=what)
        except Restricted:
            found.add(what)
    assert found == FORBIDDEN[kind]


def test_new_logins_are_refused_while_new_accounts_are(f):
    restrictions.restrict(
        actor=f.carl, client_id=f.client.pk, kind=RestrictionKind.NO_NEW_ACCOUNT, reason=Reason.SECURITY
    )
    with pytest.raises(Restricted):
        clients.open_trading_accounts(actor=ROBOT, logins=[Login(f.client.pk, f.server.pk, 1003, "USD")])


def test_lifting_a_restriction_takes_two_others(f):
    row = restrictions.restrict(
        actor=f.dana, client_id=f.client.pk, kind=RestrictionKind.NO_WITHDRAWAL, reason=Reason.SECURITY
    )
    assert row.review_due_at - row.set_at == timedelta(hours=24)
    with pytest.raises(OwnStep):
        restrictions.lift(actor=f.dana, restriction_id=row.pk, reason=Reason.CLEARED)
    for person, code in ((f.dana, "23514"), (f.carl, None)):
        statement = (
            f"UPDATE accounts_restriction SET lifted_at = now(), lifted_by_id = {person.user_id},"
            f" lift_reason = 'CLEARED' WHERE id = {row.pk}"
        )
        if code:
            with refused(code):
                execute(statement)
    with pytest.raises(OwnStep):
        restrictions.confirm(actor=f.dana, restriction_id=row.pk, next_review_at=clock.now() + timedelta(days=7))
    kept = restrictions.confirm(actor=f.carl, restriction_id=row.pk, next_review_at=clock.now() + timedelta(days=7))
    assert (kept.reviewed_by_id, kept.is_open) == (f.carl.user_id, True)
    f.both(f.carl, f.cora, actions.LIFT, Lift(row.pk, Reason.CLEARED))
    row.refresh_from_db()
    assert (row.is_open, row.lifted_by_id) == (False, f.cora.user_id)


def test_support_asks_for_protection_and_compliance_agrees(f):
    f.both(f.sue, f.carl, actions.SUSPEND, Protect(f.client.pk, Reason.SECURITY, "TRADING_OFF"))
    assert f.status() == S.SUSPENDED


def test_a_status_does_not_change_while_a_command_is_on_its_way(f):
    protective.put_under_review(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY, trading="CLOSE_ONLY")
    with pytest.raises(PendingAtServer, match="restriction"):
        protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)
    restrictions.restrict(actor=f.dana, client_id=f.client.pk, kind="FREEZE", reason=Reason.SECURITY)  # never waits
    f.confirm()
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)


def test_an_old_confirmation_does_not_confirm_a_newer_wish(f):
    restrictions.restrict(actor=f.dana, client_id=f.client.pk, kind="READ_ONLY", reason=Reason.SECURITY)
    old = f.state().command_key
    restrictions.restrict(actor=f.dana, client_id=f.client.pk, kind="NO_LOGIN", reason=Reason.SECURITY)
    desired.on_confirmed(f.server.pk, 1001, old, None)
    assert f.state().is_pending


def test_close_only_needs_a_group_to_put_the_login_into():
    f = floor()
    f.server.settings = {}
    f.server.save()
    with pytest.raises(NoCloseOnlyGroup, match="no close-only group"):
        protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY, trading="CLOSE_ONLY")
    assert f.status() == S.ACTIVE


# The other illegal things of the table.


def test_rejected_is_final_and_closed_does_not_become_active(f):
    rejected = applicant()
    onboarding.start_check(actor=f.sue, client_id=rejected.pk)
    papers.add_document(actor=f.sue, client_id=rejected.pk, kind="IDENTITY", name="passport")
    onboarding.papers_complete(actor=f.sue, client_id=rejected.pk)
    onboarding.reject_alone(actor=f.carl, client_id=rejected.pk, reason=Reason.POLICY)
    with pytest.raises(WrongStep, match="final"):
        lifting.reactivate(actor=f.carl, client_id=rejected.pk, reason=Reason.CLEARED)

    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    f.confirm()
    f.both(f.fred, f.fiona, actions.CLOSE, Step(f.client.pk, Reason.COMPLETED))
    f.confirm()
    assert (f.status(), f.state().enabled, f.state().trading) == (S.CLOSED, False, False)
    with pytest.raises(WrongStep):
        lifting.reactivate(actor=f.carl, client_id=f.client.pk, reason=Reason.CLEARED)
    f.both(f.carl, f.mia, actions.REOPEN, Step(f.client.pk, Reason.ENTERED_IN_ERROR))
    assert (f.status(), f.state().enabled) == (S.UNDER_REVIEW, False)
    f.confirm()
    f.both(f.carl, f.cora, actions.REACTIVATE, Step(f.client.pk, Reason.CLEARED))
    assert (f.status(), f.state().enabled, f.state().trading, f.state().group) == (S.ACTIVE, True, True, GROUP)


def world_of(f: Floor) -> World:
    return World(f.server, outside("lp_fills", "lp"), f.server, f.server, f.client, f.logins[0])


def test_nobody_with_money_or_positions_is_closed(f):
    w = world_of(f)
    w.put(f.server, deposit(1, "100.00"))
    w.book()
    assert Journal.objects.exists()
    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    f.confirm()
    with pytest.raises(NotReady, match=r"100\.00 USD"):
        closing.close(actor=f.fiona, client_id=f.client.pk, reason=Reason.COMPLETED)
    w.put(f.server, deposit(2, "-100.00"), deal(3, entry=EntryKind.IN, position_id=7, volume_lots=Decimal(1)))
    w.book()
    with pytest.raises(NotReady, match="open positions"):
        closing.close(actor=f.fiona, client_id=f.client.pk, reason=Reason.COMPLETED)
    w.put(f.server, deal(4, entry=EntryKind.OUT, side=Side.SELL, position_id=7, volume_lots=Decimal(1)))
    closing.close(actor=f.fiona, client_id=f.client.pk, reason=Reason.COMPLETED)
    assert f.status() == S.CLOSED


def test_closing_waits_for_other_requests_about_the_client(f):
    f.ask(f.carl, actions.CATEGORY, Category(f.client.pk, "PROFESSIONAL"))
    closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    f.confirm()
    with pytest.raises(NotReady, match="request"):
        closing.close(actor=f.fiona, client_id=f.client.pk, reason=Reason.COMPLETED)


def test_a_dormant_client_with_a_balance_is_not_closed_in_one_step(f):
    put(f.client, S.DORMANT)
    with pytest.raises(WrongStep):
        closing.close(actor=f.fiona, client_id=f.client.pk, reason=Reason.COMPLETED)


def test_dormant_to_active_needs_a_fresh_check(f):
    passed(f.client)
    put(f.client, S.DORMANT)
    with pytest.raises(NotReady, match="older"):
        f.ask(f.sue, actions.WAKE, Step(f.client.pk, Reason.CLIENT_REQUEST))
    passed(f.client)
    f.both(f.sue, f.carl, actions.WAKE, Step(f.client.pk, Reason.CLIENT_REQUEST))
    assert f.status() == S.ACTIVE


def test_from_application_to_the_first_deposit(f):
    client = applicant()
    onboarding.start_check(actor=f.sue, client_id=client.pk)
    with pytest.raises(NotReady, match="document"):
        onboarding.papers_complete(actor=f.sue, client_id=client.pk)
    papers.add_document(actor=f.sue, client_id=client.pk, kind="IDENTITY", name="passport")
    onboarding.papers_complete(actor=f.sue, client_id=client.pk)
    with pytest.raises(NotReady, match="check"):
        onboarding.approve_alone(actor=f.carl, client_id=client.pk)
    passed(client)
    onboarding.approve_alone(actor=f.carl, client_id=client.pk)
    (account,) = clients.open_trading_accounts(
        actor=ROBOT, logins=[Login(client.pk, f.server.pk, 2001, "USD", GROUP, 30)]
    )
    assert (account.desired.enabled, account.desired.trading) == (True, False)  # trading off until funded
    with pytest.raises(NotReady, match="no deposit"):
        onboarding.activate(actor=JOB, client_id=client.pk)
    w = world_of(f)
    w.put(f.server, deposit(11, "50.00", login=2001))
    w.book()
    stop = restrictions.restrict(
        actor=f.carl, client_id=client.pk, kind=RestrictionKind.NO_DEPOSIT, reason=Reason.KYC_RECHECK
    )
    with pytest.raises(NotReady, match="may not deposit"):
        onboarding.activate(actor=JOB, client_id=client.pk)
    restrictions.lift(actor=f.cora, restriction_id=stop.pk, reason=Reason.CLEARED)
    onboarding.activate(actor=JOB, client_id=client.pk)
    account.desired.refresh_from_db()
    assert (account.desired.trading, account.desired.is_pending) == (True, True)


@pytest.mark.parametrize("mark", [{"is_pep": True}, {"is_company": True}, {"risk": "HIGH"}])
def test_an_applicant_of_high_risk_takes_two(f, mark):
    client = applicant()
    papers.add_document(actor=f.sue, client_id=client.pk, kind="IDENTITY", name="passport")
    onboarding.start_check(actor=f.sue, client_id=client.pk)
    onboarding.papers_complete(actor=f.sue, client_id=client.pk)
    passed(client, **mark)
    with pytest.raises(TwoNeeded):
        onboarding.approve_alone(actor=f.carl, client_id=client.pk)
    f.both(f.carl, f.cora, actions.APPROVE, Step(client.pk, Reason.CLEARED))
    client.refresh_from_db()
    assert client.status == S.APPROVED


# Terms and caps.


def test_the_caps_are_those_of_the_rules():
    found = LeverageCap.objects.filter(entity=None).values_list("category", "instrument_class", "leverage")
    assert set(found) == {
        ("RETAIL", "FX_MAJOR", 30),
        ("RETAIL", "FX_MINOR", 20),
        ("RETAIL", "COMMODITY", 10),
        ("RETAIL", "EQUITY", 5),
        ("RETAIL", "CRYPTO", 2),
    }


def test_no_login_passes_its_category_s_cap(f):
    with pytest.raises(AboveCap, match="1:30"):
        f.ask(f.dana, actions.TERMS, Terms(f.logins[0].pk, GROUP, 31))
    with pytest.raises(AboveCap):
        clients.open_trading_accounts(actor=ROBOT, logins=[Login(f.client.pk, f.server.pk, 9, "USD", GROUP, 100)])
    with refused("BO064"):
        execute("UPDATE accounts_desiredstate SET leverage = 100")
    f.both(f.dana, f.carl, actions.TERMS, Terms(f.logins[0].pk, "real\\RAW-USD", 20))
    state = f.state()
    assert (state.group, state.leverage, state.is_pending) == ("real\\RAW-USD", 20, True)


def test_an_entity_s_own_cap_stands_before_the_general_one(f):
    LeverageCap.objects.create(entity=f.here, category="RETAIL", instrument_class="FX_MAJOR", leverage=10)
    assert terms.cap_for(f.here.pk, "RETAIL") == 10
    assert terms.cap_for(entity("UK").pk, "RETAIL") == 30
    with refused("BO064"):
        execute("UPDATE accounts_desiredstate SET leverage = 20")


def test_back_to_retail_lowers_the_leverage_first(f):
    f.both(f.carl, f.cora, actions.CATEGORY, Category(f.client.pk, "PROFESSIONAL"))
    f.both(f.dana, f.carl, actions.TERMS, Terms(f.logins[0].pk, GROUP, 200))
    f.confirm()
    with refused("BO064"):
        execute("UPDATE accounts_client SET category = 'RETAIL'")
    f.both(f.carl, f.cora, actions.CATEGORY, Category(f.client.pk, "RETAIL"))
    assert [f.state(n).leverage for n in (0, 1)] == [30, 30]
    assert TradingAccount.objects.get(pk=f.logins[0].pk).leverage == 30
    assert [f.state(n).is_pending for n in (0, 1)] == [True, False]


def test_new_terms_of_a_close_only_login_wait_for_its_return(f):
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY, trading="CLOSE_ONLY")
    f.confirm()
    f.both(f.dana, f.carl, actions.TERMS, Terms(f.logins[0].pk, "real\\RAW-USD", 10))
    assert (f.state().group, f.state().original_group) == ("real\\CLOSE-USD", "real\\RAW-USD")
    f.confirm()
    f.both(f.carl, f.cora, actions.REACTIVATE, Step(f.client.pk, Reason.CLEARED))
    assert (f.state().group, f.state().leverage, f.state(1).group) == ("real\\RAW-USD", 10, GROUP)


# What every step leaves behind.


def test_every_use_case_has_its_audit_row_with_before_and_after(f):
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)
    rows = {row.action: row for row in Entry.objects.filter(target=f"accounts.client:{f.client.pk}")}
    assert rows["client.status"].data == {"before": "ACTIVE", "after": "SUSPENDED", "reason": "SECURITY"}
    changed = rows["client.login_changed"].data
    assert (changed["before"]["trading"], changed["after"]["trading"]) == (True, False)


def test_somebody_else_s_client_is_not_there(f):
    with pytest.raises(NotFound):
        protective.suspend(actor=f.dana, client_id=999_999, reason=Reason.SECURITY)
