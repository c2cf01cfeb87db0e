"""Postings at the same moment: real threads and processes, each with a connection of its own."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from ledger.models import Closing, Journal, Kind
from ledger.selectors.balances import balances
from ledger.services import journal, periods
from ledger.services.journal import Draft, Entry, Posted
from tests.attacks import DAY, Books, at_once, draft, execute, findings, open_books, post, refused, start_process
from tests.builders import ROBOT, ledger_account

pytestmark = pytest.mark.django_db(transaction=True)
PROCESSES, JOURNALS = 8, 200


@pytest.fixture
def books() -> Books:
    return open_books()


def post_one_way_or_the_other(books: Books, wanted: Draft, number: int) -> Posted:
    """Half of the callers post singly, half in a batch."""
    if number % 2:
        return journal.post(actor=ROBOT, entity_id=books.here.pk, draft=wanted)
    with transaction.atomic():
        return journal.post_many(actor=ROBOT, entity_id=books.here.pk, drafts=[wanted])[0]


def test_fifty_postings_that_each_empty_a_wallet_leave_one_success(books: Books) -> None:
    def empty(number: int) -> Posted:
        wanted = draft((books.client, "90"), (books.cash, "-90"), key=f"empty:{number}")
        return post_one_way_or_the_other(books, wanted, number)

    results = at_once(50, empty)
    assert Counter(type(result) for result in results) == {Posted: 1, journal.BelowFloor: 49}
    assert balances([books.client.pk])[books.client.pk] == 0
    assert Journal.objects.filter(key__startswith="empty:").count() == 1
    assert findings() == set()


# Eight processes over twelve accounts


def twelve_accounts(books: Books) -> dict[str, list[int]]:
    """Six accounts in each of two currencies; of three kinds: exact, exact and rich with a floor, striped."""
    accounts: dict[str, list[int]] = {}
    for currency in ("USD", "EUR"):
        exact = [ledger_account(books.here, f"a{n}", currency=currency, kind=Kind.ASSET) for n in range(2)]
        floored = [ledger_account(books.here, f"f{n}", currency=currency, floor=Decimal(0)) for n in range(2)]
        hot = [ledger_account(books.here, f"h{n}", currency=currency, striped=True) for n in range(2)]
        accounts[currency] = [account.pk for account in (*exact, *floored, *hot)]
        for account in floored:
            post(books.here, (account, "-1000000"), (exact[0], "1000000"), key=f"rich:{account.pk}")
    return accounts


def random_draft(rng: random.Random, accounts: dict[str, list[int]], key: str) -> Draft:
    """Two to five lines, in one currency or both, in any order."""
    entries: list[Entry] = []
    for currency in rng.sample(["USD", "EUR"], rng.choice([1, 1, 2])):
        chosen = rng.choices(accounts[currency], k=rng.choice([2, 2, 3]))
        amounts = [Decimal(rng.randint(1, 99_999)) / 100 * rng.choice([1, -1]) for _ in chosen[1:]]
        total = sum(amounts)
        amounts.append(-total if total else amounts.pop() * 2)
        if total:
            entries += [Entry(account, amount) for account, amount in zip(chosen, amounts, strict=True)]
    if not entries:
        return random_draft(rng, accounts, key)
    rng.shuffle(entries)
    return Draft(key, DAY, "TEST", "at random", entries)


def post_at_random(entity_id: int, accounts: dict[str, list[int]], seed: int, count: int) -> None:
    rng = random.Random(seed)
    drafts = [random_draft(rng, accounts, f"{seed}:{number}") for number in range(count)]
    while drafts:
        size = rng.choice([1, 1, 1, 5, 20])
        batch, drafts = drafts[:size], drafts[size:]
        if len(batch) == 1:
            journal.post(actor=ROBOT, entity_id=entity_id, draft=batch[0])
        else:
            with transaction.atomic():
                journal.post_many(actor=ROBOT, entity_id=entity_id, drafts=batch)


def test_eight_processes_in_random_order_know_no_deadlock_and_leave_no_gap(books: Books) -> None:
    accounts = twelve_accounts(books)
    before = Journal.objects.count()
    workers = [start_process(post_at_random, books.here.pk, accounts, seed, JOURNALS) for seed in range(PROCESSES)]
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    assert Journal.objects.count() - before == PROCESSES * JOURNALS
    gaps = execute(
        "SELECT account_id FROM ledger_line WHERE account_seq IS NOT NULL GROUP BY account_id"
        " HAVING min(account_seq) <> 1 OR max(account_seq) <> count(*) OR count(DISTINCT account_seq) <> count(*)"
    )
    assert gaps == []
    assert findings() == set()


# One key


def test_the_same_key_posted_by_twenty_at_once_is_one_journal(books: Books) -> None:
    wanted = draft((books.cash, "5"), (books.hot, "-5"), key="once")
    results = at_once(20, lambda number: post_one_way_or_the_other(books, wanted, number))
    assert all(isinstance(result, Posted) for result in results), results
    assert len({result.journal_id for result in results}) == 1
    assert [result.created for result in results].count(True) == 1
    assert balances([books.cash.pk])[books.cash.pk] == 105
    assert findings() == set()


def test_the_same_key_with_other_content_at_once_has_one_winner(books: Books) -> None:
    other = ledger_account(books.here, "other", kind=Kind.ASSET)
    contents = [
        draft((books.cash, "5"), (books.hot, "-5"), key="once"),
        draft((other, "6"), (books.hot, "-6"), key="once"),
    ]
    results = at_once(20, lambda number: post_one_way_or_the_other(books, contents[number // 2 % 2], number))
    (winner,) = (number for number, result in enumerate(results) if isinstance(result, Posted) and result.created)
    for number, result in enumerate(results):
        if number // 2 % 2 == winner // 2 % 2:
            assert result.journal_id == results[winner].journal_id
        else:
            assert isinstance(result, journal.KeyReused), result
    assert Journal.objects.filter(key="once").count() == 1
    assert findings() == set()


def test_two_batches_with_the_same_keys_in_opposite_orders_finish(books: Books) -> None:
    drafts = [
        draft((books.cash, "1"), (books.client if number % 3 else books.hot, "-1"), key=f"both:{number:03}")
        for number in range(150)
    ]

    def both(number: int) -> dict[str, int]:
        mine = drafts[50:] if number % 2 else drafts[:100][::-1]
        with transaction.atomic():
            posted = journal.post_many(actor=ROBOT, entity_id=books.here.pk, drafts=mine)
        return {d.key: p.journal_id for d, p in zip(mine, posted, strict=True)}

    results = at_once(6, both)
    assert all(isinstance(result, dict) for result in results), results
    booked = dict(Journal.objects.filter(key__startswith="both:").values_list("key", "id"))
    assert len(booked) == 150
    assert all(booked[key] == number for result in results for key, number in result.items())
    assert findings() == set()


def test_the_first_postings_of_a_month_make_its_partition_once(books: Books) -> None:
    day = date(2027, 3, 1)
    results = at_once(
        8, lambda number: post(books.here, (books.cash, "1"), (books.hot, "-1"), key=f"{number}", day=day)
    )
    assert all(isinstance(result, int) for result in results), results
    assert findings() == set()


# Closing


def test_nothing_lands_on_a_day_once_its_closing_has_committed(books: Books) -> None:
    def work(number: int) -> Any:
        if number == 8:
            time.sleep(0.15)
            return periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=DAY)
        booked: list[int] = []
        for step in range(10_000):
            key = f"race:{number}:{step}"
            wanted = draft((books.cash, "1"), (books.hot if step % 2 else books.client, "-1"), key=key)
            try:
                booked.append(post_one_way_or_the_other(books, wanted, step).journal_id)
            except journal.DayClosed:
                return booked
        raise AssertionError("the day was never closed")

    *posters, closing = at_once(9, work)
    assert isinstance(closing, Closing), closing
    assert all(isinstance(booked, list) and booked for booked in posters), posters
    assert Journal.objects.filter(entity=books.here).count() == 1 + sum(map(len, posters))
    (last,) = execute("SELECT last_journal_id FROM ledger_closing WHERE id = %s", [closing.pk])[0]
    assert last == max(number for booked in posters for number in booked)
    kept = execute("SELECT amount FROM ledger_daybalance WHERE account_id = %s", [books.cash.pk])
    assert kept == [(balances([books.cash.pk])[books.cash.pk],)]
    assert findings() == set()


def waits_for_the_day() -> int:
    return int(execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")[0][0])


def test_two_closings_at_once_never_open_a_day_again(books: Books, owner: Any) -> None:
    """Both look at the books before either has closed them; the later day gets the lock first."""
    owner.execute("BEGIN; SELECT pg_advisory_xact_lock_shared(1, %s)", [books.here.pk])

    def close(number: int) -> Closing:
        while waits_for_the_day() < number:
            time.sleep(0.01)
        if number == 2:
            owner.execute("COMMIT")
            return None
        return periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=[DAY, date(2026, 11, 18)][number])

    first, second, _ = at_once(3, close)
    assert isinstance(first, Closing), first
    assert isinstance(second, (periods.CannotClose, DatabaseError)), second
    assert periods.closed_through(books.here.pk) == DAY
    assert findings() == set()


def test_an_old_snapshot_neither_posts_nor_closes(books: Books) -> None:
    """A transaction that sees the past would not see that the day was closed since."""
    link = connection.get_new_connection(connection.get_connection_params())
    link.set_session(isolation_level="REPEATABLE READ")
    with link.cursor() as past:
        past.execute("SELECT count(*) FROM ledger_closing")
        periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=DAY)
        with refused("BO015"):
            past.execute(
                "SELECT ledger_post_one(%s, '2020-01-01', 'past', 'late', sha256('x'), %s, 'T', '', '', NULL, %s, %s)",
                [books.here.pk, DAY, [books.cash.pk, books.hot.pk], [Decimal(5), Decimal(-5)]],
            )
        link.rollback()
        with refused("BO015"):
            past.execute(
                "INSERT INTO ledger_closing (entity_id, closed_through, at, actor, reason)"
                " VALUES (%s, '2026-11-01', now(), 'the past', 'because')",
                [books.here.pk],
            )
    link.close()
    assert findings() == set()


def test_a_closing_cannot_be_numbered_into_the_future(books: Books) -> None:
    """The newest closing by number holds, so a made-up number would hold for ever."""
    execute(
        "INSERT INTO ledger_closing (id, entity_id, closed_through, at, actor, reason)"
        " VALUES (1000000, %s, '2026-11-01', now(), 'x', 'y')",
        [books.here.pk],
    )
    closing = periods.close_day(actor=ROBOT, entity_id=books.here.pk, day=DAY)
    assert closing.pk < 1000
    assert periods.closed_through(books.here.pk) == DAY


# Readers


def test_readers_see_balanced_books_at_every_moment(books: Books) -> None:
    accounts = twelve_accounts(books)
    writers = [start_process(post_at_random, books.here.pk, accounts, seed, 400) for seed in range(3)]
    seen: set[int] = set()
    while any(writer.is_alive() for writer in writers):
        sums = execute("SELECT currency, sum(amount) FROM ledger_balance GROUP BY entity_id, currency")
        assert {amount for _, amount in sums} == {0}
        with transaction.atomic():
            execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            stored = execute("SELECT account_id, sum(amount), sum(version) FROM ledger_balance GROUP BY 1 ORDER BY 1")
            time.sleep(0.005)
            summed = execute(
                "SELECT b.account_id, coalesce(sum(l.amount), 0), count(l.amount)"
                " FROM (SELECT DISTINCT account_id FROM ledger_balance) b LEFT JOIN ledger_line l USING (account_id)"
                " GROUP BY 1 ORDER BY 1"
            )
        assert stored == summed
        seen.add(sum(int(lines) for _, _, lines in summed))
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(seen) > 2, "the reader saw no writer at work"
    assert findings() == set()
