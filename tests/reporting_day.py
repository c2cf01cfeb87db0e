"""A day of a small broker that a report can be made of: one day reconciled, work on its breaks, the next day with
differences, money in and out, a held file, and texts from outside that mean harm."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity, User
from integrations.models import FileImport
from integrations.services import imports
from ledger.services import chart
from reconciliation.models import Break, Kind, Run
from reconciliation.services import breaks, runs
from reporting.definitions import daily_reconciliation
from reporting.records import Parameters, Report
from reporting.selectors.entities import entities
from tests import builders
from tests.builders import ROBOT
from tests.camt import balanced, entry, message
from tests.worlds import DAY, World, bank_line, deal, deposit, fill, world

BEFORE = date(2026, 11, 18)
NIGHT_BEFORE = datetime(2026, 11, 19, 0, 30, tzinfo=UTC)
AT_WORK = datetime(2026, 11, 19, 10, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
MORNING = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)

FORMULA = '=HYPERLINK("http://evil.example/","pay here")'
COMMAND = "=cmd|' /C calc'!A0"
MARKUP = '"><img src=http://evil.example/x.png><link rel=attachment href=file:///etc/hostname>{{7*7}}'
HELD = "=held-statement_of_the_second_bank_2026-11-19_draft_second_try.xml"
NAME = "Brøker & <b>Söhne</b> Ltd"


@dataclass
class Day:
    """What was built, for tests to look at."""

    here: LegalEntity
    world: World
    mara: User
    closed: Break
    taken: Break
    held: FileImport


def hedged(ticket: int, **changes):
    return deal(ticket, gateway="LP", external_id=f"X{ticket}", **changes)


def reconcile(here: LegalEntity, kind: Kind, day: date) -> Run:
    """A run over what is stored; nothing is asked for over the network."""
    queued = runs.request(actor=ROBOT, entity_id=here.pk, kind=kind, day=day)
    runs._match(Run.objects.select_related("entity", "rule").get(pk=queued.pk), [])
    return Run.objects.get(pk=queued.pk)


def reconcile_all(here: LegalEntity, day: date) -> None:
    for kind in Kind:
        reconcile(here, kind, day)


def build_day() -> Day:
    """Everything up to the morning after `DAY`; call it under no particular time."""
    here = builders.entity("CY")
    LegalEntity.objects.filter(pk=here.pk).update(name=NAME)
    with clock.at(NIGHT_BEFORE):
        w = world()
        chart.open_house(actor=ROBOT, entity_id=here.pk, currency="USD")
        _day_before(w)
        reconcile_all(here, BEFORE)
    with clock.at(AT_WORK):
        mara = builders.user("mara", entities=(here,))
        first, second = Break.objects.filter(klass="MISSING_AT_LP").order_by("key")
        breaks.assign(actor=builders.person(mara), break_ids=[second.pk], assignee_id=mara.pk)
        breaks.resolve(actor=builders.person(mara), break_id=first.pk, reason=COMMAND)
    with clock.at(NIGHT):
        _day_itself(w)
        held = _held_file(w)
        reconcile_all(here, DAY)
    return Day(here, w, mara, first, second, held)


def _day_before(w: World) -> None:
    noon = datetime(2026, 11, 18, 12, 0)
    deals = [hedged(n, server_time=noon) for n in (1, 2, 3)]
    w.put(w.server, *deals)
    w.put(w.lp, fill("e1", "X1", trade_date=BEFORE, traded_at=noon.replace(tzinfo=UTC)))
    w.list_server(*deals, day=BEFORE)
    w.snapshot(1001, "0", day=BEFORE)
    w.book()


def _day_itself(w: World) -> None:
    deals = [
        hedged(11),
        hedged(12),
        deposit(21, "1500.25", "D-AAAA2222"),
        deposit(22, "-200.00", "W-BBBB3333"),
    ]
    w.put(w.server, *deals)
    w.put(w.lp, fill("e11", "X11"), fill("e12", "X12", quantity_units=fill("x", "x").quantity_units / 2))
    w.put(w.lp, fill(FORMULA, "X99"))
    w.put(w.bank, bank_line("b1", "77.10", remittance=MARKUP))
    w.list_server(*deals)
    w.snapshot(1001, "1290.25")
    w.book()


def _held_file(w: World) -> FileImport:
    """A statement whose entries do not add up to its closing balance."""
    body = message(balanced("0", "200", entry()))
    return imports.import_file(actor=ROBOT, connection_id=w.bank.pk, stream=io.BytesIO(body.encode()), filename=HELD)


def built(*here: LegalEntity, day: date = DAY, cutoff: datetime = MORNING) -> Report:
    """The report as it is made for these entities."""
    with clock.at(MORNING):
        return daily_reconciliation.build(Parameters(day, entities([entity.pk for entity in here]), cutoff))


def pango() -> str:
    """Why no PDF can be made here; empty when it can."""
    try:
        import weasyprint  # noqa: F401
    except OSError as error:
        return f"this machine has no Pango: {error}"
    return ""


needs_pango = pytest.mark.skipif(bool(pango()), reason=pango() or "Pango is there")
