from datetime import date

import pytest

from ledger.selectors.balances import balances, balances_on
from ledger.services import periods
from tests.attacks import DAY, findings, open_books, post
from tests.builders import ROBOT

pytestmark = pytest.mark.django_db


def test_a_day_closed_again_after_a_reopening_in_between_keeps_the_whole_balance():
    b = open_books()
    post(b.here, (b.cash, "7"), (b.hot, "-7"), key="d17", day=date(2026, 11, 17))
    post(b.here, (b.cash, "3"), (b.hot, "-3"), key="d18", day=date(2026, 11, 18))
    periods.close_day(actor=ROBOT, entity_id=b.here.pk, day=DAY)
    periods.reopen(actor=ROBOT, entity_id=b.here.pk, through=date(2026, 11, 17), reason="late invoice")
    periods.close_day(actor=ROBOT, entity_id=b.here.pk, day=DAY)
    assert balances_on([b.cash.pk], DAY) == balances([b.cash.pk])
    # Nobody asked for this reopening, which is the one thing to find.
    assert {rule for rule, _ in findings()} == {"days opened again stand on an executed request"}
