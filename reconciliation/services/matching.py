"""The matching itself: set-based SQL in the database (reconciliation/sql), one transaction per run.

Only identifiers, payout groups and unique references match by themselves. Whatever ties, or needs judgement,
stays a break for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection

from accounts.services.booking import plan
from backoffice.kernel import bulk, locking
from backoffice.organisation.selectors import calendars
from integrations.models import Connection
from integrations.records import CREDIT_KINDS
from integrations.registry import is_server
from integrations.selectors import listings
from reconciliation.models import CLASSES, Kind, Run

_SQL = Path(__file__).resolve().parent.parent / "sql"
# In PostgreSQL's dialect; the same references as in accounts.services.booking.plan.
REFERENCE = plan.REFERENCE.pattern.replace(r"\b", r"\y")
PAYOUT = plan.PAYOUT_TOKEN.pattern.replace(r"\b", r"\y")
LOOK_BACK = timedelta(days=60)


@dataclass(slots=True)
class Outcome:
    """What a run compared and matched, and what it could not look at."""

    compared: int = 0
    matched: int = 0
    notes: list[str] = field(default_factory=list)
    breaks: int = 0
    by_class: dict[str, int] = field(default_factory=dict)


def match(*, run: Run, cutoff: datetime, now: datetime) -> Outcome:
    """Compare, store what matches, keep what does not as breaks. The caller holds the run's lock."""
    locking.require_transaction()
    _execute("DROP TABLE IF EXISTS found, found_trades, found_repeated, found_split, found_resent")
    _execute("CREATE TEMP TABLE found (class text, key text, business_date date, amount numeric, currency text,"
             " summary text, refs jsonb) ON COMMIT DROP")  # fmt: skip
    matchers = {Kind.TRADES: _trades, Kind.BALANCES: _balances, Kind.CASH: _cash, Kind.ACCOUNTS: _accounts}
    outcome = matchers[Kind(run.kind)](run, cutoff)
    off = list(run.rule.parameters.get("off", []))
    if off:
        _execute("DELETE FROM found WHERE class = ANY (%(off)s)", {"off": off})
        outcome.notes.append(f"not reported by this rule: {', '.join(off)}")
    outcome.by_class = dict(_rows("SELECT class, count(*) FROM found GROUP BY class ORDER BY class"))
    outcome.breaks = sum(outcome.by_class.values())
    _keep(run, now)
    return outcome


def _trades(run: Run, cutoff: datetime) -> Outcome:
    outcome = Outcome()
    connections = list(Connection.objects.filter(entity_id=run.entity_id))
    found = listings.newest(run.entity_id, run.business_date)
    for name in sorted(c.name for c in connections if is_server(c.adapter) and c.pk not in found):
        outcome.notes.append(f"{name} has no listing of {run.business_date}: its deals were not compared")
    lps = [c for c in connections if c.adapter == "lp_fills"]
    ready = [c.pk for c in lps if listings.has_fills(c, run.business_date, cutoff)]
    for name in sorted(c.name for c in lps if c.pk not in ready):
        outcome.notes.append(f"{name} has sent nothing for {run.business_date} yet: its fills were not compared")
    values = {
        **_common(run, cutoff),
        "servers": list(found),
        "listings": list(found.values()),
        "lps": ready,
        "lp_ready": bool(ready),
        "price_tolerance": Decimal(run.rule.parameters["price_tolerance"]),
        "late": f"{run.rule.parameters['late_seconds']} seconds",
    }
    _execute(_text("trades_orders.sql"), values)
    _execute(_text("trades.sql"), values)
    _count(outcome, "trades_matches.sql", values)
    _execute(_text("trades_found.sql"), values)
    _execute(_text("trades_unbooked.sql"), values)
    return outcome


def _balances(run: Run, cutoff: datetime) -> Outcome:
    outcome = Outcome()
    servers = [c for c in Connection.objects.filter(entity_id=run.entity_id) if is_server(c.adapter)]
    ready = [c.pk for c in servers if listings.has_snapshots(c, run.business_date, cutoff)]
    for name in sorted(c.name for c in servers if c.pk not in ready):
        outcome.notes.append(f"{name} was not asked for balances of {run.business_date}")
    values = {**_common(run, cutoff), "servers": ready, "credit_kinds": [kind.value for kind in CREDIT_KINDS]}
    _count(outcome, "balances.sql", values)
    return outcome


def _cash(run: Run, cutoff: datetime) -> Outcome:
    outcome = Outcome()
    rules = run.rule.parameters
    calendar = run.entity.calendar

    def overdue(days: int) -> date:
        """The newest business day that had `days` business days to arrive."""
        return calendars.add_business_days(calendar, run.business_date, -days)

    values = {
        **_common(run, cutoff),
        "since": _since(run),
        "pattern": REFERENCE,
        "payout_pattern": PAYOUT,
        "overdue": overdue(int(rules["external_days"])),
        "payout_overdue": overdue(int(rules["payout_days"])),
        "fee_rate": Decimal(rules.get("fee_rate", {}).get(run.entity.code, "0")),
        "fee_tolerance": Decimal(rules["fee_tolerance"]),
    }
    _count(outcome, "cash_references.sql", values)
    _count(outcome, "cash_payouts.sql", values)
    _execute(_text("cash_single.sql"), values)
    return outcome


def _accounts(run: Run, cutoff: datetime) -> Outcome:
    """What we want of each login against the newest reading of it; a reading is of a moment, not of a day."""
    outcome = Outcome()
    servers = [c for c in Connection.objects.filter(entity_id=run.entity_id) if is_server(c.adapter)]
    young = timedelta(minutes=int(run.rule.parameters["young_minutes"]))
    values = {**_common(run, cutoff), "servers": [c.pk for c in servers], "young_since": cutoff - young}
    ((outcome.compared, outcome.matched, pending, unknown),) = _rows(_text("accounts.sql"), values)
    if pending:
        outcome.notes.append(f"{pending} logins have a command under way and were not compared")
    if unknown:
        outcome.notes.append(f"{unknown} logins have not been read from their server yet, or nothing is wanted of them")
    return outcome


def _keep(run: Run, now: datetime) -> None:
    own = [item for item in CLASSES.values() if item.kind == run.kind]
    values = {
        "entity": run.entity_id,
        "kind": run.kind,
        "run": run.pk,
        "now": now,
        "actor": f"system: reconcile {run.kind}",
        "day": run.business_date,
        "first_day": _first_day(run),
        "by_summary": run.kind == Kind.ACCOUNTS,
        "classes": bulk.array(item.code for item in own),
        "owners": bulk.array(item.owner for item in own),
    }
    _execute("ANALYZE found")
    _rows(_text("keep_breaks.sql"), values)


def _common(run: Run, cutoff: datetime) -> dict[str, Any]:
    return {"entity": run.entity_id, "run": run.pk, "day": run.business_date, "cutoff": cutoff}


def _first_day(run: Run) -> date:
    """From which day on a run settles breaks that it does not find again."""
    days = {Kind.CASH: _since(run), Kind.ACCOUNTS: date.min}
    return days.get(Kind(run.kind), run.business_date)


def _since(run: Run) -> date:
    return run.business_date - LOOK_BACK


def _count(outcome: Outcome, name: str, values: Mapping[str, Any]) -> None:
    ((compared, matched),) = _rows(_text(name), values)
    outcome.compared += compared
    outcome.matched += matched


def _text(name: str) -> str:
    return (_SQL / name).read_text()


def _execute(statement: str, values: Mapping[str, Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _rows(statement: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
