"""Client money: calculate what is owed and what lies on client bank accounts, sign it, and make up what is short.

    R_i = max(0, trading accounts (equity without credit) + wallets + withdrawals on their way + receipts not allocated)
    requirement = sum of R_i, per legal entity, in its reporting currency; resource = segregated bank accounts only

A negative client never lowers another's requirement. Every amount is converted once, at the newest rate of the rule's
source on or before the day, and rounded half-even; sums are sums of rounded parts, so that every drill-down adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from accounts.services.locked import user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, Stale
from backoffice.kernel.locking import Lock
from backoffice.kernel.money import quantise
from backoffice.kernel.plain import digest
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import currencies
from backoffice.organisation.selectors.currencies import Quote
from integrations.models import BankLine
from payments.services.references import new_reference
from reconciliation.models import (
    ClientMoneyClient,
    ClientMoneyLine,
    ClientMoneyResource,
    ClientMoneyRule,
    ClientMoneyRun,
    SegregatedAccount,
    TopUp,
)

_SQL = Path(__file__).resolve().parent.parent / "sql"
_NOTHING = Decimal(0)


class NotNow(DomainError):
    """The calculation cannot be made, signed or topped up as asked."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One part of what is owed, in its own currency and in the entity's."""

    client_id: int | None
    part: str
    what: str
    amount: Decimal
    currency: str
    source: str
    converted: Decimal


@dataclass(frozen=True, slots=True)
class Held:
    """One account: counted when it is segregated."""

    what: str
    counted: bool
    balance: Decimal
    currency: str
    at_bank: Decimal | None
    source: str
    converted: Decimal


@dataclass(frozen=True, slots=True)
class Calculation:
    """Everything a run is made of, before it is stored: the same data and cut-off give the same again."""

    owed: Sequence[Owed]
    held: Sequence[Held]
    clients: Mapping[int | None, Decimal]
    rates: Sequence[Quote]

    @property
    def requirement(self) -> Decimal:
        return sum((max(equity, _NOTHING) for equity in self.clients.values()), _NOTHING)

    @property
    def resource(self) -> Decimal:
        return sum((row.converted for row in self.held if row.counted), _NOTHING)

    def content_hash(self) -> str:
        """SHA-256 over every part, amounts by value: 1.0 is 1.00."""
        return digest([[_values(row) for row in self.owed], [_values(row) for row in self.held], _said(self.rates)])


def rule_of(entity_id: int, day: date) -> ClientMoneyRule:
    """The rule that holds for an entity on a day: its own newest one, else the one for all."""
    rules = ClientMoneyRule.objects.filter(valid_from__lte=day).order_by("-valid_from", "-pk")
    found = rules.filter(entity_id=entity_id).first() or rules.filter(entity=None).first()
    if found is None:
        raise NotNow(f"No client-money rule holds on {day}. Ask for one under Client money, Rules.")
    return found


def calculate(*, entity: LegalEntity, day: date, cutoff: datetime, rule: ClientMoneyRule) -> Calculation:
    """The calculation for the close of a day with what was known at the cut-off. Reads only."""
    values = {"entity": entity.pk, "day": day, "cutoff": cutoff}
    parts = [row for row in _rows("client_money.sql", values) if rule.counts.get(row[1], True)]
    accounts = _rows("client_money_accounts.sql", values)
    on_way = _on_the_way(entity.pk, day, cutoff)
    used = {row[4] for row in parts} | {row[5] for row in accounts} | {top_up.currency_id for top_up in on_way}
    home, exponent = entity.reporting_currency_id, currencies.exponent(entity.reporting_currency_id)
    oldest = day - timedelta(days=rule.rate_days)
    rates = {c: currencies.quoted(c, home, day, source=rule.rate_source, oldest=oldest) for c in sorted(used)}

    def home_of(amount: Decimal, currency: str) -> Decimal:
        return quantise(amount * rates[currency].rate, exponent)

    owed = [
        Owed(client, part, what[:120], amount, currency, source, home_of(amount, currency))
        for client, part, what, amount, currency, source in parts
    ]
    held = [
        Held(f"{bank} · {code}"[:120], counted, amount, cur, at_bank, f"account:{pk}", home_of(amount, cur))
        for pk, code, bank, counted, amount, cur, at_bank in accounts
    ]
    held += [
        Held(
            f"Top-up {row.reference}, on its way",
            True,
            row.amount,
            row.currency_id,
            None,
            f"top-up:{row.pk}",
            home_of(row.amount, row.currency_id),
        )
        for row in on_way
    ]
    return Calculation(owed, held, _by_client(owed), [rates[c] for c in sorted(used) if c != home])


@transaction.atomic
def run(*, actor: Actor, entity_id: int, day: date) -> ClientMoneyRun:
    """Calculate for the close of a day and keep it. A run on the same data is a new number; none is ever replaced."""
    if day >= clock.today():
        raise NotNow(f"{day} is not over yet. Client money is calculated for a closed business day.")
    locking.advisory(Lock.RUN, entity_id)
    entity = LegalEntity.objects.get(pk=entity_id)
    rule, cutoff = rule_of(entity_id, day), clock.now()
    found = calculate(entity=entity, day=day, cutoff=cutoff, rule=rule)
    number = ClientMoneyRun.objects.filter(entity=entity, as_of=day).count() + 1
    made = ClientMoneyRun.objects.create(
        entity=entity,
        as_of=day,
        number=number,
        cutoff_at=cutoff,
        rule=rule,
        currency_id=entity.reporting_currency_id,
        requirement=found.requirement,
        resource=found.resource,
        difference=found.resource - found.requirement,
        clients=sum(client is not None for client in found.clients),
        rates=_said(found.rates),
        notes=_notes(found),
        content_hash=found.content_hash(),
        prepared_by_id=user_id(actor),
        prepared_name=actor.label,
        prepared_at=cutoff,
    )
    _keep(made, found)
    audit.record(
        actor=actor,
        action="client_money.calculated",
        target=made,
        data={"as_of": day, "requirement": made.requirement, "resource": made.resource, "difference": made.difference},
    )
    return made


@transaction.atomic
def sign(*, actor: Person, run_id: int, seen_hash: str) -> ClientMoneyRun:
    """Sign a calculation as the second person. Refused when a newer one of the day exists, when it was made by the
    same person, and when what is stored is not what was calculated."""
    row = ClientMoneyRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    if row.signed_at is not None:
        raise NotNow(f"It was signed by {row.signed_name} already.")
    if seen_hash != row.content_hash or ClientMoneyRun.objects.filter(
        entity=row.entity_id, as_of=row.as_of, number__gt=row.number
    ):
        raise Stale("There is a newer calculation of this day. Look at that one.")
    if row.prepared_by_id == actor.user_id:
        raise NotNow("You made this calculation. Another person has to sign it.")
    if stored(row).content_hash() != row.content_hash:
        raise NotNow("What is stored is not what was calculated. Nothing was signed: run `manage verify`.")
    row.signed_by_id, row.signed_name, row.signed_at = actor.user_id, actor.label, clock.now()
    row.save(update_fields=["signed_by", "signed_name", "signed_at"])
    audit.record(actor=actor, action="client_money.signed", target=row, data={"as_of": row.as_of, "number": row.number})
    return row


@transaction.atomic
def top_up(
    *, actor: Actor, run_id: int, segregated_id: int, amount: Decimal, currency: str, request_id: int | None = None
) -> TopUp | None:
    """The house's own money goes to a client bank account. Runs behind four eyes, by a third person; the reference
    printed on the payment is how the bank's line is known."""
    run_row = ClientMoneyRun.objects.select_for_update(of=("self",)).get(pk=run_id)
    account = SegregatedAccount.objects.select_related("account").get(pk=segregated_id, entity=run_row.entity_id)
    if not run_row.is_short:
        raise NotNow("This calculation is not short: there is nothing to top up.")
    if account.account.currency_id != currency or amount <= 0:
        raise NotNow(f"The account is in {account.account.currency_id}; the amount is more than nought.")
    if request_id is None:
        return None
    made = TopUp.objects.create(
        entity_id=run_row.entity_id,
        run=run_row,
        reference=new_reference("P"),
        to=account,
        amount=amount,
        currency_id=currency,
        request_id=request_id,
        sent_at=clock.now(),
        sent_by_id=user_id(actor),
    )
    audit.record(
        actor=actor, action="client_money.topped_up", target=made, data={"amount": amount, "currency": currency}
    )
    return made


def stored(row: ClientMoneyRun) -> Calculation:
    """A run as it was stored, in the form it was calculated in."""
    owed = [
        Owed(line.client_id, line.part, line.what, line.amount, line.currency_id, line.source, line.converted)
        for line in row.lines.order_by("id")
    ]
    held = [
        Held(line.what, line.counted, line.balance, line.currency_id, line.at_bank, line.source, line.converted)
        for line in row.resources.order_by("id")
    ]
    rates = [
        Quote(r["base"], r["quote"], Decimal(r["rate"]), date.fromisoformat(r["date"]), r["source"], r["how"])
        for r in row.rates
    ]
    return Calculation(owed, held, _by_client(owed), rates)


def _values(row: Owed | Held) -> list[str]:
    """The fields of a part as text."""
    return [f"{value.normalize():f}" if isinstance(value, Decimal) else str(value) for value in asdict(row).values()]


def _keep(made: ClientMoneyRun, found: Calculation) -> None:
    ClientMoneyLine.objects.bulk_create(
        (
            ClientMoneyLine(
                run=made,
                client_id=row.client_id,
                part=row.part,
                what=row.what,
                amount=row.amount,
                currency_id=row.currency,
                converted=row.converted,
                source=row.source,
            )
            for row in found.owed
        ),
        batch_size=5_000,
    )
    ClientMoneyClient.objects.bulk_create(
        (
            ClientMoneyClient(run=made, client_id=client, equity=equity, requirement=max(equity, _NOTHING))
            for client, equity in found.clients.items()
        ),
        batch_size=5_000,
    )
    ClientMoneyResource.objects.bulk_create(
        ClientMoneyResource(
            run=made,
            what=row.what,
            counted=row.counted,
            balance=row.balance,
            currency_id=row.currency,
            converted=row.converted,
            at_bank=row.at_bank,
            source=row.source,
        )
        for row in found.held
    )


def _notes(found: Calculation) -> list[str]:
    """What somebody who signs has to know."""
    unread = sum("(books:" in row.what for row in found.owed)
    apart = [row.what for row in found.held if row.counted and row.at_bank is not None and row.at_bank != row.balance]
    negative = sum(equity < 0 for equity in found.clients.values())
    notes = []
    if unread:
        notes.append(f"Logins not read at their server that day, for which the books' balance stands: {unread}.")
    if negative:
        notes.append(f"Below nought, and counted as nought: {negative} of the clients.")
    notes += [f"{what}: the books and the bank's lines differ (external reconciliation)." for what in apart]
    on_way = [row.what for row in found.held if row.source.startswith("top-up")]
    notes += [f"{what}: counts, and is not on a bank line yet." for what in on_way]
    if any(not row.counted and row.balance for row in found.held):
        notes.append("Balances at PSPs and on the house's own accounts are listed and left outside.")
    return notes


def _by_client(owed: Iterable[Owed]) -> dict[int | None, Decimal]:
    totals: dict[int | None, Decimal] = {}
    for row in owed:
        totals[row.client_id] = totals.get(row.client_id, _NOTHING) + row.converted
    return totals


def _said(rates: Iterable[Quote]) -> list[dict[str, str]]:
    return [
        {
            "base": q.base,
            "quote": q.quote,
            "rate": f"{quantise(q.rate, 12).normalize():f}",
            "date": str(q.date),
            "source": q.source,
            "how": q.how,
        }
        for q in rates
    ]


def _on_the_way(entity_id: int, day: date, cutoff: datetime) -> list[TopUp]:
    """Top-ups that were sent by the cut-off and that no bank line of the day or before shows."""
    waiting = TopUp.objects.filter(entity_id=entity_id, sent_at__lte=cutoff)
    lines = BankLine.objects.filter(entity_id=entity_id, booking_date__lte=day, received_at__lte=cutoff, amount__gt=0)
    return [
        row
        for row in waiting.order_by("pk")
        if not lines.filter(Q(end_to_end_id__contains=row.reference) | Q(remittance__contains=row.reference)).exists()
    ]


def _rows(name: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute((_SQL / name).read_text(), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
