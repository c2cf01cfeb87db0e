"""What the attack tests share: small books, the whole database as one value, refusals, threads and processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, connection, connections, transaction

from backoffice.management.commands import verify
from backoffice.organisation.models import LegalEntity
from ledger.models import Kind, LedgerAccount
from ledger.services import journal
from ledger.services.journal import Draft, Entry
from tests.builders import ROBOT, entity, ledger_account

DAY = date(2026, 11, 19)
NO_RIGHT = "42501"
PROTECTION = "the database is protected as declared"


@dataclass(frozen=True)
class Books:
    """An entity with four accounts and one journal of 100; another entity with an account and a journal."""

    here: LegalEntity
    cash: LedgerAccount
    client: LedgerAccount
    hot: LedgerAccount
    euro: LedgerAccount
    first: int
    abroad: LegalEntity
    foreign: LedgerAccount
    foreign_journal: int


def draft(*entries: tuple[LedgerAccount, str], key: str, day: date = DAY, text: str = "test") -> Draft:
    return Draft(
        key=key,
        business_date=day,
        kind="TEST",
        description=text,
        entries=[Entry(account.pk, Decimal(amount)) for account, amount in entries],
        reference=f"test:{key}",
    )


def post(here: LegalEntity, *entries: tuple[LedgerAccount, str], key: str, day: date = DAY) -> int:
    posted = journal.post(actor=ROBOT, entity_id=here.pk, draft=draft(*entries, key=key, day=day))
    return posted.journal_id


def open_books() -> Books:
    here, abroad = entity("CY"), entity("UK")
    cash = ledger_account(here, "cash", kind=Kind.ASSET)
    client = ledger_account(here, "client:1", floor=Decimal(0))
    hot = ledger_account(here, "hot", kind=Kind.INCOME, striped=True)
    foreign = ledger_account(abroad, "cash", kind=Kind.ASSET)
    owed = ledger_account(abroad, "owed")
    return Books(
        here,
        cash,
        client,
        hot,
        ledger_account(here, "cash", currency="EUR", kind=Kind.ASSET),
        post(here, (cash, "100"), (client, "-90"), (hot, "-10"), key="first"),
        abroad,
        foreign,
        post(abroad, (foreign, "5"), (owed, "-5"), key="first"),
    )


def everything() -> dict[str, tuple[int, Decimal]]:
    """Each of our tables with the number of its rows and a hash over them: equal before and after means that
    nothing changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT string_agg(format('SELECT %L, count(*), sum(hashtextextended(t::text, 0)) FROM %I t',
                                        relname, relname), ' UNION ALL ')
                 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                  AND NOT relispartition AND has_table_privilege(oid, 'SELECT')"""
        )
        (query,) = cursor.fetchone()
        cursor.execute(query)
        return {name: (count, total) for name, count, total in cursor.fetchall()}


@contextmanager
def only_changed(*tables: str) -> Iterator[None]:
    """The block changes rows of exactly these tables; of watched ones, the log of changes says so too."""
    before = everything()
    yield
    after = everything()
    assert {name for name in after if after[name] != before[name]} - {"audit_change"} == set(tables)


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """What is tried is refused by PostgreSQL with one of these SQLSTATEs, and nothing in the database changed."""
    before = everything()
    with pytest.raises((DatabaseError, psycopg2.Error)) as caught, transaction.atomic():
        yield
    error = caught.value
    cause = error if isinstance(error, psycopg2.Error) else error.__cause__
    assert getattr(cause, "pgcode", None) in codes, f"{type(error).__name__}: {error}"
    assert everything() == before


def execute(statement: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run a statement as the application's role."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def partitions() -> list[str]:
    """Every partition of every table."""
    rows = execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relkind = 'r' ORDER BY 1"
    )
    return [name for (name,) in rows]


def findings() -> set[tuple[str, str]]:
    """(rule, subject) of everything `manage verify` would name."""
    return {(finding.rule, finding.subject) for finding in verify.findings()}


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work(0..count-1)` in threads that start together; results, or the exceptions they ended with."""
    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            connection.ensure_connection()
            gate.wait(30)
            results[number] = work(number)
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread hangs"
    return results


def start_process(work: Callable[..., None], *arguments: Any) -> multiprocessing.Process:
    """Start a process with a database connection of its own. It ends with code 0 only if `work` returned."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process  # type: ignore[return-value]
