"""What PSP lines become in the books: reserves with a day of release, exchanges, payouts that come back, states."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Unbooked
from backoffice.kernel import clock
from backoffice.organisation.models import Currency
from integrations.models import PspLine, Superseded
from integrations.models.columns import PSP
from integrations.records import PspKind
from integrations.services.facts import psp_day
from ledger.models import Journal, LedgerAccount
from ledger.selectors.balances import balances
from ledger.services import chart
from reporting.selectors import today
from tests.attacks import execute, findings
from tests.builders import ROBOT
from tests.worlds import DAY, World, psp_line, world

pytestmark = pytest.mark.django_db
RELEASE = DAY + timedelta(days=90)


def balance(code: str, currency: str = "USD") -> Decimal:
    account = LedgerAccount.objects.filter(code=code, currency_id=currency).first()
    return balances([account.pk])[account.pk] if account else Decimal(0)


def on(day: date) -> Any:
    return clock.at(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


def reserve(key: str, net: str, **changes: Any) -> Any:
    return psp_line(key, net, kind=PspKind.RESERVE, **changes)


def put(w: World, *lines: Any) -> None:
    with on(DAY):
        w.put(w.psp, *lines)


def test_a_reserve_is_an_asset_until_the_day_of_its_release() -> None:
    w = world()
    put(w, psp_line("p1", "100.00"), reserve("h1", "-10.00"), reserve("r1", "10.00", available_on=RELEASE))
    with on(DAY):
        assert (w.book().journals, w.book().journals) == (2, 0)
        assert (balance("psp.adyen"), balance("clearing.reserves")) == (Decimal("90.00"), Decimal("10.00"))
        (waiting,) = Unbooked.objects.filter(closed_at=None)
        assert (waiting.reason, waiting.business_date) == ("NOT_YET", RELEASE)
        assert str(RELEASE) in waiting.detail
        assert today.unbooked([w.psp.entity_id]) == 0, "nobody has to do anything about it"
    with on(RELEASE - timedelta(days=1)):
        assert w.book().journals == 0
    with on(RELEASE):
        assert w.book().journals == 1
        assert w.book().journals == 0
    assert (balance("psp.adyen"), balance("clearing.reserves")) == (Decimal("100.00"), 0)
    released = Journal.objects.get(reference=f"psp:{PspLine.objects.get(line_key='r1').pk}")
    assert released.business_date == RELEASE
    assert not Unbooked.objects.filter(closed_at=None).exists()
    assert findings() == set()


def test_waiting_releases_do_not_hold_up_what_failed_for_another_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait: what can be mended is tried first, and on its day each release is booked."""
    monkeypatch.setattr("accounts.services.booking.run.RETRIES", 3)
    w = world()
    put(w, *(reserve(f"r{n}", "1.00", available_on=RELEASE) for n in range(5)), psp_line("p1", "5.00", currency="SEK"))
    with on(DAY):
        w.book()
        Currency.objects.get_or_create(code="SEK", defaults={"name": "SEK", "exponent": 2})
        chart.open_house(actor=ROBOT, entity_id=w.psp.entity_id, currency="SEK")
        assert w.book().journals == 1
        assert balance("psp.adyen", "SEK") == 5
    with on(RELEASE):
        assert (w.book().journals, w.book().journals) == (3, 2)


def test_a_release_whose_day_changes_is_booked_once_on_the_new_day() -> None:
    w = world()
    put(w, reserve("r1", "10.00", available_on=RELEASE))
    with on(DAY):
        w.book()
    earlier = DAY + timedelta(days=30)
    put(w, reserve("r1", "10.00", available_on=earlier))
    assert PspLine.objects.filter(line_key="r1").count() == 2, "the day is part of what the source said"
    assert Superseded.objects.filter(fact_kind="psp").count() == 1
    with on(earlier):
        assert w.book().journals == 1
    with on(RELEASE):
        assert w.book().journals == 0
    assert balance("clearing.reserves") == Decimal("-10.00")
    assert findings() == set()


@pytest.mark.parametrize(
    ("changes", "day"),
    [
        ({"available_on": None}, DAY),
        ({"available_on": DAY - timedelta(days=5)}, DAY),
        ({"available_on": RELEASE}, RELEASE),
        ({"available_on": RELEASE, "kind": PspKind.PAYMENT}, DAY),
        ({"available_on": RELEASE, "net": Decimal(-1)}, DAY),
    ],
)
def test_only_money_out_of_a_reserve_waits(changes: dict[str, Any], day: date) -> None:
    assert psp_day(psp_line("r1", "1.00", **{"kind": PspKind.RESERVE, **changes})) == day


def test_a_line_without_a_day_keeps_the_hash_it_had_before_there_was_one() -> None:
    w = world()
    put(w, psp_line("p1", "100.00"), psp_line("p2", "5.00", available_on=DAY))
    plain, dated = PspLine.objects.order_by("line_key")
    assert (plain.available_on, dated.available_on) == (None, DAY)
    names = ", ".join(PSP.said[:-1])
    before = f"sha256(convert_to(concat_ws(E'\\x1f', {names.replace('booked_at', _UTC)}), 'UTF8'))"
    same = dict(execute(f"SELECT line_key, content_hash = {before} FROM integrations_pspline"))
    assert same == {"p1": True, "p2": False}
    assert findings() == set()


_UTC = "to_char(booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"


def test_an_exchange_is_two_legs_and_the_difference_stands_in_neither_client_nor_fee() -> None:
    w = world()
    Currency.objects.get_or_create(code="EUR", defaults={"name": "EUR", "exponent": 2})
    chart.open_house(actor=ROBOT, entity_id=w.psp.entity_id, currency="EUR")
    put(
        w,
        psp_line("x1", "-13.56", kind=PspKind.CONVERSION, currency="EUR"),
        psp_line("x2", "14.80", fee="0.20", kind=PspKind.CONVERSION),
    )
    with on(DAY):
        assert w.book().journals == 2
    assert (balance("psp.adyen", "EUR"), balance("clearing.fx", "EUR")) == (Decimal("-13.56"), Decimal("13.56"))
    assert (balance("psp.adyen"), balance("clearing.fx")) == (Decimal("14.60"), Decimal("-14.80"))
    assert balance("expense.psp_fees") == Decimal("0.20")
    assert balance("clearing.client_money") == 0


def test_several_payouts_of_a_batch_and_one_that_came_back() -> None:
    w = world()
    put(
        w,
        psp_line("p1", "300.00"),
        psp_line("o1", "-100.00", kind=PspKind.PAYOUT, bank_reference="TX11111XT"),
        psp_line("o2", "-150.00", kind=PspKind.PAYOUT, bank_reference="TX22222XT"),
        psp_line("o3", "150.00", kind=PspKind.PAYOUT, provider_type="BankInstructionReturned"),
    )
    with on(DAY):
        assert w.book().unbooked == 0
    assert (balance("psp.adyen"), balance("clearing.payouts")) == (Decimal("200.00"), Decimal("100.00"))


def test_rows_that_are_a_cost_and_nothing_else() -> None:
    w = world()
    put(w, psp_line("f1", "-0.50", kind=PspKind.FEE), psp_line("f2", "0.00", fee="0.30", kind=PspKind.FEE))
    with on(DAY):
        w.book()
    assert (balance("psp.adyen"), balance("expense.psp_fees")) == (Decimal("-0.80"), Decimal("0.80"))


def test_refunds_and_what_comes_back_of_them() -> None:
    w = world()
    put(
        w,
        psp_line("p1", "100.00", fee="3.00"),
        psp_line("b1", "-40.00", fee="-1.20", kind=PspKind.REFUND),
        psp_line("b2", "40.00", kind=PspKind.REFUND_REVERSED),
    )
    with on(DAY):
        w.book()
    assert balance("clearing.client_money") == Decimal("-100.00")
    assert balance("expense.psp_fees") == Decimal("1.80")
    assert balance("psp.adyen") == Decimal("98.20")


def test_a_state_of_a_payment_moves_nothing() -> None:
    w = world()
    put(w, psp_line("s1", "100.00", kind=PspKind.PAYMENT_STATE, net=Decimal(0)))
    with on(DAY):
        done = w.book()
    assert (done.facts, done.no_effect, done.journals, done.unbooked) == (1, 1, 0, 0)
    assert not Journal.objects.exists()
