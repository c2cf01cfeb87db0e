"""Attacks on the books by raw SQL: as the application's role and as the owner of the tables.

The application's role is stopped by rights. The owner is stopped by triggers from what happens by accident;
what he can still do on purpose is at the end of this file, and `verify` names it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction

from backoffice.kernel.tables import Access, access_of
from backoffice.organisation.services import protection
from ledger.models import LedgerAccount
from ledger.services import chart, journal, periods
from tests.attacks import (
    DAY,
    NO_RIGHT,
    PROTECTION,
    Books,
    draft,
    everything,
    execute,
    findings,
    open_books,
    partitions,
    post,
    refused,
)
from tests.builders import ROBOT, ledger_account

APP = settings.DATABASE_APP_ROLE
READ_ONLY = sorted(m._meta.db_table for m in apps.get_models() if access_of(m) is Access.READ)
APPEND_ONLY = sorted(
    (m for m in apps.get_models(include_auto_created=True) if access_of(m) in (Access.READ, Access.APPEND)),
    key=lambda m: m._meta.db_table,
)


@pytest.fixture
def books() -> Books:
    return open_books()


# The application's role


@pytest.mark.django_db
@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda m: m._meta.db_table)
def test_the_application_changes_no_row_of_an_append_only_table(model: type[models.Model]) -> None:
    table = model._meta.db_table
    column = model._meta.concrete_fields[-1].column
    attempts = [
        f"UPDATE {table} SET {column} = {column}",
        f"DELETE FROM {table}",
        f"DELETE FROM {table} WHERE false",
        f"TRUNCATE {table} CASCADE",
        f"MERGE INTO {table} t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    ]
    if access_of(model) is Access.READ:
        attempts += [f"INSERT INTO {table} SELECT * FROM {table}", f"COPY {table} FROM '/dev/null'"]
    for attempt in attempts:
        with refused(NO_RIGHT):
            execute(attempt)


@pytest.mark.django_db
def test_the_application_reaches_no_partition(books: Books) -> None:
    assert partitions()
    for name in partitions():
        for attempt in (
            f"SELECT count(*) FROM {name}",
            f"INSERT INTO {name} SELECT * FROM ledger_line",
            f"UPDATE {name} SET amount = 0",
            f"DELETE FROM {name}",
            f"TRUNCATE {name}",
            f"ALTER TABLE ledger_line DETACH PARTITION {name}",
        ):
            with refused(NO_RIGHT):
                execute(attempt)


def test_the_generated_lists_hold_what_they_must() -> None:
    assert {"ledger_journal", "ledger_line", "ledger_balance"} <= set(READ_ONLY)
    names = {m._meta.db_table for m in APPEND_ONLY}
    assert names >= {*READ_ONLY, "audit_entry", "approvals_participation", "integrations_rawmessage", "ledger_closing"}
    assert set(protection.append_only_tables()) <= names


@pytest.mark.django_db
@pytest.mark.parametrize("switch", ["on", "off"])
def test_the_application_writes_no_journal_line_or_balance_itself(books: Books, switch: str) -> None:
    execute("SELECT set_config('ledger.posting', %s, true)", [switch])
    row = "'2026-11-19', 1, 9, 1, 'USD', 5"
    for attempt in (
        "INSERT INTO ledger_journal SELECT * FROM ledger_journal",
        f"INSERT INTO ledger_line (business_date, journal_id, line_no, account_id, currency, amount) VALUES ({row})",
        "INSERT INTO ledger_balance (account_id, stripe, entity_id, currency, exponent, sign) VALUES (1,1,1,'USD',2,1)",
        "UPDATE ledger_balance SET floor = NULL",
        "UPDATE ledger_balance SET amount = amount - 1 WHERE stripe = -1",
        "SELECT 1 FROM ledger_balance FOR UPDATE",
    ):
        with refused(NO_RIGHT):
            execute(attempt)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attempt",
    [
        "SET session_replication_role = replica",
        "SET ROLE {owner}",
        "SET SESSION AUTHORIZATION {owner}",
        "ALTER ROLE {app} BYPASSRLS",
        "ALTER TABLE ledger_line DISABLE TRIGGER ALL",
        "ALTER TABLE ledger_line DISABLE TRIGGER ledger_lines_posted",
        "ALTER TABLE ledger_journal ENABLE REPLICA TRIGGER ledger_journal_append_only",
        "ALTER TABLE ledger_balance DROP CONSTRAINT ledger_balance_floor",
        "DROP TRIGGER ledger_lines_posted ON ledger_line",
        "DROP TABLE ledger_journal CASCADE",
        "DROP FUNCTION ledger_post_one CASCADE",
        "CREATE OR REPLACE FUNCTION public.ledger_refuse_direct() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE TRIGGER mine BEFORE INSERT ON ledger_line EXECUTE FUNCTION house_refuse_change()",
        "CREATE RULE mine AS ON INSERT TO ledger_line DO INSTEAD NOTHING",
        "CREATE TABLE public.mine (a int)",
        "CREATE VIEW public.mine AS SELECT 1",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE public.mine AS ENUM ('a')",
        "CREATE DOMAIN public.mine AS text",
        "CREATE SEQUENCE public.mine",
        "CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
        "CREATE SCHEMA mine",
        "SELECT setval('ledger_journal_id_seq', 1)",
        "ALTER SEQUENCE ledger_closing_id_seq RESTART",
        "LOCK TABLE ledger_line IN ACCESS EXCLUSIVE MODE",
        "COPY ledger_line TO PROGRAM 'id'",
        "SELECT pg_read_file('/etc/passwd')",
        "REASSIGN OWNED BY {owner} TO {app}",
    ],
)
def test_the_application_changes_no_structure_and_no_right(attempt: str) -> None:
    ((owner,),) = execute("SELECT tableowner FROM pg_tables WHERE tablename = 'ledger_line'")
    with refused(NO_RIGHT):
        execute(attempt.replace("{owner}", owner).replace("{app}", APP))


@pytest.mark.django_db
def test_the_application_cannot_give_itself_a_right() -> None:
    execute(f"GRANT ALL ON ledger_line, ledger_balance TO {APP}")  # no error: it warns and does nothing
    assert list(protection.differences()) == []


@pytest.mark.django_db
def test_the_application_calls_what_it_was_granted_and_no_other_function() -> None:
    ours = execute(
        """SELECT proname, pronargs, prorettype = 'trigger'::regtype FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace"""
    )
    granted = protection.functions()
    others = {name: (arguments, fires) for name, arguments, fires in ours if name not in granted}
    assert {"house_refuse_change", "ledger_account_opened", "ledger_lines_posted", "approvals_add_maker"} <= set(others)
    execute("CREATE TEMP TABLE lure (id bigint, entity_id bigint, currency_id text, kind text, floor numeric)")
    for name, (arguments, fires) in sorted(others.items()):
        with refused(NO_RIGHT):
            execute(f"SELECT {name}({', '.join(['NULL'] * arguments)})")
        if not fires:
            continue
        # As a trigger on a table of one's own it would run with the owner's rights on rows one made up.
        with refused(NO_RIGHT):
            execute(f"CREATE TRIGGER t AFTER INSERT ON lure REFERENCING NEW TABLE AS n EXECUTE FUNCTION {name}()")


@pytest.mark.django_db(transaction=True)
def test_a_type_of_ones_own_gets_no_code_into_the_owners_hands(books: Books) -> None:
    """pg_temp is searched first for types unless a function's search_path names it last."""
    connection.close()  # functions are compiled once per session: it must be a session of this test alone
    execute(
        """CREATE FUNCTION pg_temp.mine(anyelement) RETURNS boolean LANGUAGE plpgsql AS $$
           BEGIN
               IF current_user <> session_user THEN RAISE EXCEPTION 'now I am %', current_user; END IF;
               RETURN true;
           END $$"""
    )
    for name in ("text", "date", "bytea", "regclass"):
        execute(f"CREATE DOMAIN pg_temp.{name} AS pg_catalog.{name} CHECK (pg_temp.mine(VALUE))")
    for name in ("ledger_balance", "ledger_closing", "ledger_journal", "organisation_currency"):
        execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM public.{name}")
    here, cash, client = books.here, books.cash, books.client
    post(here, (cash, "7"), (client, "-7"), key="one")
    post(here, (cash, "7"), (client, "-7"), key="one")
    with transaction.atomic():
        again = [draft((cash, "7"), (client, "-7"), key=key) for key in ("one", "two")]
        journal.post_many(actor=ROBOT, entity_id=here.pk, drafts=again)
    execute("SELECT ledger_open_month('2031-01-01'), ledger_closed_through(%s)", [here.pk])
    chart.close_account(actor=ROBOT, account_id=ledger_account(here, "another").pk)
    execute("DISCARD TEMP")
    assert findings() == set()
    assert execute("SELECT sum(amount) FROM ledger_balance WHERE account_id = %s", [cash.pk]) == [(Decimal(114),)]


# The owner of the tables

as_owner = pytest.mark.parametrize("session_role", ["owner"], indirect=True)


@pytest.fixture
def owned(as_role: str) -> Books:
    """Books in a session of the owner, with nothing left to check that would stand in the way of an attack."""
    books = open_books()
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    return books


def by_hand(*lines: tuple[int, LedgerAccount, str, int | None], journal_id: int = 10**6, day: date = DAY) -> str:
    """A journal of two lines and its lines in one statement, as a person with the owner's rights would write it."""
    rows = ", ".join(
        f"({a.entity_id}, '{day}', {journal_id}, {number}, {a.pk}, '{a.currency_id}', {amount}, {seq or 'NULL'}, 0)"
        for number, a, amount, seq in lines
    )
    return f"""WITH j AS ({journal_only(lines[0][1].entity_id, journal_id, day)})
               INSERT INTO ledger_line (entity_id, business_date, journal_id, line_no, account_id, currency, amount,
                                        account_seq, balance_after) VALUES {rows}"""


def journal_only(entity_id: int, journal_id: int, day: date = DAY) -> str:
    return f"""INSERT INTO ledger_journal (entity_id, id, key, input_hash, business_date, kind, description, reference,
                                           actor, posted_at, line_count)
               VALUES ({entity_id}, {journal_id}, 'by hand {journal_id}', sha256('x'), '{day}', 'T', '', '', 'owner',
                       now(), 2) ON CONFLICT DO NOTHING"""


@as_owner
def test_the_owner_changes_no_row_of_an_append_only_table(owned: Books) -> None:
    columns = {m._meta.db_table: m._meta.concrete_fields[-1].column for m in APPEND_ONLY}
    tables = [*protection.append_only_tables(), *partitions()]
    assert len(tables) > 20
    before = everything()
    for table in tables:
        column = columns.get(table, "amount")
        for attempt in (
            f"UPDATE {table} SET {column} = {column}",
            f"UPDATE {table} SET {column} = {column} WHERE false",
            f"DELETE FROM {table}",
            f"TRUNCATE {table} CASCADE",
        ):
            with pytest.raises(DatabaseError) as caught, transaction.atomic():
                execute(attempt)
            assert caught.value.__cause__.pgcode in {"BO001", "BO016"}, (attempt, caught.value)
    assert everything() == before


@as_owner
def test_the_owner_writes_nothing_past_the_posting_functions_by_accident(owned: Books) -> None:
    pair = ((1, owned.cash, "5", 2), (2, owned.client, "-5", 2))
    for attempt in (by_hand(*pair), journal_only(owned.here.pk, 10**6)):
        with refused("BO017"):
            execute(attempt)
    for name in partitions():
        with refused("BO017"):
            execute(f"INSERT INTO {name} SELECT * FROM ledger_line")


@as_owner
def test_the_owner_posts_nothing_unsound_even_when_he_says_he_is_posting(owned: Books) -> None:
    execute("SELECT set_config('ledger.posting', 'on', true)")
    cash, client, foreign = owned.cash, owned.client, owned.foreign
    sound = ((1, cash, "5", 2), (2, client, "-5", 2))
    for attempt, code in (
        (by_hand((1, cash, "5", 2), (2, client, "-4", 2)), "BO011"),
        (by_hand((1, cash, "5", 2), (2, foreign, "-5", 2)), "BO011"),
        (by_hand((1, cash, "5", 2)), "BO011"),
        (by_hand((1, cash, "5", 2), (3, client, "-5", 2)), "BO012"),
        # The journal is there already: lines of an old one, new numbers or none of its own.
        (by_hand((4, cash, "5", 2), (5, client, "-5", 2), journal_id=owned.first), "BO012"),
        (by_hand((1, cash, "5", 2), (2, client, "-5", 2), journal_id=owned.first), "23505"),
        (by_hand(*sound, (3, foreign, "7", 2), (4, foreign, "-7", 3)), "BO012"),
        (by_hand((1, cash, "5", 3), (2, client, "-5", 2)), "BO014"),
        (by_hand((1, cash, "5", None), (2, client, "-5", 2)), "BO014"),
        (by_hand((1, cash, "-95", 2), (2, client, "95", 2)), "23514"),
        ("INSERT INTO ledger_balance SELECT * FROM ledger_balance", "BO016"),
        ("UPDATE ledger_balance SET amount = amount + 1", "BO016"),
        ("UPDATE ledger_balance SET amount = amount + 1 WHERE false", "BO016"),
        *((f"INSERT INTO {name} SELECT * FROM ledger_line", "BO017") for name in partitions()),
    ):
        with refused(code):
            execute(attempt)
    periods.close_day(actor=ROBOT, entity_id=owned.here.pk, day=DAY)
    with refused("BO013"):
        execute(by_hand(*sound))
    with refused("BO013"):
        execute(
            "INSERT INTO ledger_closing (entity_id, closed_through, at, actor, reason)"
            " VALUES (%s, '2026-11-01', now(), 'owner', '')",
            [owned.here.pk],
        )


# What the owner can do if he means to. (statements, what `verify` then names)
ON_PURPOSE: dict[str, tuple[Any, Any]] = {
    "a journal without lines": (
        lambda b: ["SET ledger.posting = 'on'", journal_only(b.here.pk, 10**6)],
        lambda b: {("a journal has all its lines", f"journal {10**6}")},
    ),
    "a sound journal by hand": (
        lambda b: ["SET ledger.posting = 'on'", by_hand((1, b.cash, "5", 2), (2, b.client, "-5", 2))],
        lambda b: {("a journal is what was asked to be posted", f"journal {10**6}")},
    ),
    "a balance through a trigger of his own": (
        lambda b: [
            "CREATE TEMP TABLE lever (a int)",
            f"""CREATE FUNCTION pg_temp.pull() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    UPDATE public.ledger_balance SET amount = 1000 WHERE account_id = {b.cash.pk};
                    RETURN NEW;
                END $$""",
            "CREATE TRIGGER pull BEFORE INSERT ON lever FOR EACH ROW EXECUTE FUNCTION pg_temp.pull()",
            "INSERT INTO lever VALUES (1)",
        ],
        lambda b: {("a balance is the sum of its lines", f"account {b.cash.pk}")},
    ),
    "switching a trigger off": (
        lambda b: ["ALTER TABLE ledger_line DISABLE TRIGGER ledger_lines_posted"],
        lambda b: {(PROTECTION, "the trigger ledger_lines_posted on ledger_line is not always enabled")},
    ),
    "letting a trigger rest in replication": (
        lambda b: ["ALTER TABLE ledger_journal ENABLE TRIGGER ledger_journal_append_only"],
        lambda b: {
            (PROTECTION, "the trigger ledger_journal_append_only on ledger_journal is not always enabled"),
            (PROTECTION, "ledger_journal has lost the trigger that refuses changes"),
        },
    ),
    "dropping a trigger": (
        lambda b: ["DROP TRIGGER ledger_balance_by_hand ON ledger_balance"],
        lambda b: {
            (PROTECTION, "the trigger ledger_balance_by_hand on ledger_balance is gone"),
            (PROTECTION, "ledger_balance has lost the trigger that refuses changes"),
        },
    ),
    "dropping the trigger of a partition": (
        lambda b: ["DROP TRIGGER refuse_direct ON ledger_line_2026_11"],
        lambda b: {(PROTECTION, "ledger_line_2026_11 has lost the trigger that refuses changes")},
    ),
    "a partition of his own": (
        lambda b: ["CREATE TABLE mine PARTITION OF ledger_line FOR VALUES FROM ('1980-01-01') TO ('1980-02-01')"],
        lambda b: {(PROTECTION, "mine has lost the trigger that refuses changes")},
    ),
    "another body for a function": (
        lambda b: [
            "CREATE OR REPLACE FUNCTION ledger_refuse_direct() RETURNS trigger LANGUAGE plpgsql"
            " AS 'BEGIN RETURN NULL; END'"
        ],
        lambda b: {(PROTECTION, "the function ledger_refuse_direct is not that of this version")},
    ),
    "a right on a column": (
        lambda b: [f"GRANT UPDATE (amount) ON ledger_balance TO {APP}"],
        lambda b: {
            (
                PROTECTION,
                f"{APP} has UPDATE on the column ledger_balance.amount; rights are declared by table only",
            )
        },
    ),
    "a right on a partition": (
        lambda b: ["GRANT INSERT ON ledger_line_2026_11 TO PUBLIC"],
        lambda b: {(PROTECTION, f"rights of {APP} on ledger_line_2026_11: INSERT, declared []")},
    ),
    "a right on a function": (
        lambda b: [f"GRANT EXECUTE ON FUNCTION ledger_account_opened TO {APP}"],
        lambda b: {(PROTECTION, f"{APP} may call ledger_account_opened, against what is declared")},
    ),
    "taking a month out of the books": (
        lambda b: ["ALTER TABLE ledger_line DETACH PARTITION ledger_line_2026_11"],
        lambda b: {
            ("a journal has all its lines", f"journal {b.first}"),
            ("a balance is the sum of its lines", f"account {b.cash.pk}"),
        },
    ),
}


@as_owner
@pytest.mark.parametrize("name", ON_PURPOSE)
def test_what_the_owner_does_on_purpose_is_named_by_verify(owned: Books, name: str) -> None:
    statements, named = ON_PURPOSE[name]
    assert findings() == set()
    for statement in statements(owned):
        execute(statement)
    assert named(owned) <= findings()
