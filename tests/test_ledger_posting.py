"""The books: what is posted, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction

from backoffice.kernel.actor import System
from ledger.models import Journal, Kind, Line
from ledger.selectors import verify
from ledger.selectors.balances import balances
from ledger.services import chart, journal, periods
from ledger.services.journal import Draft, Entry
from tests.builders import entity, ledger_account

pytestmark = pytest.mark.django_db
ROBOT = System("test")
DAY = date(2026, 11, 19)


def draft(*entries: tuple[int, str], key: str = "k1", day: date = DAY, text: str = "test") -> Draft:
    return Draft(
        key=key,
        business_date=day,
        kind="TEST",
        description=text,
        entries=[Entry(account, Decimal(amount)) for account, amount in entries],
        reference="test:1",
    )


def state() -> tuple[object, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM ledger_journal), (SELECT count(*) FROM ledger_line),"
            " (SELECT coalesce(sum(amount), 0) FROM ledger_balance WHERE amount > 0),"
            " (SELECT coalesce(sum(version), 0) FROM ledger_balance)"
        )
        return tuple(cursor.fetchone())


@pytest.fixture
def books():
    here = entity("CY")
    return (
        here,
        ledger_account(here, "cash", kind=Kind.ASSET),
        ledger_account(here, "client:1", kind=Kind.LIABILITY, floor=Decimal(0)),
        ledger_account(here, "hot", kind=Kind.INCOME, striped=True),
    )


def refused(kind: type[Exception], here, *drafts: Draft, match: str = "") -> None:
    before = state()
    with pytest.raises(kind, match=match), transaction.atomic():
        journal.post_many(actor=ROBOT, entity_id=here.pk, drafts=drafts)
    assert state() == before
    if len(drafts) == 1:
        with pytest.raises(kind, match=match), transaction.atomic():
            journal.post(actor=ROBOT, entity_id=here.pk, draft=drafts[0])
        assert state() == before


def test_a_deposit_is_a_negative_line_on_the_client_and_a_positive_balance_to_people(books):
    here, cash, client, _ = books
    posted = journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "100"), (client.pk, "-100")))
    assert posted.created
    assert balances([cash.pk, client.pk]) == {cash.pk: Decimal(100), client.pk: Decimal(-100)}
    assert -balances([client.pk])[client.pk] == Decimal(100)
    assert list(verify.findings()) == []


def test_lines_carry_number_and_balance_of_their_account(books):
    here, cash, client, hot = books
    with transaction.atomic():
        journal.post_many(
            actor=ROBOT,
            entity_id=here.pk,
            drafts=[
                draft((cash.pk, "10"), (client.pk, "-10"), key="a"),
                draft((client.pk, "3"), (hot.pk, "-3"), key="b"),
                draft((client.pk, "2"), (client.pk, "-1"), (hot.pk, "-1"), key="c"),
            ],
        )
    lines = Line.objects.filter(account=client).order_by("account_seq")
    assert [(x.account_seq, x.balance_after) for x in lines] == [(1, -10), (2, -7), (3, -5), (4, -6)]
    assert set(Line.objects.filter(account=hot).values_list("account_seq", "balance_after")) == {(None, None)}
    assert balances([hot.pk])[hot.pk] == Decimal(-4)
    assert list(verify.findings()) == []


def test_a_repeat_returns_the_first_journal_and_another_content_is_refused(books):
    here, cash, client, _ = books
    first = journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "5"), (client.pk, "-5")))
    again = journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "5.00"), (client.pk, "-5.0")))
    assert (again.journal_id, again.created) == (first.journal_id, False)
    with transaction.atomic():
        both = journal.post_many(
            actor=ROBOT,
            entity_id=here.pk,
            drafts=[
                draft((cash.pk, "7"), (client.pk, "-7"), key="k2"),
                draft((cash.pk, "5"), (client.pk, "-5")),
                draft((cash.pk, "7"), (client.pk, "-7"), key="k2"),
            ],
        )
    assert [(p.created, p.journal_id == first.journal_id) for p in both] == [
        (True, False),
        (False, True),
        (True, False),
    ]
    refused(journal.KeyReused, here, draft((cash.pk, "6"), (client.pk, "-6")), match="k1")
    refused(journal.KeyReused, here, draft((cash.pk, "5"), (client.pk, "-5"), text="other"))
    assert balances([cash.pk])[cash.pk] == Decimal(12)


@pytest.mark.parametrize(
    "amounts",
    [("1", "-2"), ("1", "1"), ("NaN", "NaN"), ("Infinity", "-Infinity"), ("0", "0"), ("5", "-5", "0")],
)
def test_unbalanced_and_unreal_amounts_are_refused(books, amounts):
    here, cash, client, hot = books
    refused(journal.PostingRefused, here, draft(*zip([cash.pk, client.pk, hot.pk], amounts, strict=False)))


def test_a_sound_journal_does_not_carry_an_unsound_one(books):
    here, cash, client, hot = books
    refused(
        journal.Unbalanced,
        here,
        draft((cash.pk, "1"), (client.pk, "-1"), key="good"),
        draft((cash.pk, "1"), (hot.pk, "-2"), key="bad"),
    )


def test_each_currency_sums_to_zero_by_itself(books):
    here, cash, client, _ = books
    euro = ledger_account(here, "cash", currency="EUR", kind=Kind.ASSET)
    refused(journal.Unbalanced, here, draft((cash.pk, "10"), (euro.pk, "-10")))
    refused(journal.Unbalanced, here, draft((cash.pk, "10"), (client.pk, "-10"), (euro.pk, "1")))


def test_accounts_of_another_entity_unknown_closed_or_too_coarse_accounts_are_refused(books):
    here, cash, client, _ = books
    other = ledger_account(entity("UK"), "cash", kind=Kind.ASSET)
    yen = ledger_account(here, "cash", currency="JPY", kind=Kind.ASSET)
    yen2 = ledger_account(here, "cash2", currency="JPY", kind=Kind.ASSET)
    refused(journal.PostingRefused, here, draft((other.pk, "1"), (client.pk, "-1")), match="entity")
    refused(journal.PostingRefused, here, draft((10**9, "1"), (client.pk, "-1")))
    refused(journal.PostingRefused, here, draft((cash.pk, "0.001"), (client.pk, "-0.001")), match="decimal places")
    refused(journal.PostingRefused, here, draft((yen.pk, "0.5"), (yen2.pk, "-0.5")), match="decimal places")
    chart.close_account(actor=ROBOT, account_id=yen2.pk)
    refused(journal.PostingRefused, here, draft((yen.pk, "1"), (yen2.pk, "-1")), match="closed")


def test_an_account_with_a_floor_never_goes_below_it(books):
    here, cash, client, _ = books
    refused(journal.BelowFloor, here, draft((cash.pk, "-1"), (client.pk, "1")))
    journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "50"), (client.pk, "-50")))
    refused(journal.BelowFloor, here, draft((cash.pk, "-50.01"), (client.pk, "50.01"), key="k2"))
    journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "-50"), (client.pk, "50"), key="k3"))
    assert balances([client.pk])[client.pk] == 0


def test_a_reversal_is_exact_and_happens_once(books):
    here, cash, client, hot = books
    first = journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "9"), (client.pk, "-7"), (hot.pk, "-2")))
    undone = journal.reverse(
        actor=ROBOT, entity_id=here.pk, journal_id=first.journal_id, key="undo", business_date=DAY, why="typing error"
    )
    assert set(balances([cash.pk, client.pk, hot.pk]).values()) == {Decimal(0)}
    assert Journal.objects.get(pk=undone.journal_id).reverses_id == first.journal_id
    with pytest.raises(journal.AlreadyReversed), transaction.atomic():
        journal.reverse(
            actor=ROBOT, entity_id=here.pk, journal_id=first.journal_id, key="undo2", business_date=DAY, why="again"
        )
    assert list(verify.findings()) == []


def test_a_closed_day_takes_nothing_and_a_reopened_one_does(books):
    here, cash, client, _ = books
    journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "1"), (client.pk, "-1")))
    periods.close_day(actor=ROBOT, entity_id=here.pk, day=DAY)
    refused(journal.DayClosed, here, draft((cash.pk, "1"), (client.pk, "-1"), key="late"))
    refused(journal.DayClosed, here, draft((cash.pk, "1"), (client.pk, "-1"), key="late", day=date(2026, 11, 2)))
    assert periods.posting_date(here.pk, DAY) == date(2026, 11, 20)
    periods.reopen(actor=ROBOT, entity_id=here.pk, through=date(2026, 11, 18), reason="late LP invoice")
    journal.post(actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "1"), (client.pk, "-1"), key="late"))
    assert balances([cash.pk])[cash.pk] == 2


def test_old_months_get_their_partition_when_they_are_first_used(books):
    here, cash, client, _ = books
    for number, day in enumerate((date(2016, 2, 29), date(2031, 1, 1), date(1999, 12, 31))):
        journal.post(
            actor=ROBOT, entity_id=here.pk, draft=draft((cash.pk, "1"), (client.pk, "-1"), key=f"{number}", day=day)
        )
    refused(journal.PostingRefused, here, draft((cash.pk, "1"), (client.pk, "-1"), key="x", day=date(9999, 1, 1)))
    assert balances([cash.pk])[cash.pk] == 3
