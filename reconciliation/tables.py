"""What the lists of breaks and runs show."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import calendars
from backoffice.ui import components, formats
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.markup import Child, join, tag
from backoffice.ui.tables import BulkAction, Table
from reconciliation.models import (
    CLASSES,
    Break,
    BreakState,
    CashMatch,
    ClientMoneyClient,
    ClientMoneyResource,
    ClientMoneyRun,
    Rule,
    Run,
    Rung,
    RunState,
    Severity,
    Suggestion,
    SuggestionState,
)
from reconciliation.selectors.settlement import settlements_of

BREAK_TONES: dict[str, Tone] = {
    BreakState.OPEN: Tone.BAD,
    BreakState.ASSIGNED: Tone.WARN,
    BreakState.EXPLAINED: Tone.INFO,
    BreakState.RESOLVED: Tone.GOOD,
    BreakState.WRITTEN_OFF: Tone.NEUTRAL,
}
RUN_TONES: dict[str, Tone] = {
    RunState.QUEUED: Tone.NEUTRAL,
    RunState.RUNNING: Tone.INFO,
    RunState.DONE: Tone.GOOD,
    RunState.FAILED: Tone.BAD,
}
SEVERITY_TONES: dict[int, Tone] = {
    Severity.LOW: Tone.NEUTRAL,
    Severity.MEDIUM: Tone.INFO,
    Severity.HIGH: Tone.WARN,
    Severity.CRITICAL: Tone.BAD,
}
CLASS_TITLES = {code: item.title for code, item in CLASSES.items()}


def ages_of(rows: Sequence[Break]) -> list[int]:
    """Business days from the day each break is about until it was closed, or until today."""
    today = clock.today()
    return calendars.ages_in_business_days(
        [(b.entity.calendar, b.business_date, b.closed_at.date() if b.closed_at else today) for b in rows]
    )


def due(item: Break) -> Child:
    """Until when somebody has to have taken it, or closed it; when that is over, the moment is in the title."""
    if item.due_at is None:
        return components.nothing("closed" if not item.is_open else "not graded yet")
    if item.due_at <= clock.now():
        return tag("span", components.pill("overdue", Tone.BAD), title=f"since {formats.moment(item.due_at)} UTC")
    return components.moment(item.due_at, zone=False)


class BreakTable(Table):
    columns = (
        Column("pk", "Break", Kind.CODE),
        Column("meaning.title", "Class", width=24),
        Column("summary", "What differs", wrap=True, width=60, css="long"),
        Column("amount", "Difference", Kind.MONEY, currency="currency"),
        Column("business_date", "Business day", Kind.DATE, sort="day"),
        Column(lambda b: components.business_age(b.age), "Age", export=lambda b: b.age),
        Column(
            lambda b: components.pill(b.get_severity_display(), SEVERITY_TONES[b.severity]),
            "Severity",
            sort="severity",
            export=lambda b: b.get_severity_display(),
        ),
        Column(due, "Due (UTC)", export=lambda b: b.due_at),
        Column("state", "State", Kind.STATUS, tones=BREAK_TONES, labels=dict(BreakState.choices)),
        Column(lambda b: b.assignee or f"{b.owner_role} desk", "Owner", Kind.ACTOR),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column("opened_at", "Opened", Kind.DATETIME, sort="opened", hide_narrow=True),
    )
    sorts = {
        "opened": ("opened_at", "id"),
        "day": ("business_date", "id"),
        "severity": ("severity", "opened_at", "id"),
    }
    default_sort = "-opened"
    bulk = (BulkAction("Assign", "assign-breaks", "reconciliation.assign_break"),)
    empty = "No breaks fit."
    empty_hint = "Everything that was compared agrees, or nothing has been compared yet: see Runs."

    def prepare(self, rows: Sequence[Any]) -> None:
        for row, age in zip(rows, ages_of(rows), strict=True):
            row.age = age

    def link(self, row: Break) -> str:
        return reverse("break", args=[row.pk])

    def row_class(self, row: Break) -> str:
        return "" if row.is_open else "muted"


class RunTable(Table):
    columns = (
        Column("pk", "Run", Kind.CODE, sort="id"),
        Column("kind", "Reconciliation", Kind.TEXT),
        Column("business_date", "Business day", Kind.DATE),
        Column("entity.code", "Entity", Kind.CODE),
        Column("state", "State", Kind.STATUS, tones=RUN_TONES, labels=dict(RunState.choices)),
        Column("compared", "Compared", Kind.NUMBER),
        Column("matched", "Matched", Kind.NUMBER),
        Column("breaks", "Differences", Kind.NUMBER),
        Column("rule", "Rule", Kind.CODE, hide_narrow=True),
        Column("requested_by", "Asked by", Kind.ACTOR, hide_narrow=True),
        Column("finished_at", "Finished", Kind.DATETIME),
    )
    sorts = {"id": ("pk",)}
    default_sort = "-id"
    empty = "Nothing has been reconciled yet."

    def link(self, row: Run) -> str:
        return reverse("run", args=[row.pk])

    def row_class(self, row: Any) -> str:
        return "bad" if row.state == RunState.FAILED else ""


class ClientMoneyTable(Table):
    columns = (
        Column("as_of", "Close of", Kind.DATE, sort="day"),
        Column("number", "No.", Kind.NUMBER),
        Column("entity.code", "Entity", Kind.CODE),
        Column(lambda r: Money(r.requirement, r.currency_id), "Requirement", Kind.MONEY),
        Column(lambda r: Money(r.resource, r.currency_id), "Resource", Kind.MONEY),
        Column(lambda r: Money(r.difference, r.currency_id), "Excess or shortfall", Kind.MONEY),
        Column("prepared_name", "Made by", Kind.ACTOR, hide_narrow=True),
        Column("signed_name", "Signed by", Kind.ACTOR),
        Column("signed_at", "Signed", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"day": ("as_of", "id")}
    default_sort = "-day"
    empty = "Client money has not been calculated yet."
    empty_hint = "Start with Calculate, for the close of yesterday."

    def link(self, row: ClientMoneyRun) -> str:
        return reverse("client-money-run", args=[row.pk])

    def row_class(self, row: ClientMoneyRun) -> str:
        return "bad" if row.is_short else ""


def _in_run(row: Any, amount: Decimal) -> Money:
    """An amount in the currency of the row's run, with that currency's decimals: sums keep 18."""
    currency = row.run.currency
    return Money(round(amount, currency.exponent), currency.pk)


class OwedTable(Table):
    """What each client is owed, in a run."""

    columns = (
        Column(lambda r: r.client.number if r.client else "nobody named", "Client", Kind.CODE),
        Column(lambda r: _in_run(r, r.equity), "Sum of parts", Kind.MONEY),
        Column(lambda r: _in_run(r, r.requirement), "Requirement", Kind.MONEY),
    )
    default_sort = ""
    empty = "No client was owed anything."

    def link(self, row: ClientMoneyClient) -> str:
        return reverse("client-money-client", args=[row.pk])

    def row_class(self, row: ClientMoneyClient) -> str:
        return "muted" if row.equity < 0 else ""


class PartTable(Table):
    """The parts of what is owed: to one client, or in a whole run."""

    columns = (
        Column(lambda r: r.client.number if r.client else "nobody named", "Client", Kind.CODE),
        Column(lambda r: r.get_part_display(), "Part", Kind.TEXT),
        Column("what", "What", Kind.TEXT),
        Column(lambda r: Money(r.amount, r.currency_id), "Amount", Kind.MONEY),
        Column(lambda r: _in_run(r, r.converted), "In the run's currency", Kind.MONEY),
        Column("source", "Source", Kind.CODE, hide_narrow=True),
    )
    default_sort = ""
    empty = "Nothing."


class HeldTable(Table):
    """Bank and PSP accounts of a run; only segregated ones count."""

    columns = (
        Column("what", "Account", Kind.TEXT),
        Column(lambda r: "counts" if r.counted else "left outside", "Resource", Kind.TEXT),
        Column(lambda r: Money(r.balance, r.currency_id), "In the books", Kind.MONEY),
        Column(lambda r: None if r.at_bank is None else Money(r.at_bank, r.currency_id), "Bank's lines", Kind.MONEY),
        Column(lambda r: _in_run(r, r.converted), "In the run's currency", Kind.MONEY),
    )
    default_sort = ""
    empty = "There is no bank account yet. Ask for one under Client bank accounts."

    def row_class(self, row: ClientMoneyResource) -> str:
        return "" if row.counted else "muted"


def ours_of(row: Suggestion) -> list[tuple[str, Decimal, str]]:
    """What a suggestion is for: references with their amounts."""
    return [(reference, Decimal(amount), currency) for reference, amount, currency, _ in row.ours]


def _decide_links(row: Suggestion) -> SafeString:
    """The keys a and r open these from the row one stands on."""
    if row.state != SuggestionState.OPEN:
        return components.nothing("decided")
    links: list[Child] = [
        tag("a", "Accept", href=reverse("accept-suggestion", args=[row.pk]), data_shortcut="a"),
        tag("a", "Dismiss", href=reverse("dismiss-suggestion", args=[row.pk]), data_shortcut="r"),
    ]
    return join(links, " · ")


_RUNG = Column("rung", "Rung", Kind.STATUS, labels=dict(Rung.choices))


class MatchTable(Table):
    columns = (
        Column("pk", "Match", Kind.CODE),
        Column("key", "Reference", width=24),
        _RUNG,
        Column("amount", "Amount", Kind.MONEY, currency="currency"),
        Column(lambda m: Money(m.difference, m.currency) if m.difference else None, "Difference", Kind.MONEY),
        Column("rule", "Rule", Kind.CODE, hide_narrow=True),
        Column("made_by", "Made by", Kind.ACTOR),
        Column("made_at", "Made", Kind.DATETIME, sort="made"),
        Column(lambda m: "stands" if m.stands else "undone", "State"),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
    )
    sorts = {"made": ("made_at", "id")}
    default_sort = "-made"
    empty = "No match fits."
    empty_hint = "Matches are made by runs of the cash reconciliation, and by people from what runs suggest."

    def link(self, row: CashMatch) -> str:
        return reverse("match", args=[row.pk])

    def row_class(self, row: CashMatch) -> str:
        return "" if row.stands else "muted"


class SuggestionTable(Table):
    columns = (
        Column("pk", "Suggestion", Kind.CODE),
        Column("score", "Score", Kind.NUMBER, sort="score"),
        _RUNG,
        Column("summary", "What", wrap=True, width=60),
        Column("amount", "Outside", Kind.MONEY, currency="currency"),
        Column("difference", "Difference", Kind.MONEY, currency="currency"),
        Column(lambda s: "others fit too" if s.tie else "only one", "Candidates"),
        Column("business_date", "Day", Kind.DATE),
        Column("state", "State", Kind.STATUS, labels=dict(SuggestionState.choices), hide_narrow=True),
        Column("entity.code", "Entity", Kind.CODE, hide_narrow=True),
        Column(_decide_links, "Decide", export=lambda s: s.get_state_display()),
    )
    sorts = {"score": ("score", "id")}
    default_sort = "-score"
    empty = "Nothing is suggested."
    empty_hint = "A run of the cash reconciliation suggests what it may not match by itself."


def _parameters(row: Rule) -> str:
    return json.dumps(row.parameters, sort_keys=True, ensure_ascii=False)


def parameters_in_words(rule: Rule) -> str:
    """Such as “external days 3; fee rate CY 0.025”; what is empty is left out."""
    given = [(name.replace("_", " "), value) for name, value in sorted(rule.parameters.items())]
    return "; ".join(f"{name} {_in_words(value)}" for name, value in given if value not in ({}, [], ""))


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name or 'others'} {part}" for name, part in sorted(value.items()))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


class RuleTable(Table):
    small = True
    columns = (
        Column("kind", "Reconciliation"),
        Column("version", "Version", Kind.NUMBER),
        Column(parameters_in_words, "Parameters", wrap=True, width=80, export=_parameters),
        Column("note", "For", wrap=True),
        Column("made_by", "Made by", Kind.ACTOR),
        Column("made_at", "Made", Kind.DATETIME, sort="made"),
    )
    sorts = {"made": ("made_at", "id")}
    default_sort = "-made"

    def link(self, row: Rule) -> str:
        return reverse("change-reconciliation-rule", args=[row.pk])


def _part(name: str) -> Callable[[Any], Money | None]:
    def read(row: Any) -> Money | None:
        amount = getattr(row.settlement, name)
        return None if amount is None else Money(amount, row.currency)

    return read


class SettlementTable(Table):
    columns = (
        Column(lambda p: p.payout_key or p.psp_reference, "Payout"),
        Column(
            lambda p: "proves" if p.settlement.proves else "differs",
            "State",
            Kind.STATUS,
            tones={"proves": Tone.GOOD, "differs": Tone.BAD},
        ),
        Column("connection.name", "PSP"),
        Column("business_date", "Day", Kind.DATE),
        Column(_part("paid"), "Paid out", Kind.MONEY),
        Column(_part("received"), "Bank receipt", Kind.MONEY),
        Column(_part("expected"), "By the lines", Kind.MONEY),
        Column(_part("captured"), "Captured", Kind.MONEY),
        Column(_part("fees"), "Fees", Kind.MONEY),
        Column(_part("reserves"), "Reserves", Kind.MONEY),
        Column(_part("refunds"), "Refunds", Kind.MONEY),
        Column(_part("chargebacks"), "Chargebacks", Kind.MONEY),
        Column(_part("chargeback_fees"), "Chargeback fees", Kind.MONEY),
        Column(_part("other"), "Other", Kind.MONEY, hide_narrow=True),
        Column("booked_at", "Booked", Kind.DATETIME, sort="booked", hide_narrow=True),
    )
    sorts = {"booked": ("booked_at", "id")}
    default_sort = "-booked"
    empty = "No payout fits."
    empty_hint = "Payouts come with the reports of PSPs."

    def prepare(self, rows: Sequence[Any]) -> None:
        found = settlements_of(rows)
        for row in rows:
            row.settlement = found[row.pk]

    def link(self, row: Any) -> str:
        return reverse("settlement", args=[row.pk])
