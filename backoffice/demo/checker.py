"""The check: reconcile the live day once more, change nothing by it, compare planted with found."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import models

from backoffice.demo import house, seeding, state
from backoffice.demo.days import utc
from backoffice.demo.money.judged import money
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import LegalEntity
from integrations.models import (
    AccountSnapshot,
    BankLine,
    Connection,
    Deal,
    FileImport,
    Fill,
    ImportState,
    ListingRow,
    PspLine,
    Rejection,
)
from ledger.models import Journal, Line
from reconciliation.models import (
    CLASSES,
    Break,
    BreakEvent,
    BreakState,
    CashMatch,
    Kind,
    Resolution,
    Rule,
    Run,
    TradeMatch,
)
from reconciliation.services import runs

_FACTS: Mapping[str, type[models.Model]] = {
    "deals": Deal,
    "fills": Fill,
    "psp lines": PspLine,
    "bank lines": BankLine,
    "balances": AccountSnapshot,
}
_COUNTED: tuple[type[models.Model], ...] = (
    *_FACTS.values(), ListingRow, Journal, Line, TradeMatch, CashMatch, BreakEvent,
)  # fmt: skip
Identity = tuple[str, str, str]


def check(*, number: int, asked: date | None, without: str | None = None) -> dict[str, Any]:
    """The demo's result as one object; `ok` says whether it came out right.

    `without` first makes a new version of a rule that no longer reports a class of break: what was planted of
    it must then be missed.
    """
    live, planted = _asked_for(number, asked)
    # After the live day's own night, and never before what the demo has written down already.
    with clock.at(max(clock.now(), utc(live + timedelta(days=1), 12))):
        if without is not None:
            _switch_off(without)
        before = _picture()
        done = [
            runs.run_now(actor=house.ACTOR, entity_id=entity_id, kind=kind, day=live)
            for entity_id in LegalEntity.objects.order_by("pk").values_list("pk", flat=True)
            for kind in Kind
        ]
        changes = _differences(before, _picture())
        verified = _verify()
    compared = _compare(planted)
    files, desk = _files(), money(live)
    problems = files["problems"] + desk["problems"]
    failed = [
        f"{run.kind} of {run.entity.code}: {run.state} {run.error}".strip() for run in done if run.state != "DONE"
    ]
    is_right = not (changes or problems or failed or compared["missing"] or compared["unexpected"])
    return {
        "seed": number,
        "date": live,
        "ok": is_right and verified["clean"],
        "feeds": _feeds(),
        "facts": sum(_count(model) for model in _FACTS.values()),
        "journals": _count(Journal),
        "imports": files,
        "runs": Run.objects.count(),
        "failed_runs": failed,
        **compared,
        "second_run_changes": changes,
        "verify": verified,
        "money": desk,
    }


def _asked_for(number: int, asked: date | None) -> tuple[date, Sequence[Mapping[str, Any]]]:
    """The live day and the planted list of the demo that is here, if it is the one asked for."""
    known = seeding.held()
    if known is None:
        raise DomainError("There is no demo in this database. Run `manage demo seed` first.")
    seed, live = known
    if seed != number or (asked is not None and seeding.live_day(asked) != live):
        raise DomainError(f"The database holds the demo of seed {seed} and {live}; check that, or seed a fresh one.")
    kept = state.read(state.planted_path())
    if kept is None or (kept["seed"], kept["date"]) != (seed, str(live)):
        raise DomainError(f"The list of what was planted is not in {state.planted_path()}. Seed a fresh database.")
    return live, kept["planted"]


def _switch_off(klass: str) -> None:
    kind = CLASSES[klass].kind
    newest = Rule.objects.filter(kind=kind).order_by("-version")[0]
    off = sorted({*newest.parameters.get("off", []), klass})
    house.change_rule(kind, {"off": off}, f"the demo's check without {klass}")


def _picture() -> dict[str, Any]:
    """All that a run may write, but for which run has seen a break last."""
    names = [field.attname for field in Break._meta.concrete_fields if field.name != "seen_by"]
    rows: dict[str, Any] = {f"break {row['id']} {row['klass']}": row for row in Break.objects.values(*names)}
    return rows | {str(model._meta.verbose_name_plural): _count(model) for model in _COUNTED}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    found = []
    for name in sorted({*before, *after}):
        then, now = before.get(name), after.get(name)
        if isinstance(then, dict) and isinstance(now, dict):
            found += [f"{name}: {key} {then[key]} -> {now[key]}" for key in then if then[key] != now[key]]
        elif then != now:
            found.append(f"{name}: {then} -> {now}")
    return found


def _compare(planted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Planted against found, both ways. A break is right when it opened and closed when it had to, by its amount."""
    rows = {_identity(row): row for row in Break.objects.select_related("entity")}
    expected = {(p["entity"], p["class"], p["key"]): p for p in planted}
    missing, right = [], Counter[str]()
    for identity, one in expected.items():
        problem = _problem(rows.get(identity), one)
        if problem:
            missing.append({**one, "problem": problem})
        else:
            right[one["class"]] += 1
    unexpected = [
        {"class": row.klass, "entity": row.entity.code, "key": row.key, "state": row.state, "summary": row.summary}
        for identity, row in sorted(rows.items())
        if identity not in expected
    ]
    wanted = Counter(one["class"] for one in expected.values())
    return {
        "planted": len(expected),
        "found": sum(right.values()),
        "open": sum(row.is_open for row in rows.values()),
        "settled_by_themselves": sum(row.resolution == Resolution.BY_ITSELF for row in rows.values()),
        "classes": {klass: {"planted": wanted[klass], "found": right[klass]} for klass in CLASSES},
        "missing": missing,
        "unexpected": unexpected,
    }


def _problem(row: Break | None, planted: Mapping[str, Any]) -> str:
    """Why a planted break is not as it has to be; empty when it is."""
    if row is None:
        return "not found"
    opens = date.fromisoformat(planted["opens"]) + timedelta(days=1)
    if row.opened_at.date() != opens:
        return f"opened in the night to {row.opened_at.date()}, expected to {opens}"
    if planted["amount"] is not None and row.amount != Decimal(planted["amount"]):
        return f"amount {row.amount}, expected {planted['amount']}"
    if planted["resolves"] is None:
        return "" if row.is_open else f"it is {row.state}, expected open"
    if (row.state, row.resolution) != (BreakState.RESOLVED, Resolution.BY_ITSELF) or row.closed_at is None:
        return f"it is {row.state}, expected resolved by itself"
    closes = date.fromisoformat(planted["resolves"]) + timedelta(days=1)
    return "" if row.closed_at.date() == closes else f"resolved on {row.closed_at.date()}, expected {closes}"


def _identity(row: Break) -> Identity:
    return (row.entity.code, row.klass, row.key)


def _feeds() -> dict[str, Any]:
    """What was read of each connection."""
    found: dict[str, Any] = {}
    for connection in Connection.objects.select_related("feed").order_by("pk"):
        counts = {
            name: model._default_manager.filter(connection_id=connection.pk).count() for name, model in _FACTS.items()
        }
        kept = {name: count for name, count in counts.items() if count}
        found[connection.name] = {**kept, "failures": connection.feed.failures, "trouble": connection.feed.last_error}
    return found


def _files() -> dict[str, Any]:
    """Imports by state, and whether the odd ones came out as planned: one held, one row rejected, one known already."""
    states = Counter(FileImport.objects.values_list("state", flat=True))
    nothing_new = FileImport.objects.filter(state=ImportState.STORED, new=0, changed=0, duplicate__gt=0).count()
    planned = (
        (states[ImportState.HELD] == 1, "one file should be held"),
        (Rejection.objects.exclude(file_import__state=ImportState.HELD).count() == 1, "one row should be rejected"),
        (nothing_new == 1, "one file should have come twice and added nothing"),
    )
    return {
        "by_state": dict(sorted(states.items())),
        "known_already": nothing_new,
        "problems": [text for holds, text in planned if not holds],
    }


def _verify() -> dict[str, Any]:
    """What `manage verify` says."""
    out = StringIO()
    # It ends with an exit code when something does not hold; its words say what.
    with contextlib.suppress(SystemExit):
        call_command("verify", json=True, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def _count(model: type[models.Model]) -> int:
    return model._default_manager.count()
