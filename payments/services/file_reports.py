"""A bank's status report (pain.002) on a payment file of ours: refused payments are the clients' again.

Payments are joined by EndToEndId inside the message that the report names. What the file does not have, what differs
in amount and what was paid already by a line in the books is named and does nothing. A report that comes twice, or
says what another said, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import IO

from django.db import transaction

from accounts.services.locked import user_id
from backoffice.approvals.services import steps
from backoffice.approvals.services.refusals import SameEyes
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from payments.adapters import pain002
from payments.models import Payout, PayoutState, RequestState
from payments.models.files import FileState, LineStatus, PaymentFile, PaymentFileLine, StatusReport
from payments.records import BadFile, TransferStatus
from payments.records import StatusReport as Said
from payments.selectors import files
from payments.services import payouts
from payments.services.files import locked, moved

IMPORT = "payments.import_statusreport"
# ISO 20022 external status reasons met most; any other code stands as it came.
WORDS: Mapping[str, str] = {
    "AC01": "wrong account number",
    "AC03": "wrong account of the payee",
    "AC04": "closed account",
    "AC06": "blocked account",
    "AG01": "payment not allowed on this account",
    "AM04": "not enough money",
    "AM05": "duplicate",
    "BE01": "name and account do not fit",
    "BE04": "address of the payee is missing",
    "FF01": "the file is not in the right form",
    "MD07": "the payee has died",
    "MS03": "no reason given",
    "RC01": "wrong BIC",
    "RR03": "name or address of the payee is missing",
}
_PAID = "a line of the bank in the books says that it was paid; compare the statement"

_REFUSED_BEFORE = "it was refused before and the money given back; ask the bank which of the two is true"


class BadReport(DomainError):
    """The report cannot be read, or is about no file of ours."""


def take(*, actor: Actor, stream: IO[bytes]) -> StatusReport:
    """Read a report and do what it says. The same bytes again give the report that is known. Raises BadReport."""
    content = stream.read(pain002.MOST + 1)
    try:
        said = pain002.read(BytesIO(content))
    except BadFile as error:
        raise BadReport(str(error)) from error
    return _take(actor=actor, content=content, said=said)


@transaction.atomic
def _take(*, actor: Actor, content: bytes, said: Said) -> StatusReport:
    file = _file(actor, said)
    sha256 = files.digest(content)
    known = StatusReport.objects.filter(sha256=sha256).first()
    if known is not None:
        return known
    lines = {line.end_to_end_id: line for line in file.lines.select_related("payout__request")}
    _require_same_order(file, said)
    told = _each(said, file, lines)
    unknown = sorted(set(told) - set(lines))
    refused, conflicts = [], []
    for line in lines.values():
        status = told.get(line.end_to_end_id)
        if status is None:
            continue
        against = _against(line, status)
        if against:
            conflicts.append(f"{line.end_to_end_id}: {against}")
            del told[line.end_to_end_id]
        elif status.status == pain002.REFUSED:
            payouts.file_refused(actor=actor, reference=line.end_to_end_id, reason=said_of(status.reasons, status.text))
            refused.append(line.end_to_end_id)
    report = StatusReport.objects.create(
        file=file,
        sha256=sha256,
        content=content,
        message_id=said.message_id,
        status=said.status,
        reasons=list(said.reasons),
        unknown=unknown,
        conflicts=conflicts,
        at=clock.now(),
        by_id=user_id(actor),
    )
    LineStatus.objects.bulk_create(
        LineStatus(report=report, line=line, status=told[key].status, reasons=list(told[key].reasons))
        for key, line in lines.items()
        if key in told
    )
    _move(file, said, told)
    data = {"file": file.message_id, "status": said.status, "refused": refused, "unknown": len(unknown)}
    audit.record(actor=actor, action="payments.report_taken", target=report, entity_id=file.entity_id, data=data)
    return report


def said_of(reasons: Sequence[str], text: str = "") -> str:
    """Codes with their words, and what the bank adds."""
    codes = ", ".join(f"{code} {WORDS[code]}" if code in WORDS else code for code in reasons)
    return ": ".join(
        part for part in (f"refused by the bank ({codes})" if codes else "refused by the bank", text) if part
    )


def _file(actor: Actor, said: Said) -> PaymentFile:
    """The file the report names, locked. Who took it to the bank does not say what the bank answered."""
    found = PaymentFile.objects.filter(message_id=said.order_id)
    if isinstance(actor, Person):
        found = found.filter(entity__in=scope.entity_ids(_user(actor)))
    pk = found.values_list("pk", flat=True).first()
    if pk is None:
        raise BadReport(f"No payment file of ours is called {said.order_id[:40]!r} (OrgnlMsgId). Nothing was changed.")
    file = locked(actor=actor, file_id=pk)
    if isinstance(actor, Person):
        scope.require(_user(actor), IMPORT)
        if file.exports.filter(by=actor.user_id).exists():
            raise SameEyes(f"You took {file.message_id} to the bank yourself. Another person imports its answer.")
    if not file.exports.exists():
        raise BadReport(f"{file.message_id} was never handed out, so no bank can have it. Ask who sent this report.")
    return file


def _user(actor: Person) -> User:
    return steps.user_of(actor=actor)


def _require_same_order(file: PaymentFile, said: Said) -> None:
    number, total = said.number, said.total
    if (number is not None and number != file.number) or (total is not None and total != file.total):
        raise BadReport(
            f"The report speaks of {number} payments over {total}, {file.message_id} has {file.number} over "
            f"{file.total.normalize():f}. Nothing was changed; ask the bank."
        )


def _each(said: Said, file: PaymentFile, lines: Mapping[str, PaymentFileLine]) -> dict[str, TransferStatus]:
    """What it says of each payment: of itself, else of its batch, else of the whole message where that is refused."""
    found: dict[str, TransferStatus] = {}
    whole = [(said.status, said.reasons)] if said.status == pain002.REFUSED else []
    whole += [(status, reasons) for batch, status, reasons in said.batches if batch == file.batch_id]
    for status, reasons in whole:
        if status == pain002.REFUSED:
            found.update({key: TransferStatus(key, status, reasons) for key in lines})
    for row in said.transfers:
        if not row.status:
            continue
        before = found.get(row.end_to_end_id)
        # Said twice in one report: a refusal is kept, because a payment that was refused once was not made.
        if before is None or before.status != pain002.REFUSED or row.status == pain002.REFUSED:
            found[row.end_to_end_id] = row
    return found


def _against(line: PaymentFileLine, said: TransferStatus) -> str:
    """Why what is said cannot be of this payment."""
    payout = Payout.objects.select_related("request").get(pk=line.payout_id)
    if said.amount is not None and (said.amount, said.currency) != (line.amount, payout.currency_id):
        ours = f"{line.amount.normalize():f} {payout.currency_id}"
        return f"the report says {said.amount} {said.currency}, we ordered {ours}"
    if said.status == pain002.REFUSED and (
        payout.state == PayoutState.PAID
        or payout.request.state == RequestState.DONE
        or payout.request.evidence.filter(amount__lt=0).exists()
    ):
        return _PAID
    if said.status in pain002.TAKEN and payout.state in (PayoutState.FAILED, PayoutState.RETURNED):
        return _REFUSED_BEFORE
    return ""


def _move(file: PaymentFile, said: Said, told: Mapping[str, TransferStatus]) -> None:
    """Where the file stands after all its reports: refused, in part, accepted, or as it was."""
    refused = LineStatus.objects.filter(line__file=file, status=pain002.REFUSED).values("line").distinct().count()
    taken = said.status in pain002.TAKEN or any(row.status in pain002.TAKEN for row in told.values())
    to = FileState.ACCEPTED if taken else FileState(file.state)
    if refused:
        to = FileState.REJECTED if refused == file.number else FileState.PARTLY
    if to != file.state and not (to == FileState.ACCEPTED and file.state != FileState.SENT):
        moved(file, to)
