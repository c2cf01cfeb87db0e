"""Use cases of the ledger that stand behind four eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.urls import reverse

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.organisation.models import FxRate, LegalEntity
from backoffice.organisation.selectors import currencies
from ledger.models import LedgerAccount
from ledger.selectors import closing as found
from ledger.selectors.lines import lines_of
from ledger.services import closing, manual, periods, rates
from ledger.services.manual import ManualLine

MANUAL_JOURNAL = "ledger.manual_journal"
REOPEN = "ledger.reopen"
CLOSE_PERIOD = "ledger.close_period"
ENTER_RATE = "ledger.enter_rate"


@dataclass(frozen=True, slots=True)
class ManualJournal:
    """What is asked for: `key` makes it happen once; amounts are signed, debit positive."""

    key: str
    entity_id: int
    business_date: date
    description: str
    lines: tuple[ManualLine, ...]


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open an entity's books after `through`."""

    entity_id: int
    through: date
    reason: str


@dataclass(frozen=True, slots=True)
class ClosePeriod:
    """Close an entity's month; `last_day` is its last."""

    entity_id: int
    last_day: date


@dataclass(frozen=True, slots=True)
class EnterRate:
    """One `base` is `rate` `quote` at the close of `day`. It holds for every entity; `entity_id` is whose people
    decide."""

    entity_id: int
    day: date
    base: str
    quote: str
    rate: Decimal
    reason: str


def register() -> None:
    _register_manual()
    _register_reopen()
    _register_period()
    _register_rate()


def _register_manual() -> None:
    registry.register(
        Action(
            name=MANUAL_JOURNAL,
            title="Manual journal",
            payload=ManualJournal,
            use_case=manual.post_manual,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"ledger.manual:{p.key}",
            summary=lambda p: f"Manual journal of {p.business_date}: {p.description}",
            ask="ledger.ask_manual_journal",
            decide="ledger.approve_manual_journal",
            view="ledger.view_journal",
            money=True,
            amount=_size,
            checks=_checks,
            effects=_effects,
            reasons={
                "CORRECTION": "correction of an error",
                "FEE": "fee or cost of a provider",
                "CLIENT": "agreed with the client",
                "PERIOD": "belongs to another period",
                registry.OTHER: "other",
            },
        )
    )


def _register_reopen() -> None:
    registry.register(
        Action(
            name=REOPEN,
            title="Open closed days again",
            payload=Reopen,
            use_case=periods.reopen,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"ledger.closing:{p.entity_id}",
            summary=lambda p: f"Open the books after {p.through}",
            ask="ledger.ask_reopen",
            decide="ledger.approve_reopen",
            view="ledger.view_journal",
            reasons={
                "CORRECTION": "correction of an error",
                "LATE": "a document came late",
                "AUDIT": "asked for by the auditor",
                registry.OTHER: "other",
            },
            changes=lambda p: [
                Change("Books closed through", str(periods.closed_through(p.entity_id)), str(p.through))
            ],
        )
    )


def _register_period() -> None:
    registry.register(
        Action(
            name=CLOSE_PERIOD,
            title="Close a month",
            payload=ClosePeriod,
            use_case=closing.close_period,
            knows_request=True,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"ledger.period:{p.entity_id}:{p.last_day}",
            summary=lambda p: f"Close the month to {p.last_day}",
            ask="ledger.ask_period",
            decide="ledger.approve_period",
            view="ledger.view_journal",
            checks=lambda p: [
                Check(row.level, row.label, row.detail) for row in found.of_period(p.entity_id, p.last_day)
            ],
            page=lambda p: f"{reverse('close')}?entity={p.entity_id}&day={p.last_day}",
            reasons={"MONTH": "the month is done", registry.OTHER: "other"},
        )
    )


def _register_rate() -> None:
    registry.register(
        Action(
            name=ENTER_RATE,
            title="Enter a reference rate",
            payload=EnterRate,
            use_case=rates.enter,
            knows_request=True,
            rehearse=rates.enter,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"ledger.manualrate:{p.base}/{p.quote}:{p.day}",
            target_version=lambda p: _words(_by_hand(p)),
            summary=lambda p: f"{p.base}/{p.quote} of {p.day}: {p.rate.normalize():f} by hand",
            ask="ledger.ask_manualrate",
            decide="ledger.approve_manualrate",
            view="organisation.view_fxrate",
            checks=lambda p: [_beside_others(p)],
            changes=lambda p: [
                Change(f"{p.base}/{p.quote} of {p.day}", _words(_by_hand(p)), f"{p.rate.normalize():f}")
            ],
            page=lambda p: f"{reverse('fx-rates')}?base={p.base}&quote={p.quote}",
            reasons={
                "MISSING": "no source has it",
                "WRONG": "the source's rate is wrong",
                "AGREED": "agreed in a contract",
                registry.OTHER: "other",
            },
        )
    )


def _by_hand(payload: EnterRate) -> FxRate | None:
    return rates.newest(payload.day, payload.base, payload.quote)


def _words(row: FxRate | None) -> str:
    return "none" if row is None else f"{row.rate.normalize():f} (version {row.version})"


def _beside_others(payload: EnterRate) -> Check:
    """How far it is from what the sources say: most mistakes are a digit, or the pair the wrong way round."""
    label = "Near the sources' rate"
    try:
        known = currencies.quoted(payload.base, payload.quote, payload.day)
    except currencies.NoRate:
        return Check(Level.AMBER, label, "no source has this pair")
    off = abs(payload.rate / known.rate - 1) * 100
    level = Level.RED if off > 10 else Level.AMBER if off > 1 else Level.GREEN
    return Check(level, label, f"{off:.2f} % from {known.rate.normalize():.6f} of {known.source}, {known.date}")


def _size(payload: ManualJournal) -> Money:
    """The larger side of the journal in the entity's reporting currency."""
    home = LegalEntity.objects.get(pk=payload.entity_id).reporting_currency_id
    accounts = LedgerAccount.objects.in_bulk([line.account_id for line in payload.lines])
    debits = sum(
        (
            currencies.convert(line.amount, accounts[line.account_id].currency_id, home, payload.business_date)
            for line in payload.lines
            if line.amount > 0
        ),
        Decimal(0),
    )
    return Money(debits, home)


def _checks(payload: ManualJournal) -> list[Check]:
    accounts = LedgerAccount.objects.in_bulk([line.account_id for line in payload.lines])
    clients = sorted(a.code for a in accounts.values() if a.holder)
    closed = periods.closed_through(payload.entity_id)
    age = (clock.today() - payload.business_date).days
    return [
        Check(
            Level.RED if closed and payload.business_date <= closed else Level.GREEN,
            "Business day is open",
            f"closed through {closed}" if closed else "no day is closed",
        ),
        Check(
            Level.AMBER if clients else Level.GREEN,
            "Touches no client account",
            ", ".join(clients) if clients else "house accounts only",
        ),
        Check(Level.AMBER if age > 5 else Level.GREEN, "Recent business day", f"{age} days ago"),
    ]


def _effects(payload: ManualJournal, result: Mapping[str, int]) -> list[Mapping[str, Any]]:
    return [
        {"account": f"{line.code} {line.name}", "amount": line.amount, "currency": line.currency}
        for line in lines_of(payload.entity_id, result["journal_id"])
    ]
