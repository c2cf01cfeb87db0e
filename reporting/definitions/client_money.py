"""Client money of a business day: requirement, resource, shortfall or excess, down to every client and part.

A report of calculations that were made and kept (reconciliation/services/client_money.py), so it is the same whenever
it is built: the newest calculation of each entity that was made by the cut-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backoffice.kernel.money import Money
from backoffice.ui.columns import Column, Kind
from backoffice.ui.tables import Table
from reconciliation.models import ClientMoneyClient, ClientMoneyLine, ClientMoneyResource, ClientMoneyRun
from reconciliation.tables import HeldTable, OwedTable, PartTable
from reporting.records import Definition, Parameters, Report, Section, Signature
from reporting.selectors.code_version import code_version

NAME = "client_money"
VERSION = 1
TITLE = "Client money reconciliation"


def build(parameters: Parameters) -> Report:
    """The report for a business day, from the calculations made by the cut-off."""
    runs = [run for run in (_run(entity.id, parameters) for entity in parameters.entities) if run is not None]
    return Report(
        name=NAME,
        version=VERSION,
        title=TITLE,
        parameters=parameters,
        code_version=code_version(),
        facts=tuple(fact for run in runs for fact in _facts(run, len(runs) > 1)),
        sections=(
            Section("accounts", "Resource: segregated client bank accounts", _HELD, HeldTable(), _held(runs)),
            Section("clients", "Requirement, client by client", _OWED, OwedTable(), _owed(runs)),
            Section("parts", "What every requirement is made of", _PARTS, PartTable(), _parts(runs)),
            Section("rates", "Exchange rates", "", RateTable(), _rates(runs)),
        ),
        signatures=tuple(
            signature
            for run in runs
            for signature in (Signature("Made by", run.prepared_name), Signature("Signed by", run.signed_name))
        ),
    )


DEFINITION = Definition(name=NAME, version=VERSION, title=TITLE, build=build)

_HELD = "Only accounts that two people have declared to hold client money count. Balances at PSPs are listed outside."
_OWED = "The sum of a client's parts; below nought counts as nought and never lowers what others are owed."
_PARTS = "Amounts are converted once, at the rates below, and rounded to the currency."


def _run(entity_id: int, parameters: Parameters) -> ClientMoneyRun | None:
    made = ClientMoneyRun.objects.filter(
        entity_id=entity_id, as_of=parameters.day, cutoff_at__lte=parameters.cutoff_at
    ).select_related("rule", "entity", "currency")
    return made.order_by("-number").first()


def _facts(run: ClientMoneyRun, named: bool) -> Sequence[tuple[str, Any]]:
    prefix = f"{run.entity.code}: " if named else ""
    signed = f"{run.signed_name} {run.signed_at:%Y-%m-%d %H:%M} UTC" if run.signed_at else "not signed"
    return (
        (f"{prefix}Requirement", _rounded(run, run.requirement)),
        (f"{prefix}Resource", _rounded(run, run.resource)),
        (f"{prefix}{'Shortfall' if run.is_short else 'Excess'}", _rounded(run, abs(run.difference))),
        (
            f"{prefix}Calculation",
            f"number {run.number} of the day, {run.clients} clients, hash {run.content_hash[:16]}",
        ),
        (f"{prefix}Rule", f"{run.rule.get_regime_display()}, from {run.rule.valid_from}"),
        (f"{prefix}Saw what was known at", run.cutoff_at),
        (f"{prefix}Made by", f"{run.prepared_name} {run.prepared_at:%Y-%m-%d %H:%M} UTC"),
        (f"{prefix}Signed by", signed),
        *((f"{prefix}Note", note) for note in run.notes),
    )


def _rounded(run: ClientMoneyRun, amount: Decimal) -> Money:
    return Money(round(amount, run.currency.exponent), run.currency_id)


def _held(runs: Sequence[ClientMoneyRun]) -> tuple[ClientMoneyResource, ...]:
    return tuple(
        ClientMoneyResource.objects.filter(run__in=runs)
        .select_related("run__currency")
        .order_by("run", "-counted", "id")
    )


def _owed(runs: Sequence[ClientMoneyRun]) -> tuple[ClientMoneyClient, ...]:
    rows = ClientMoneyClient.objects.filter(run__in=runs).select_related("run__currency", "client")
    return tuple(rows.order_by("run", "-requirement", "id"))


def _parts(runs: Sequence[ClientMoneyRun]) -> tuple[ClientMoneyLine, ...]:
    rows = ClientMoneyLine.objects.filter(run__in=runs).select_related("run__currency", "client", "currency")
    return tuple(rows.order_by("run", "client__number", "id"))


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate a calculation used, and how it is known."""

    pair: str
    rate: Decimal
    day: str
    source: str
    how: str


def _rates(runs: Sequence[ClientMoneyRun]) -> tuple[Rate, ...]:
    used = [
        Rate(f"{r['base']}/{r['quote']}", Decimal(r["rate"]), r["date"], r["source"], r["how"])
        for run in runs
        for r in run.rates
    ]
    return tuple(dict.fromkeys(used))


class RateTable(Table):
    columns = (
        Column("pair", "Pair", Kind.CODE),
        Column("rate", "Rate", Kind.PRICE),
        Column("day", "Of", Kind.TEXT),
        Column("source", "Source", Kind.TEXT),
        Column("how", "How", Kind.TEXT),
    )
    default_sort = ""
    empty = "Everything is in one currency."
