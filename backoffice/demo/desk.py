"""What the demo's people do: credit by hand, fetch, take breaks, explain, close days, ask for approval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from accounts.models import TradingAccount
from backoffice.approvals.actions import POLICY, PolicyChange
from backoffice.approvals.services import requests
from backoffice.demo.money import rules
from backoffice.demo.people import person
from backoffice.demo.plan import HandJournal
from backoffice.kernel.errors import NotFound
from backoffice.organisation.models import LegalEntity, User
from integrations.models import Connection
from ledger.actions import MANUAL_JOURNAL, ManualJournal
from ledger.models import LedgerAccount
from ledger.services import periods
from ledger.services.manual import ManualLine
from reconciliation.actions.breaks import WRITE_OFF, WriteOff
from reconciliation.models import OPEN_STATES, Break
from reconciliation.services import breaks

# Who takes whose breaks, and how many.
_TAKERS = (("DLR", "dana", 3), ("PAY", "pat", 4), ("FMK", "fred", 2), ("SUP", "sue", 1))

# Who must agree: action, from which amount, how many, and who carries it out.
_RULES = (
    ("reconciliation.write_off", 0, 1, ""),
    ("reconciliation.write_off", 1_000, 2, ""),
    ("ledger.manual_journal", 0, 1, ""),
    # A journal this large is approved by one and carried out by a third person.
    ("ledger.manual_journal", 10_000, 1, "ledger.ask_manual_journal"),
)


def agree_on_rules() -> None:
    """Sam proposes the rules of approval, Mia agrees; finance names the rule of client money."""
    here = LegalEntity.objects.order_by("pk")[0].pk
    wanted = [rules.rule(name, amount, approvers=count, executor=third) for name, amount, count, third in _RULES]
    for rule in [*wanted, *rules.of_money()]:
        payload = PolicyChange(here, None, rule)
        asked = requests.submit(actor=person("sam"), action=POLICY, payload=payload, reason="The board's decision.")
        requests.approve(actor=person("mia"), request_id=asked.pk, seen_hash=asked.payload_hash, reason="Agreed.")
    rules.of_client_money()


def credit_by_hand(act: HandJournal, connection: Connection) -> None:
    """Fred asks for a credit that the bank has confirmed by telephone, Fiona approves it."""
    account = TradingAccount.objects.get(connection=connection, login=act.login.number)
    clearing = _house(account.entity_id, "clearing.client_money", act.login.currency)
    payload = ManualJournal(
        key=f"demo-{act.reference}",
        entity_id=account.entity_id,
        business_date=act.day,
        description=f"Deposit {act.reference} of login {act.login.number} credited by hand",
        lines=(ManualLine(account.balance_account_id, -act.amount), ManualLine(clearing, act.amount)),
    )
    asked = requests.submit(
        actor=person("fred"), action=MANUAL_JOURNAL, payload=payload, reason="The bank has confirmed it by telephone."
    )
    requests.approve(actor=person("fiona"), request_id=asked.pk, seen_hash=asked.payload_hash, reason="Seen.")


def fetch(key: str) -> None:
    """Dana fetches a deal that a break says is missing."""
    found = Break.objects.filter(klass="MISSING_IN_BOOKS", key=key, state__in=OPEN_STATES).first()
    if found is None:
        raise NotFound(f"The demo expected a missing deal {key}, and no break says so.")
    breaks.fetch(actor=person("dana"), break_id=found.pk)


def close_books(day: date) -> None:
    """Fiona closes the books of every entity through a day."""
    for entity_id in LegalEntity.objects.order_by("pk").values_list("pk", flat=True):
        periods.close_day(actor=person("fiona"), entity_id=entity_id, day=day, reason="day's end")


def start_the_morning(day: date, to_explain: str, to_write_off: str) -> None:
    """People take breaks, explain one, and two requests wait for approval; the last two are keys of breaks."""
    for role, username, count in _TAKERS:
        mine = _open(role)[:count]
        if mine:
            taker = User.objects.get(username=username)
            breaks.assign(actor=person(username), break_ids=[item.pk for item in mine], assignee_id=taker.pk)
    explained = Break.objects.get(key=to_explain)
    text = "The provider confirmed a bad tick; a corrected fill is promised."
    breaks.explain(actor=person("dana"), break_id=explained.pk, explanation=text)
    short = Break.objects.get(key=to_write_off)
    reason = "The correspondent bank's charge; not worth a claim."
    requests.submit(actor=person("fred"), action=WRITE_OFF, payload=WriteOff(short.pk, reason), reason=reason)
    _ask_for_journal(short.entity_id, day)


def _ask_for_journal(entity_id: int, day: date) -> None:
    amount = Decimal("1250.00")
    lines = (
        ManualLine(_house(entity_id, "clearing.unallocated", "EUR"), amount),
        ManualLine(_house(entity_id, "income.fees", "EUR"), -amount),
    )
    payload = ManualJournal("demo-waiting", entity_id, day, "Receipt recognised as licence fee income", lines)
    requests.submit(
        actor=person("frank"), action=MANUAL_JOURNAL, payload=payload, reason="Contract 2026/17, paid without text."
    )


def _open(role: str) -> Sequence[Break]:
    rows = Break.objects.filter(entity__code="CY", state__in=OPEN_STATES, owner_role=role)
    return list(rows.order_by("business_date", "klass", "key"))


def _house(entity_id: int, code: str, currency: str) -> int:
    return LedgerAccount.objects.get(entity_id=entity_id, code=code, currency_id=currency).pk
