"""Use cases of reconciliation that stand behind four eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import calendars, currencies
from ledger.selectors.lines import lines_of
from reconciliation.models import Break
from reconciliation.selectors.side_steps import written
from reconciliation.services import breaks

WRITE_OFF = "reconciliation.write_off"


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Close a break by booking its amount away."""

    break_id: int
    reason: str


def register() -> None:
    registry.register(
        Action(
            name=WRITE_OFF,
            title="Write off a break",
            payload=WriteOff,
            use_case=breaks.write_off,
            entity_id=lambda p: _break(p).entity_id,
            target=lambda p: f"reconciliation.break:{p.break_id}",
            target_version=lambda p: _version(_break(p)),
            summary=lambda p: f"Write off {_break(p).meaning.title}: {_break(p).summary}",
            ask="reconciliation.ask_write_off",
            decide="reconciliation.approve_write_off",
            view="reconciliation.view_break",
            money=True,
            amount=_amount,
            changes=_changes,
            checks=_checks,
            effects=_effects,
            reasons={
                "ROUNDING": "rounding",
                "FEE": "cost of a provider, accepted",
                "SMALL": "pursuing it costs more than it brings",
                "CLIENT": "left to the client",
                registry.OTHER: "other",
            },
        )
    )


def _break(payload: WriteOff) -> Break:
    return Break.objects.select_related("entity").get(pk=payload.break_id)


def _version(item: Break) -> str:
    return f"{item.state}:{item.amount}:{item.currency}"


def _amount(payload: WriteOff) -> Money | None:
    item = _break(payload)
    if item.amount is None:
        return None
    home = item.entity.reporting_currency_id
    return Money(currencies.convert(abs(item.amount), item.currency, home, item.business_date), home)


def _changes(payload: WriteOff) -> list[Change]:
    item = _break(payload)
    return [
        Change("State", item.get_state_display(), "written off"),
        Change("Difference", written(item.amount or Decimal(0), item.currency), "booked to the write-off account"),
    ]


def _checks(payload: WriteOff) -> list[Check]:
    item = _break(payload)
    age = calendars.age_in_business_days(item.entity.calendar, item.business_date, clock.today())
    return [
        Check(
            Level.GREEN if item.explanation else Level.AMBER,
            "The difference is explained",
            item.explanation or "nobody has explained it",
        ),
        Check(Level.GREEN if age > 3 else Level.AMBER, "Had time to settle by itself", f"{age} business days old"),
    ]


def _effects(payload: WriteOff, result: Mapping[str, int]) -> list[Mapping[str, Any]]:
    return [
        {"account": f"{line.code} {line.name}", "amount": line.amount, "currency": line.currency}
        for line in lines_of(_break(payload).entity_id, result["journal_id"])
    ]
