"""Deposits before they are credited: what speaks for them, and whose an unallocated receipt could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat
from rapidfuzz import fuzz

from accounts.models import Client, PayoutReceipt
from accounts.selectors import visible
from backoffice.approvals.registry import Check, Level
from integrations.models import BankLine, Webhook
from integrations.records import PAYOUT_TOKEN_SQL
from payments.models import Evidence, MoneyRequest, Payee, RequestKind
from payments.models.requests import UNDONE_STATES

_FITS = 80
_CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A client whose receipt it may be, and why; `score` 0 to 100."""

    client: Client
    score: int
    why: str


def of_deposit(request: MoneyRequest) -> list[Check]:
    """What a computer can say about a deposit that people are to confirm."""
    return [_booked(request), _told(request), _twice(request), _may(request)]


def _booked(request: MoneyRequest) -> Check:
    rows = list(request.evidence.all())
    total = sum((row.amount for row in rows), Decimal(0))
    label = "Line of PSP or bank"
    if not rows:
        return Check(Level.AMBER, label, "no booked line brings the reference yet")
    names = ", ".join(f"{row.fact_kind} line {row.fact_id}" for row in rows)
    if total != request.amount:
        return Check(Level.RED, label, f"{names} say {total.normalize():f} {request.currency_id}")
    return Check(Level.GREEN, label, f"{names} over the same amount")


def _told(request: MoneyRequest) -> Check:
    found = Webhook.objects.filter(merchant_reference=request.reference, entity=request.entity_id)
    newest = found.filter(verdict="VERIFIED").order_by("-id").first()
    if newest is None:
        return Check(Level.AMBER, "Message of the PSP", "none came")
    good = newest.kind == "PAYMENT_APPROVED"
    says = f"{newest.kind.replace('_', ' ').lower()}, {newest.received_at:%Y-%m-%d %H:%M} UTC"
    return Check(Level.GREEN if good else Level.AMBER, "Message of the PSP", says)


def _twice(request: MoneyRequest) -> Check:
    same = MoneyRequest.objects.filter(
        client=request.client_id, kind=RequestKind.DEPOSIT, amount=request.amount, currency=request.currency_id
    ).exclude(state__in=UNDONE_STATES)
    others = list(same.exclude(pk=request.pk).order_by("-pk").values_list("reference", flat=True)[:5])
    says = f"same amount before: {', '.join(others)}" if others else "no other deposit of this amount"
    return Check(Level.AMBER if others else Level.GREEN, "Duplicate", says)


def _may(request: MoneyRequest) -> Check:
    against = visible.against(request.client_id)
    return Check(Level.AMBER if against else Level.GREEN, "Client", against or request.client.get_status_display())


def unallocated() -> QuerySet[BankLine]:
    """Receipts of banks that name no request, no payout of a PSP and no charge, and that nobody has taken."""
    taken = Evidence.objects.filter(fact_kind="bank", fact_id=OuterRef("pk"))
    marked = (
        Q(said__regex=r"\m[ACDFPTWX]-[0-9A-Z]{8}\M") | Q(said__regex=PAYOUT_TOKEN_SQL) | Q(bank_code__contains="CHRG")
    )
    said = Concat("end_to_end_id", Value(" "), "remittance", output_field=TextField())
    payouts = PayoutReceipt.objects.filter(bank_line_id=OuterRef("pk"))
    rows = BankLine.objects.filter(amount__gt=0).annotate(said=said).exclude(Exists(payouts))
    return rows.exclude(marked).exclude(Exists(taken.exclude(request__state__in=["REJECTED", "WITHDRAWN"])))


def suggestions(line: BankLine, fingerprint: str) -> list[Suggestion]:
    """Clients an unallocated receipt may belong to, best first: whose account it came from, whose number it names,
    whose name is like the sender's. `fingerprint` is that of the sender's account, empty where there is none."""
    found: dict[int, Suggestion] = {}
    here = Client.objects.filter(entity=line.entity_id, erased_at=None)
    if fingerprint:
        for payee in Payee.objects.filter(fingerprint=fingerprint, entity=line.entity_id).select_related("client"):
            found[payee.client_id] = Suggestion(payee.client, 100, "came from an account of this client")
    for client in here.filter(number__in=_words(line.remittance)).order_by("pk")[:5]:
        found.setdefault(client.pk, Suggestion(client, 95, f"the text names {client.number}"))
    for client in _alike(here, line.counterparty):
        score = int(fuzz.token_sort_ratio(client.name.casefold(), line.counterparty.casefold()))
        if score >= _FITS:
            found.setdefault(client.pk, Suggestion(client, score, f"names agree by {score} of 100"))
    return sorted(found.values(), key=lambda s: (-s.score, s.client.number))[:5]


def _words(text: str) -> list[str]:
    """The words of a text as they could be numbers of clients."""
    return [word.strip(".,;:/()").upper() for word in text.split()][:40]


def _alike(here: QuerySet[Client], sender: str) -> Sequence[Client]:
    """Clients whose name begins with a word of the sender's: an index finds them."""
    words = [word for word in sender.upper().replace(",", " ").split() if len(word) > 2][:4]
    if not words:
        return []
    begins = Q()
    for word in words:
        begins |= Q(name__istartswith=word)
    return list(here.filter(begins).order_by("pk")[:_CANDIDATES])
