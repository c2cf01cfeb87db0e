"""What payment files are made of: the accounts of the house they pay from, and the order as an adapter takes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from django.db.models import Exists, OuterRef, QuerySet

from accounts.selectors.kept import reveal
from backoffice.approvals.models import OPEN
from backoffice.approvals.models import Request as Approval
from backoffice.organisation.models import LegalEntity
from ledger.models import LedgerAccount
from payments.adapters import pain001, pain001_sepa
from payments.models import Payee, Payout, PayoutState, PayoutWay, RequestState
from payments.models.files import FileScheme, FileState, OwnBank, PaymentFile
from payments.records import Order, Party, Transfer

MAKE = "payments.make_file"
BUILDERS: Mapping[str, Callable[[Order], bytes]] = {
    FileScheme.SEPA: pain001_sepa.build,
    FileScheme.SWIFT: pain001.build,
}
# One file is one upload; banks take at most so many payments in one.
MOST = 500


def ready() -> QuerySet[Payout]:
    """Payouts that wait to be put into a file."""
    return Payout.objects.filter(
        way=PayoutWay.FILE, state=PayoutState.READY, request__state=RequestState.TO_PAY
    ).select_related("request__client", "payee", "entity")


def own_banks() -> QuerySet[OwnBank]:
    """The versions that hold: the newest of each account in the books."""
    newer = OwnBank.objects.filter(account=OuterRef("account"), pk__gt=OuterRef("pk"))
    return OwnBank.objects.filter(~Exists(newer)).select_related("entity", "account")


def bank_accounts() -> QuerySet[LedgerAccount]:
    """Accounts at banks in the books: each is opened by the first line of its statement."""
    return LedgerAccount.objects.filter(code__startswith="bank.", closed_at=None).select_related("entity")


def waiting_elsewhere(entity_id: int, payout_ids: Sequence[int]) -> Approval | None:
    """A batch that waits for its approval and has one of these payouts already."""
    wanted = set(payout_ids)
    for request in Approval.objects.filter(action=MAKE, entity=entity_id, state__in=OPEN).order_by("pk"):
        if wanted & {row["payout_id"] for row in request.payload["payments"]}:
            return request
    return None


def order(
    *, bank: OwnBank, payouts: Sequence[Payout], exponent: int, message_id: str, at: datetime, execution_date: date
) -> Order:
    """The order these payouts make, in the clear."""
    reveal([row.payee for row in payouts])
    house = LegalEntity.objects.get(pk=bank.entity_id).name
    return Order(
        message_id=message_id,
        batch_id=f"{message_id}-1",
        created_at=at,
        execution_date=execution_date,
        currency=bank.currency_id,
        exponent=exponent,
        payer=_payer(bank),
        charges=bank.charges,
        transfers=[
            Transfer(row.reference, row.amount, _payee(row.payee), f"{row.reference} {house}") for row in payouts
        ],
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def editors_of(file: PaymentFile) -> set[int | None]:
    """Who had a hand in one of its payees."""
    return editors([line.payout_id for line in file.lines.all()])


def editors(payout_ids: Sequence[int]) -> set[int | None]:
    """The same by payouts; they neither approve nor send payments to what they edited."""
    rows = Payee.objects.filter(payouts__in=payout_ids).values_list("proposed_by", "verified_by")
    return {person for row in rows for person in row if person is not None}


def _payer(bank: OwnBank) -> Party:
    return Party(
        name=bank.holder,
        iban=bank.iban,
        number=bank.number,
        bic=bank.bic,
        town=bank.town,
        country=bank.country,
        lines=[bank.street] if bank.street else [],
        clearing_system=bank.clearing_system,
        clearing_member=bank.clearing_member,
    )


def _payee(payee: Payee) -> Party:
    said = payee.details
    return Party(
        name=payee.holder,
        iban=said.get("iban", ""),
        number=said.get("account", ""),
        bic=said.get("bic", ""),
        town=said.get("town", ""),
        country=said.get("country", ""),
    )


def next_step(file: PaymentFile) -> str:
    """What has to happen next with a file, and who does it; empty when the bank has taken all of it."""
    return {
        FileState.MADE: "Payments hands it out and gives it to the bank; not by the hand of who approved it.",
        FileState.SENT: "Waits for the bank: import its pain.002, or the statement with the payments.",
        FileState.PARTLY: "The bank refused some; their money is the clients' again. Another way is another request.",
        FileState.REJECTED: "Nothing: the money of its payments is the clients' again. Another way is another request.",
    }.get(FileState(file.state), "")
