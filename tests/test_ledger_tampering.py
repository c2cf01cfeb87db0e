"""Changes by hand as the database's superuser, triggers switched off: `verify` names exactly what was changed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import TradingAccount
from backoffice.kernel import clock
from integrations.models import Deal, RawMessage
from integrations.models.columns import TABLES
from integrations.models.raw import INLINE_MAX
from integrations.selectors import verify as facts_verify
from integrations.services import raws
from integrations.services.store import lock_feed
from ledger.models import Line
from ledger.services import journal, periods
from tests.attacks import DAY, PROTECTION, Books, execute, findings, open_books, partitions, post, refused
from tests.builders import ROBOT
from tests.worlds import bank_line, bank_notice, deal, deposit, fill, psp_line, world

pytestmark = pytest.mark.parametrize("session_role", ["superuser"], indirect=True)
BALANCED = "the lines of a journal sum to zero per currency"
WHOLE = "a journal has all its lines"
OF_ITS_DAY = "a line belongs to a journal of its day"
FITS = "a line fits its account"
ROW = "a balance row says what its account says"
SUM = "a balance is the sum of its lines"
NUMBERED = "lines of an account are numbered without a gap, each with the balance after it"
FLOOR = "an account with a floor is not below it"
ASKED = "a journal is what was asked to be posted"
CLOSED = "nothing was posted on a closed day"
KEPT = "the balance kept of a closed day is the sum of its lines"
OPPOSITE = "a reversal is the exact opposite of its journal"


@dataclass(frozen=True)
class Case:
    """Books with a closed day, a reversal and a booked deal, and the numbers a tampering is written with."""

    books: Books
    second: int
    undone: int
    undo: int
    deal: Deal
    deal_journal: int
    large: RawMessage
    account: TradingAccount


@pytest.fixture
def case(as_role: str) -> Case:
    books = open_books()
    here, cash, client, hot = books.here, books.cash, books.client, books.hot
    second = post(here, (cash, "30"), (client, "-30"), key="second")
    undone = post(here, (cash, "4"), (hot, "-4"), key="undone")
    undo = journal.reverse(
        actor=ROBOT, entity_id=here.pk, journal_id=undone, key="undo", business_date=DAY, why="typing error"
    ).journal_id
    small = world()
    small.put(small.server, deposit(1, "50"))
    small.book()
    with transaction.atomic():
        lock_feed(small.bank)
        large, _ = raws.keep_file(
            connection=small.bank,
            stream=io.BytesIO(b"0123456789" * INLINE_MAX),
            filename="large.xml",
            received_at=clock.now(),
            origin="test",
        )
    periods.close_day(actor=ROBOT, entity_id=here.pk, day=DAY)
    fact = Deal.objects.get()
    (line,) = Line.objects.filter(account_id=small.account.balance_account_id)
    return Case(books, second, undone, undo, fact, line.journal_id, large, small.account)


def unguarded(*statements: str) -> None:
    """Run statements with every trigger of ours switched off for as long as they run."""
    triggers = execute(
        """SELECT c.relname, array_agg(t.tgname::text) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT t.tgisinternal GROUP BY c.relname"""
    )
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table, _ in triggers:
        execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount > 0, f"nothing was tampered with: {statement}"
    for table, names in triggers:
        execute(f"ALTER TABLE {table} " + ", ".join(f"ENABLE ALWAYS TRIGGER {name}" for name in names))


# What is done, and exactly what is named. c is the case, b its books.
TAMPERINGS: dict[str, tuple[Callable[[Case, Books], str], Callable[[Case, Books], set[tuple[str, str]]]]] = {
    "a line's amount": (
        lambda c, b: f"UPDATE ledger_line SET amount = 31 WHERE journal_id = {c.second} AND line_no = 1",
        lambda c, b: {
            (BALANCED, f"journal {c.second}"),
            (ASKED, f"journal {c.second}"),
            (SUM, f"account {b.cash.pk}"),
            (KEPT, f"account {b.cash.pk}"),
            # Every later line of the account has a balance that is no longer its running sum.
            (NUMBERED, f"line {c.second}.1"),
            (NUMBERED, f"line {c.undone}.1"),
            (NUMBERED, f"line {c.undo}.1"),
        },
    ),
    "a line's account": (
        lambda c, b: (
            f"UPDATE ledger_line SET account_id = {c.account.credit_account_id}, account_seq = 1, balance_after = -30"
            f" WHERE journal_id = {c.second} AND line_no = 2"
        ),
        lambda c, b: (
            {
                (ASKED, f"journal {c.second}"),
                *((rule, f"account {pk}") for rule in (SUM, KEPT) for pk in (b.client.pk, c.account.credit_account_id)),
            }
            - {(KEPT, f"account {c.account.credit_account_id}")}
        ),
    ),
    "a line's currency": (
        lambda c, b: f"UPDATE ledger_line SET currency = 'EUR' WHERE journal_id = {c.second}",
        lambda c, b: {(FITS, f"line {c.second}.1"), (FITS, f"line {c.second}.2")},
    ),
    "a line's day": (
        lambda c, b: (
            f"UPDATE ledger_line SET business_date = '2026-11-18' WHERE journal_id = {c.second} AND line_no = 1"
        ),
        lambda c, b: {(OF_ITS_DAY, f"line {c.second}.1")},
    ),
    "the number of an account's last line": (
        lambda c, b: f"UPDATE ledger_line SET account_seq = NULL WHERE journal_id = {c.undo} AND line_no = 1",
        lambda c, b: {(FITS, f"line {c.undo}.1")},
    ),
    "a line taken away": (
        lambda c, b: f"DELETE FROM ledger_line WHERE journal_id = {c.undo} AND line_no = 2",
        lambda c, b: {
            (BALANCED, f"journal {c.undo}"),
            (WHOLE, f"journal {c.undo}"),
            (ASKED, f"journal {c.undo}"),
            (SUM, f"account {b.hot.pk}"),
            (KEPT, f"account {b.hot.pk}"),
        },
    ),
    "the lines of a journal taken away": (
        lambda c, b: f"DELETE FROM ledger_line WHERE journal_id = {c.second}",
        lambda c, b: {
            (WHOLE, f"journal {c.second}"),
            *((rule, f"account {pk}") for rule in (SUM, KEPT) for pk in (b.cash.pk, b.client.pk)),
            (NUMBERED, f"line {c.undone}.1"),
            (NUMBERED, f"line {c.undo}.1"),
        },
    ),
    "a balance": (
        lambda c, b: f"UPDATE ledger_balance SET amount = amount - 1000 WHERE account_id = {b.client.pk}",
        lambda c, b: {(SUM, f"account {b.client.pk}")},
    ),
    "a stripe of a balance": (
        lambda c, b: f"UPDATE ledger_balance SET amount = amount + 1 WHERE account_id = {b.hot.pk} AND stripe = 7",
        lambda c, b: {(SUM, f"account {b.hot.pk}")},
    ),
    "the count of a balance": (
        lambda c, b: f"UPDATE ledger_balance SET version = version + 1 WHERE account_id = {b.cash.pk}",
        lambda c, b: {(SUM, f"account {b.cash.pk}")},
    ),
    "a floor": (
        lambda c, b: f"UPDATE ledger_balance SET floor = NULL WHERE account_id = {b.client.pk}",
        lambda c, b: {(ROW, f"account {b.client.pk}")},
    ),
    "the decimals of a balance": (
        lambda c, b: f"UPDATE ledger_balance SET exponent = 8 WHERE account_id = {b.cash.pk}",
        lambda c, b: {(ROW, f"account {b.cash.pk}")},
    ),
    "a balance row taken away": (
        lambda c, b: f"DELETE FROM ledger_balance WHERE account_id = {b.hot.pk} AND stripe = 3",
        lambda c, b: {(ROW, f"account {b.hot.pk}")},
    ),
    "a journal's description": (
        lambda c, b: f"UPDATE ledger_journal SET description = 'harmless' WHERE id = {c.second}",
        lambda c, b: {(ASKED, f"journal {c.second}")},
    ),
    "a journal's key": (
        lambda c, b: f"UPDATE ledger_journal SET key = 'other' WHERE id = {c.second}",
        lambda c, b: {(ASKED, f"journal {c.second}")},
    ),
    "what a journal reverses": (
        lambda c, b: f"UPDATE ledger_journal SET reverses_id = {c.second} WHERE id = {c.undo}",
        lambda c, b: {(ASKED, f"journal {c.undo}"), (OPPOSITE, f"journal {c.undo}")},
    ),
    "a closing": (
        lambda c, b: "UPDATE ledger_closing SET last_journal_id = 0",
        lambda c, b: {
            *((CLOSED, f"journal {number}") for number in (b.first, c.second, c.undone, c.undo, c.deal_journal)),
        },
    ),
    "a kept day balance": (
        lambda c, b: f"UPDATE ledger_daybalance SET amount = amount + 1 WHERE account_id = {b.cash.pk}",
        lambda c, b: {(KEPT, f"account {b.cash.pk}")},
    ),
    "a fact": (
        lambda c, b: f"UPDATE integrations_deal SET profit = 5000 WHERE id = {c.deal.pk}",
        lambda c, b: {
            ("a deal fact is what the source said", f"deal {c.deal.pk}"),
            ("a journal of a deal says what the deal says", f"journal {c.deal_journal}"),
        },
    ),
    "the times that follow from a fact": (
        lambda c, b: f"UPDATE integrations_deal SET dealt_at = dealt_at - interval '2 days' WHERE id = {c.deal.pk}",
        lambda c, b: {("the times of a deal follow from the server's", f"deal {c.deal.pk}")},
    ),
    "a fact taken away": (
        lambda c, b: f"DELETE FROM integrations_deal WHERE id = {c.deal.pk}",
        lambda c, b: {("booking has looked at every fact in order", f"{c.deal.connection_id} deal")},
    ),
    "a raw message": (
        lambda c, b: f"UPDATE integrations_rawmessage SET body = 'x' WHERE id = {c.deal.raw_id}",
        lambda c, b: {("a raw message is what was received", f"raw message {c.deal.raw_id}")},
    ),
    "a megabyte of a large raw message": (
        lambda c, b: (
            f"UPDATE integrations_rawchunk SET body = overlay(body PLACING 'x' FROM 5) WHERE raw_id = {c.large.id}"
        ),
        lambda c, b: {("a large raw message is what was received", f"raw message {c.large.id}")},
    ),
    "a raw message taken away": (
        lambda c, b: f"DELETE FROM integrations_rawmessage WHERE id = {c.deal.raw_id}",
        lambda c, b: {("a deal fact has its raw message", f"deal {c.deal.pk}")},
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_verify_names_exactly_what_was_changed(case: Case, name: str) -> None:
    statement, named = TAMPERINGS[name]
    assert findings() == set()
    unguarded(statement(case, case.books))
    assert findings() == named(case, case.books)


def test_the_command_says_so_and_ends_with_one(case: Case) -> None:
    out = io.StringIO()
    call_command("verify", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"clean": True, "findings": []}
    unguarded(f"UPDATE ledger_balance SET amount = 0 WHERE account_id = {case.books.client.pk}")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("verify", "--json", stdout=out)
    assert ended.value.code == 1
    (finding,) = json.loads(out.getvalue())["findings"]
    assert (finding["rule"], finding["subject"]) == (SUM, f"account {case.books.client.pk}")
    assert finding["detail"] == "stored 0, lines sum to -120"


def test_every_column_of_every_fact_is_under_its_hash(as_role: str) -> None:
    small = world()
    small.put(small.server, deal(1, symbol="EURUSD"))
    small.put(small.lp, fill("e1", "o1"))
    small.put(small.psp, psp_line("p1", "10", available_on=DAY))
    small.put(small.bank, bank_line("b1", "10"), bank_notice("n1", "10"))
    small.snapshot(1001, "10")
    another = {"bool": "NOT {0}", "text": "{0} || 'x'", "int8": "{0} + 1", "int4": "{0} + 1", "numeric": "{0} + 0.01"}
    moments = {"date": "{0} + 1", "timestamp": "{0} + interval '1us'", "timestamptz": "{0} + interval '1us'"}
    for table in TABLES:
        ((fact,),) = execute(f"SELECT id FROM {table.table}")
        types = dict(
            execute(
                "SELECT attname, typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
                " WHERE attrelid = %s::regclass AND attnum > 0",
                [table.table],
            )
        )
        rule = (f"a {table.kind} fact is what the source said", f"{table.kind} {fact}")
        for column in table.said:
            before = transaction.savepoint()
            unguarded(f"UPDATE {table.table} SET {column} = {(another | moments)[types[column]].format(column)}")
            assert rule in {(f.rule, f.subject) for f in facts_verify.findings()}, column
            transaction.savepoint_rollback(before)


def test_a_lost_constraint_and_a_switched_off_foreign_key_are_named(as_role: str) -> None:
    execute("ALTER TABLE ledger_balance DROP CONSTRAINT ledger_balance_floor")
    execute("ALTER TABLE ledger_ledgeraccount DROP CONSTRAINT ledgeraccount_once")
    execute("ALTER TABLE reconciliation_breakevent DISABLE TRIGGER ALL")
    named = {subject for rule, subject in findings() if rule == PROTECTION}
    assert {
        "the constraint ledger_balance_floor is gone",
        "the constraint ledgeraccount_once is gone",
        "foreign keys of reconciliation_breakevent are switched off",
    } <= named


def test_a_replication_session_fires_the_triggers_too(as_role: str) -> None:
    open_books()
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SET session_replication_role = replica")
    attempts = [
        ("UPDATE ledger_line SET amount = 0", "BO001"),
        ("UPDATE ledger_balance SET amount = 0", "BO016"),
        ("INSERT INTO ledger_journal SELECT * FROM ledger_journal", "BO017"),
        (f"INSERT INTO {partitions()[0]} SELECT * FROM ledger_line", "BO017"),
    ]
    for table in ("ledger_journal", "ledger_line", "ledger_closing", "audit_entry", *partitions()):
        attempts += [(f"DELETE FROM {table}", "BO001"), (f"TRUNCATE {table} CASCADE", "BO001")]
    for attempt, code in attempts:
        with refused(code):
            execute(attempt)


def test_a_table_that_the_application_owns_is_named(as_role: str) -> None:
    app = settings.DATABASE_APP_ROLE
    execute(f"ALTER TABLE outbox_message OWNER TO {app}")
    assert (PROTECTION, f"{app} may act as {app}, who owns the tables") in findings()
