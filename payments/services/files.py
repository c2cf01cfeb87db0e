"""Payment files: made behind four eyes from payouts that are ready, handed out once, refused whole while nobody has it.

    ready payouts -> batch (PAY asks) -> approved (FAP): the file is made and valid -> handed out (PAY): SENT

The bytes are made once. Handing out is the sending: from then on the bank may have them, so that a second time takes a
reason and gives the same bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db import transaction

from accounts.models import What
from accounts.services import restrictions
from backoffice.access.services import pairs
from backoffice.approvals.models import Part
from backoffice.approvals.models import Request as Approval
from backoffice.approvals.services import steps
from backoffice.approvals.services.refusals import SameEyes
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.selectors import currencies
from payments.adapters.letters import FORMAT
from payments.models import Payout
from payments.models.files import FileExport, FileScheme, FileState, OwnBank, PaymentFile, PaymentFileLine
from payments.records import BadFile
from payments.selectors import files
from payments.services import payouts
from payments.services.references import ALPHABET
from payments.services.sending import SEND
from payments.services.withdrawals import PAIR

_LATEST = timedelta(days=30)


class CannotMakeFile(DomainError):
    """These payouts do not make a file from this account."""


class AlreadyOut(DomainError):
    """The file was handed out before; the sentence says to whom and when."""


@dataclass(frozen=True, slots=True)
class FilePayment:
    """One payment as it was agreed to."""

    payout_id: int
    reference: str
    amount: Decimal


@transaction.atomic
def rehearse(
    *, actor: Actor, bank_id: int, scheme: str, execution_date: date, payments: tuple[FilePayment, ...]
) -> Sequence[Payout]:
    """Everything that `make` looks at, with the file built and held against the schema, and nothing kept."""
    bank = _bank(bank_id)
    waiting = files.waiting_elsewhere(bank.entity_id, [row.payout_id for row in payments])
    if waiting is not None:
        raise CannotMakeFile(f"Request #{waiting.pk} has one of these payouts already and waits for its approval.")
    rows = _payouts(actor, bank, payments)
    _content(bank, scheme, execution_date, rows, "REHEARSAL")
    return rows


@transaction.atomic
def make(
    *,
    actor: Actor,
    bank_id: int,
    scheme: str,
    execution_date: date,
    payments: tuple[FilePayment, ...],
    request_id: int,
) -> PaymentFile:
    """The file, with its payments taken from what waits. Runs behind four eyes; raises CannotMakeFile, Restricted."""
    bank = _bank(bank_id)
    rows = _payouts(actor, bank, payments)
    message_id = _message_id(bank)
    content = _content(bank, scheme, execution_date, rows, message_id)
    payouts.into_file(actor=actor, payout_ids=[row.pk for row in rows], file_reference=message_id)
    now = clock.now()
    file = PaymentFile.objects.create(
        entity_id=bank.entity_id,
        bank=bank,
        currency_id=bank.currency_id,
        scheme=scheme,
        message_id=message_id,
        batch_id=f"{message_id}-1",
        format=FORMAT,
        execution_date=execution_date,
        number=len(rows),
        total=sum((row.amount for row in rows), Decimal(0)),
        sha256=files.digest(content),
        content=content,
        made_by_id=Approval.objects.get(pk=request_id).maker_id,
        made_at=now,
        state_at=now,
        approval_id=request_id,
    )
    PaymentFileLine.objects.bulk_create(
        PaymentFileLine(file=file, payout=row, end_to_end_id=row.reference, amount=row.amount) for row in rows
    )
    data = {"message_id": message_id, "payments": file.number, "total": file.total, "sha256": file.sha256}
    audit.record(actor=actor, action="payments.file_made", target=file, data=data)
    return file


@transaction.atomic
def hand_out(*, actor: Person, file_id: int, reason: str = "") -> FileExport:
    """Note that the person takes the bytes; the first time the money is on its way. Raises AlreadyOut, SameEyes.

    `reason` hands the same bytes out again. A client under a restriction keeps the whole file here.
    """
    steps.require_fresh_factor(actor=actor)
    file = locked(actor=actor, file_id=file_id)
    _require_may_take(actor, file)
    before = file.exports.select_related("by").last()
    if file.state == FileState.REJECTED:
        raise AlreadyOut(f"{file.message_id} was refused: its money is the clients' again. Put together another file.")
    if before is not None and not reason.strip():
        who = before.by.get_full_name() or before.by.get_username()
        raise AlreadyOut(
            f"{who} took {file.message_id} out on {before.at:%Y-%m-%d at %H:%M} UTC, and the bank may have it. If it "
            "does not, say why it is handed out again: the bytes are the same."
        )
    assert files.digest(bytes(file.content)) == file.sha256, "the bytes of a payment file have changed"
    ids = list(file.lines.values_list("payout_id", flat=True))
    if before is None:
        clients = Payout.objects.filter(pk__in=ids).values_list("request__client_id", flat=True)
        restrictions.require_all_may(client_ids=set(clients), what=What.WITHDRAWAL)
    export = FileExport.objects.create(
        file=file,
        number=before.number + 1 if before else 1,
        at=clock.now(),
        by_id=actor.user_id,
        sha256=file.sha256,
        reason=reason.strip()[:300] if before else "",
    )
    if before is None:
        moved(file, FileState.SENT)
        payouts.file_sent(actor=actor, payout_ids=ids)
    data = {"export": export.number, "sha256": export.sha256, "reason": export.reason}
    audit.record(actor=actor, action="payments.file_handed_out", target=file, data=data)
    return export


@transaction.atomic
def discard(*, actor: Person, file_id: int, reason: str) -> PaymentFile:
    """A file that nobody has taken is not to be sent: its money is the clients' again."""
    file = locked(actor=actor, file_id=file_id)
    if file.state != FileState.MADE:
        raise AlreadyOut(
            f"{file.message_id} is {file.get_state_display()}: what has left is refused by the bank alone."
        )
    if not reason.strip():
        raise DomainError("Say why it is not sent: it is kept with every payment.")
    for line in file.lines.all():
        payouts.file_refused(actor=actor, reference=line.end_to_end_id, reason=f"not sent: {reason.strip()}")
    moved(file, FileState.REJECTED)
    audit.record(actor=actor, action="payments.file_discarded", target=file, data={"reason": reason.strip()})
    return file


def locked(*, actor: Actor, file_id: int) -> PaymentFile:
    """The file, locked, if the person works in its entity. Files are locked before requests."""
    file = PaymentFile.objects.select_for_update(of=("self",)).filter(pk=file_id).first()
    if file is None:
        raise NotFound("There is no such payment file.")
    if isinstance(actor, Person):
        steps.permit(actor=actor, permission="payments.view_paymentfile", entity_id=file.entity_id)
    return file


def moved(file: PaymentFile, to: FileState) -> PaymentFile:
    """Take a locked file one step on."""
    file.state, file.state_at = to, clock.now()
    file.save(update_fields=["state", "state_at"])
    return file


def _require_may_take(actor: Person, file: PaymentFile) -> None:
    """Who takes it out may send, did not approve it and had no hand in a payee."""
    steps.permit(actor=actor, permission=SEND, entity_id=file.entity_id)
    pairs.require_not_both(actor=actor, pair=PAIR, earlier=files.editors_of(file))
    if file.approval.participations.filter(person=actor.user_id, part=Part.APPROVER).exists():
        raise SameEyes("You approved this file yourself. Another person has to take it to the bank.")


def _bank(bank_id: int) -> OwnBank:
    found = files.own_banks().filter(pk=bank_id).first()
    if found is None:
        raise CannotMakeFile("How the account that pays is written has changed. Choose it again.")
    return found


def _payouts(actor: Actor, bank: OwnBank, payments: Sequence[FilePayment]) -> list[Payout]:
    """The payouts as they were agreed to, still ready, of clients to whom nothing is forbidden; oldest first."""
    wanted = {row.payout_id: row for row in payments}
    if not 0 < len(wanted) <= files.MOST or len(wanted) != len(payments):
        raise CannotMakeFile(f"A file has one to {files.MOST} payments, each once.")
    rows = list(files.ready().filter(pk__in=wanted).order_by("pk"))
    if len(rows) != len(wanted):
        raise CannotMakeFile("A payout of the batch is not ready any more. Reload the list and put it together again.")
    for row in rows:
        agreed = wanted[row.pk]
        if (row.reference, row.amount) != (agreed.reference, agreed.amount):
            raise CannotMakeFile(f"{row.reference} is not what was agreed to. Put the batch together again.")
        if (row.entity_id, row.currency_id) != (bank.entity_id, bank.currency_id):
            raise CannotMakeFile(f"{row.reference} is not of this account's entity and currency ({bank.currency_id}).")
    pairs.require_not_both(actor=actor, pair=PAIR, earlier=files.editors(list(wanted)))
    restrictions.require_all_may(client_ids={row.request.client_id for row in rows}, what=What.WITHDRAWAL)
    return rows


def _content(bank: OwnBank, scheme: str, execution_date: date, rows: Sequence[Payout], message_id: str) -> bytes:
    today = clock.today()
    if scheme not in FileScheme.values or not today <= execution_date <= today + _LATEST:
        raise CannotMakeFile("Choose SEPA or SWIFT, and a day of execution from today to thirty days on.")
    order = files.order(
        bank=bank,
        payouts=rows,
        exponent=currencies.exponent(bank.currency_id),
        message_id=message_id,
        at=clock.now(),
        execution_date=execution_date,
    )
    try:
        return files.BUILDERS[scheme](order)
    except BadFile as error:
        raise CannotMakeFile(str(error)) from error


def _message_id(bank: OwnBank) -> str:
    """Unique for ever, in letters that every bank takes, at most 33 of 35 with the batch's."""
    code = "".join(letter for letter in bank.entity.code.upper() if letter.isascii() and letter.isalnum())
    tail = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{code}-{clock.today():%Y%m%d}-{tail}"
