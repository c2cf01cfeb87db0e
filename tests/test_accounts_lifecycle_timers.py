"""What time does to clients: first deposits, dormancy, reviews, expiries, documents, retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import (
    Client,
    ClientStatus,
    Flag,
    FlagKind,
    LifecycleRule,
    Notice,
    Reason,
    Restriction,
    RestrictionKind,
)
from accounts.services import clients, flags, onboarding, papers, protective, restrictions, timers
from accounts.services.clients import Login
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.outbox.models import Message
from integrations.records import Entry as EntryKind
from tests.attacks import execute
from tests.builders import ROBOT
from tests.clients import GROUP, Floor, floor
from tests.worlds import World, deal, deposit
from tests.worlds import connection as outside

pytestmark = pytest.mark.django_db
OPENED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def f() -> Floor:
    with clock.at(OPENED):
        return floor()


def world_of(f: Floor) -> World:
    return World(f.server, outside("lp_fills", "lp"), f.server, f.server, f.client, f.logins[0])


def later(**span: float) -> datetime:
    return OPENED + timedelta(**span)


def test_approved_clients_become_active_with_money(f):
    client = onboarding.apply(actor=ROBOT, entity_id=f.here.pk, number="A-1", name="Tom", country="CY")
    papers.add_document(actor=ROBOT, client_id=client.pk, kind="IDENTITY", name="passport")
    onboarding.start_check(actor=ROBOT, client_id=client.pk)
    onboarding.papers_complete(actor=ROBOT, client_id=client.pk)
    papers.record_kyc(actor=ROBOT, client_id=client.pk, provider="x", outcome="CLEAN", risk="LOW")
    onboarding.approve_alone(actor=ROBOT, client_id=client.pk)
    clients.open_trading_accounts(actor=ROBOT, logins=[Login(client.pk, f.server.pk, 2001, "USD", GROUP, 30)])
    assert timers.activate_funded() == 0
    w = world_of(f)
    w.put(f.server, deposit(1, "10.00", login=2001))
    w.book()
    assert timers.activate_funded() == 1
    client.refresh_from_db()
    assert (client.status, client.status_by, client.status_reason) == ("ACTIVE", None, "FUNDED")


def test_dormant_after_twelve_months_and_a_notice(f):
    Client.objects.filter(pk=f.client.pk).update(email="ada@example.com")
    with clock.at(later(days=300)):
        assert (timers.send_notices(), timers.make_dormant()) == (0, 0)
    with clock.at(later(days=340)):
        assert (timers.send_notices(), timers.send_notices(), timers.make_dormant()) == (1, 0, 0)
    with clock.at(later(days=366)):
        assert timers.make_dormant() == 0  # told 26 days ago
    with clock.at(later(days=371)):
        assert (timers.make_dormant(), timers.make_dormant()) == (1, 0)
    assert f.status() == ClientStatus.DORMANT
    assert f.state().trading is False
    mail = Message.objects.get(kind="client-mail").payload
    assert mail["client_id"] == f.client.pk
    assert "ada@" not in str(mail)
    assert "Lovelace" not in str(mail)


def test_a_client_who_trades_or_holds_a_position_does_not_become_dormant(f):
    w = world_of(f)
    with clock.at(later(days=340)):
        assert timers.send_notices() == 1
    w.put(f.server, deal(1, entry=EntryKind.IN, position_id=7, server_time=datetime(2026, 1, 6, 12, 0)))
    with clock.at(later(days=371)):
        assert timers.make_dormant() == 0  # the position of January is still open
    w.put(f.server, deal(2, server_time=datetime(2026, 12, 20, 12, 0)))
    with clock.at(later(days=380)):
        assert (timers.make_dormant(), timers.send_notices()) == (0, 0)
    assert f.status() == ClientStatus.ACTIVE


def test_an_entity_s_own_months(f):
    LifecycleRule.objects.create(entity=f.here, dormant_months=6, notice_days=10)
    with clock.at(later(days=175)):
        assert timers.send_notices() == 1
    with clock.at(later(days=186)):
        assert timers.make_dormant() == 1


def test_a_pending_server_holds_up_nobody_else(f):
    other = clients.open_client(actor=ROBOT, entity_id=f.here.pk, number="C-2", name="Bo", country="CY")
    execute("UPDATE accounts_client SET opened_at = %s WHERE id = %s", [OPENED, other.pk])
    restrictions.restrict(actor=f.dana, client_id=f.client.pk, kind="READ_ONLY", reason=Reason.SECURITY)
    with clock.at(later(days=340)):
        assert timers.send_notices() == 2
    with clock.at(later(days=372)):
        assert timers.make_dormant() == 1
    assert f.status() == ClientStatus.ACTIVE
    assert Notice.objects.count() == 2


def test_a_restriction_with_an_expiry_ends_by_itself(f):
    with clock.at(later(days=1)):
        row = restrictions.restrict(
            actor=f.dana,
            client_id=f.client.pk,
            kind=RestrictionKind.READ_ONLY,
            reason=Reason.TRADING_ABUSE,
            expires_at=later(days=2),
        )
        assert timers.end_expired() == 0
    with clock.at(later(days=2, seconds=1)):
        assert (timers.end_expired(), timers.end_expired()) == (1, 0)
    row.refresh_from_db()
    assert (row.lifted_by, row.lift_reason) == (None, "EXPIRED")
    assert f.state().trading is True


def test_a_flag_with_an_expiry_ends_by_itself(f):
    with clock.at(later(days=1)):
        flags.set_flag(actor=ROBOT, client_id=f.client.pk, kind=FlagKind.PAYEE_CHANGED, days=7)
    with clock.at(later(days=7, hours=23)):
        assert timers.end_expired() == 0
    with clock.at(later(days=8, hours=1)):
        assert timers.end_expired() == 1
    assert not Flag.objects.filter(ended_at=None).exists()


def test_reviews_are_due_within_a_day_and_reminded_of_once(f):
    with clock.at(OPENED):
        protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)
    rows = Restriction.objects.filter(lifted_at=None)
    with clock.at(later(hours=23)):
        assert timers.remind_of_reviews() == 0
    with clock.at(later(hours=25)):
        assert (timers.remind_of_reviews(), timers.remind_of_reviews()) == (rows.count(), 0)
        restrictions.confirm(actor=f.carl, restriction_id=rows.first().pk, next_review_at=later(days=5))
    assert set(rows.values_list("review_due_at", flat=True)) == {later(days=5)}
    with clock.at(later(days=6)):
        assert timers.remind_of_reviews() == rows.count()
    assert Entry.objects.filter(action="client.review_overdue").count() == 2 * rows.count()


def test_an_expired_document_is_flagged_and_after_the_grace_stops_deposits(f):
    papers.add_document(
        actor=f.sue, client_id=f.client.pk, kind="IDENTITY", name="passport", expires_date=later(days=10).date()
    )
    with clock.at(later(days=10)):
        assert timers.watch_documents() == 0
    with clock.at(later(days=11)):
        assert (timers.watch_documents(), timers.watch_documents()) == (1, 0)
    with clock.at(later(days=25)):
        assert (timers.watch_documents(), timers.watch_documents()) == (1, 0)
    assert Restriction.objects.get(lifted_at=None).kind == "NO_DEPOSIT"


def test_a_renewed_document_is_not_missed(f):
    for name, days in (("old", 10), ("new", 900)):
        papers.add_document(
            actor=f.sue, client_id=f.client.pk, kind="IDENTITY", name=name, expires_date=later(days=days).date()
        )
    with clock.at(later(days=40)):
        assert timers.watch_documents() == 0


def test_closed_clients_are_archived_when_the_retention_is_over(f):
    for status in ("CLOSING", "CLOSED"):
        execute(
            "UPDATE accounts_client SET status = %s, status_at = %s, status_reason = 'POLICY' WHERE id = %s",
            [status, OPENED, f.client.pk],
        )
    with clock.at(later(days=5 * 365)):
        assert timers.archive_old() == 0
    with clock.at(later(days=5 * 366 + 1)):
        assert timers.archive_old() == 1
    assert f.status() == ClientStatus.ARCHIVED


def test_a_whole_round_moves_nothing_where_nothing_is_due(f):
    with clock.at(later(days=2)):
        assert set(timers.run_often().values()) | set(timers.run_daily().values()) == {0}
