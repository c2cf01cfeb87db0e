"""Chargeback cases: opened by what a provider says or by hand, moved forward by what happens, never back.

Everything that happens is kept as an event, once; what is old or known changes nothing. When a dispute is notified or
money is taken, the client is flagged and kept from withdrawing at once; only people lift that again. Nothing is booked
here: services/case_posting.py does, behind four eyes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import Client, FlagKind, Reason, RestrictionKind
from accounts.services import flags, restrictions
from accounts.services.kept import keep
from accounts.services.locked import locked_client
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.kernel.locking import Lock
from backoffice.kernel.money import Money, fits
from backoffice.organisation.selectors import currencies
from integrations.models import Connection
from payments.models import CaseEvent, CaseState, ChargebackCase, EventSource, MoneyRequest, RequestKind
from payments.models.chargebacks import BLOCKING_REFUND, ENDS, ENDS_THAT_OPEN, PROTECTING, QUIET, legal
from payments.selectors.cases import payment
from payments.services.machine import BadAmount, IllegalStep

ROBOT = System("payments.chargebacks")
NOTE = "NOTE"
_S = CaseState
# What a person may open a case as; the rest is where cases go.
BEGINNINGS = (_S.INQUIRY, _S.FRAUD_NOTICE, _S.NOTIFIED, _S.CHARGED_BACK)
_TAKES = frozenset({_S.CHARGED_BACK, _S.SECOND_ROUND})
# Nothing has to be handed in any more, unless the provider names a new deadline.
_NO_DEADLINE = frozenset({_S.DEFENDED, _S.REVERSED, *ENDS})
# Columns with the provider's newest words, and what fits in.
_LONGEST = {"reason_code": 20, "reason_text": 200, "method": 40, "mid": 80}
# One reader of messages and lines, or one person opening a case, at a time.
LOCK = "payments.cases"


class KnownCase(DomainError):
    """There is a case of this dispute already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a dispute is about, as far as it is known; empty where it is not."""

    entity_id: int
    connection_id: int
    dispute_reference: str = ""
    psp_reference: str = ""
    deposit: MoneyRequest | None = None
    client_id: int | None = None
    our_reference: str = ""
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing that was said about it. `state` None: it moves nothing. `source_id` names message or line."""

    kind: str
    state: CaseState | None
    happened_at: datetime
    source: EventSource = EventSource.PERSON
    source_id: int | None = None
    amount: Money | None = None
    deadline_at: datetime | None = None
    reason_code: str = ""
    reason_text: str = ""
    method: str = ""
    mid: str = ""
    words: str = ""
    text: str = ""


@transaction.atomic
def open_case(*, actor: Actor, about: About, said: Said) -> ChargebackCase:
    """A case by hand, of a client. Raises KnownCase, NotFound, BadAmount."""
    locking.advisory(Lock.JOB, LOCK)
    assert about.client_id is not None and said.amount is not None and said.state in BEGINNINGS
    client = locked_client(about.client_id)
    source = Connection.objects.filter(pk=about.connection_id, entity=client.entity_id).first()
    if source is None or about.entity_id != client.entity_id:
        raise NotFound("There is no such provider in the client's legal entity.")
    _require_amount(said.amount)
    _require_deposit(about.deposit, client.pk)
    same = ChargebackCase.objects.filter(connection=source, dispute_reference=about.dispute_reference).first()
    if about.dispute_reference and same is not None:
        raise KnownCase(f"There is a case of this dispute: {same}. Work on that one.")
    paid = payment(client.entity_id, [about.psp_reference]) if about.psp_reference else None
    if paid is not None:
        # What the provider's report says of the payment, and the person did not.
        about = replace(about, paid_at=about.paid_at or paid.booked_at)
        said = replace(said, method=said.method or paid.method)
    return _open(actor, about, said)


def find(about: About) -> ChargebackCase | None:
    """The case of this dispute: by the dispute's name, else one by hand that has none yet, by the payment's."""
    rows = ChargebackCase.objects.filter(entity=about.entity_id)
    if about.dispute_reference:
        named = rows.filter(dispute_reference=about.dispute_reference)
        found = named.filter(connection=about.connection_id).first() or named.order_by("-pk").first()
        if found is not None:
            return found
        rows = rows.filter(dispute_reference="")
    if not about.psp_reference:
        return None
    same = rows.filter(psp_reference=about.psp_reference)
    return same.exclude(state=_S.FRAUD_NOTICE).order_by("-pk").first() or same.order_by("-pk").first()


def hear(*, actor: Actor, about: About, said: Said) -> ChargebackCase:
    """Take in what a provider says. The same message or line twice is the same event."""
    locking.require_transaction()
    locking.advisory(Lock.JOB, LOCK)
    assert said.source_id is not None, "what a provider says has a place"
    known = CaseEvent.objects.filter(source=said.source, source_id=said.source_id).select_related("case").first()
    if known is not None:
        return known.case
    found = find(about)
    if found is None:
        if about.client_id is not None:
            locked_client(about.client_id)
        return _open(actor, about, said)
    if found.client_id is None and about.client_id is not None:
        locked_client(about.client_id)
    case = locked(case_id=found.pk)
    _learn(case, about)
    return _take(actor, case, said)


def locked(*, case_id: int) -> ChargebackCase:
    """The case, locked behind its client. Raises NotFound."""
    found = ChargebackCase.objects.filter(pk=case_id).values_list("client_id", flat=True)
    if not found:
        raise NotFound("There is no such chargeback case.")
    if found[0] is not None:
        locked_client(found[0])
    return ChargebackCase.objects.select_for_update(of=("self",)).get(pk=case_id)


@transaction.atomic
def move(*, actor: Actor, case_id: int, to: str, text: str, deadline_at: datetime | None = None) -> ChargebackCase:
    """A person says where a case stands: evidence was sent, the loss is accepted, the scheme has decided."""
    case, after = locked(case_id=case_id), CaseState(to)
    if not legal(case.state, after):
        raise IllegalStep(f"{case} is {case.get_state_display()}; it does not become {after.label} from there.")
    said = Said(kind=after, state=after, happened_at=clock.now(), deadline_at=deadline_at, text=text)
    return _take(actor, case, said)


@transaction.atomic
def note(*, actor: Actor, case_id: int, text: str, deadline_at: datetime | None = None) -> ChargebackCase:
    """Words about a case, or the deadline as the provider's pages show it."""
    case = locked(case_id=case_id)
    return _take(actor, case, Said(kind=NOTE, state=None, happened_at=clock.now(), deadline_at=deadline_at, text=text))


@transaction.atomic
def assign(*, actor: Actor, case_id: int, client_id: int, deposit_id: int | None, text: str) -> ChargebackCase:
    """Say whose payment it was, where the provider's references did not."""
    locking.advisory(Lock.JOB, LOCK)
    client = locked_client(client_id)
    case = locked(case_id=case_id)
    if case.client_id is not None:
        raise DomainError(f"{case} belongs to client {case.client.number if case.client else ''} already.")
    if client.entity_id != case.entity_id:
        raise NotFound("There is no such client in the case's legal entity.")
    deposit = MoneyRequest.objects.filter(pk=deposit_id).first() if deposit_id is not None else None
    _require_deposit(deposit, client.pk)
    about = About(entity_id=case.entity_id, connection_id=case.connection_id, client_id=client.pk, deposit=deposit)
    _learn(case, about)
    _take(actor, case, Said(kind=NOTE, state=None, happened_at=clock.now(), text=text))
    if CaseState(case.state) in BLOCKING_REFUND - {_S.REVERSED}:
        protect(client.pk)
    return case


def protect(client_id: int) -> None:
    """Flag a locked client and stop withdrawals. People lift both; nothing does by itself."""
    client = Client.objects.get(pk=client_id)
    if not client.flags.filter(kind=FlagKind.CHARGEBACK_RISK, ended_at=None).exists():
        flags.set_flag(actor=ROBOT, client_id=client_id, kind=FlagKind.CHARGEBACK_RISK)
    none = RestrictionKind.NO_WITHDRAWAL
    if not client.restrictions.filter(kind=none, account=None, origin="", lifted_at=None).exists():
        restrictions.restrict(actor=ROBOT, client_id=client_id, kind=none, reason=Reason.PAYMENT_DISPUTE)


def _open(actor: Actor, about: About, said: Said) -> ChargebackCase:
    now = clock.now()
    state = said.state or _S.INQUIRY
    at = min(said.happened_at, now)
    case = ChargebackCase.objects.create(
        entity_id=about.entity_id,
        connection_id=about.connection_id,
        dispute_reference=about.dispute_reference,
        state=state,
        opened_at=at,
        state_at=at,
        ended_at=at if state in ENDS else None,
        **_amount(said),
    )
    _learn(case, about)
    return _take(actor, case, said, opening=True)


def _learn(case: ChargebackCase, about: About) -> None:
    """Fill in what was not known before; nothing that is known is replaced."""
    client_id = about.deposit.client_id if about.deposit is not None else about.client_id
    known: dict[str, Any] = {
        "client_id": client_id,
        "deposit": about.deposit if case.client_id in (None, client_id) else None,
        "dispute_reference": about.dispute_reference[:80],
        "psp_reference": about.psp_reference[:80] or (about.deposit.psp_reference if about.deposit else ""),
        "our_reference": about.our_reference or (about.deposit.reference if about.deposit else ""),
        "paid_at": about.paid_at or (about.deposit.asked_at if about.deposit else None),
    }
    for name, value in known.items():
        if value and not getattr(case, name):
            setattr(case, name, value)


def _take(actor: Actor, case: ChargebackCase, said: Said, *, opening: bool = False) -> ChargebackCase:
    """One thing about a locked case: its event, and the step where it is one."""
    now = clock.now()
    at = min(said.happened_at, now)
    before = "" if opening else case.state
    moved = opening or _moves(case, said.state, at)
    if moved and said.state is not None and not opening:
        case.state, case.state_at = said.state, max(case.state_at, at)
        case.ended_at = case.state_at if said.state in ENDS else None
    if said.state in _TAKES and case.taken_at is None:
        case.taken_at = at
    _details(case, said, moved)
    case.save()
    CaseEvent.objects.create(
        case=case, client_id=case.client_id, kind=said.kind[:15], source=said.source, source_id=said.source_id,
        before=before, after=case.state, happened_at=at, seen_at=now, actor=actor.label[:150],
        amount=said.amount.amount if said.amount else None, currency=said.amount.currency if said.amount else "",
        said=(said.words or said.reason_text)[:200], under_key=_words(case, said.text),
    )  # fmt: skip
    audit.record(
        actor=actor,
        action=f"chargeback.{case.state.lower()}" if moved else "chargeback.noted",
        target=case,
        data={"before": before, "said": said.kind, "source": f"{said.source}:{said.source_id or ''}"},
    )
    fresh = case.state in PROTECTING or (before in QUIET and case.state in BLOCKING_REFUND - {_S.REVERSED})
    if moved and fresh and case.client_id is not None:
        protect(case.client_id)
    return case


def _moves(case: ChargebackCase, to: CaseState | None, at: datetime) -> bool:
    if to is None or not legal(case.state, to):
        return False
    return case.state not in ENDS_THAT_OPEN or at > case.state_at


def _details(case: ChargebackCase, said: Said, moved: bool) -> None:
    """The provider's newest word on amount, reason and deadline."""
    if said.amount is not None and (moved or case.amount is None) and not case.postings.exists():
        for name, value in _amount(said).items():
            setattr(case, name, value)
    for name in _LONGEST:
        value = getattr(said, name)[: _LONGEST[name]]
        if value and (moved or not getattr(case, name)):
            setattr(case, name, value)
    by_hand = said.source == EventSource.PERSON
    if said.deadline_at is not None and (moved or by_hand or case.deadline_at is None):
        case.deadline_at = said.deadline_at
    elif moved and case.state in _NO_DEADLINE:
        case.deadline_at = None


def _amount(said: Said) -> dict[str, Any]:
    if said.amount is None:
        return {}
    return {"amount": said.amount.amount, "currency_id": said.amount.currency}


def _words(case: ChargebackCase, text: str) -> dict[str, dict[str, str]]:
    if not text.strip():
        return {}
    if case.client_id is None:
        raise DomainError("Say first whose payment it was: words about a case are kept with the client's data.")
    return keep(case.client_id, text=text.strip())


def _require_amount(amount: Money) -> None:
    if amount.amount <= 0 or not fits(amount.amount, currencies.exponent(amount.currency)):
        raise BadAmount(f"{amount.amount} {amount.currency} is no amount to dispute. Write it as the provider does.")


def _require_deposit(deposit: MoneyRequest | None, client_id: int) -> None:
    if deposit is not None and (deposit.client_id != client_id or deposit.kind != RequestKind.DEPOSIT):
        raise NotFound("The client has no such deposit.")
