"""The matching itself: set-based SQL in the database (reconciliation/sql), one transaction per run.

Only identifiers, payout groups and unique references match by themselves. Whatever ties, or needs judgement,
stays a break for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from backoffice.kernel import bulk, locking
from integrations.models import Connection
from integrations.records import CREDIT_KINDS
from integrations.registry import is_server
from integrations.selectors import listings
from reconciliation.models import CLASSES, Kind, Run
from reconciliation.services import cash
from reconciliation.services.statements import execute, rows, text


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
    execute("DROP TABLE IF EXISTS found, found_trades, found_repeated, found_split, found_resent")
    execute("CREATE TEMP TABLE found (class text, key text, business_date date, amount numeric, currency text,"
             " summary text, refs jsonb) ON COMMIT DROP")  # fmt: skip
    matchers = {Kind.TRADES: _trades, Kind.BALANCES: _balances, Kind.ACCOUNTS: _accounts}
    outcome = _cash(run, cutoff, now) if run.kind == Kind.CASH else matchers[Kind(run.kind)](run, cutoff)
    off = list(run.rule.parameters.get("off", []))
    if off:
        execute("DELETE FROM found WHERE class = ANY (%(off)s)", {"off": off})
        outcome.notes.append(f"not reported by this rule: {', '.join(off)}")
    outcome.by_class = dict(rows("SELECT class, count(*) FROM found GROUP BY class ORDER BY class"))
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
    execute(text("trades_orders.sql"), values)
    execute(text("trades.sql"), values)
    _count(outcome, "trades_matches.sql", values)
    execute(text("trades_found.sql"), values)
    execute(text("trades_unbooked.sql"), values)
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


def _cash(run: Run, cutoff: datetime, now: datetime) -> Outcome:
    compared, matched, notes = cash.match_cash(run, cutoff, now)
    return Outcome(compared, matched, notes)


def _accounts(run: Run, cutoff: datetime) -> Outcome:
    """What we want of each login against the newest reading of it; a reading is of a moment, not of a day."""
    outcome = Outcome()
    servers = [c for c in Connection.objects.filter(entity_id=run.entity_id) if is_server(c.adapter)]
    young = timedelta(minutes=int(run.rule.parameters["young_minutes"]))
    values = {**_common(run, cutoff), "servers": [c.pk for c in servers], "young_since": cutoff - young}
    ((outcome.compared, outcome.matched, pending, unknown),) = rows(text("accounts.sql"), values)
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
    execute("ANALYZE found")
    rows(text("keep_breaks.sql"), values)


def _common(run: Run, cutoff: datetime) -> dict[str, Any]:
    return {"entity": run.entity_id, "run": run.pk, "day": run.business_date, "cutoff": cutoff}


def _first_day(run: Run) -> date:
    """From which day on a run settles breaks that it does not find again."""
    days = {Kind.CASH: cash.since(run.business_date), Kind.ACCOUNTS: date.min}
    return days.get(Kind(run.kind), run.business_date)


def _count(outcome: Outcome, name: str, values: Mapping[str, Any]) -> None:
    ((compared, matched),) = rows(text(name), values)
    outcome.compared += compared
    outcome.matched += matched
