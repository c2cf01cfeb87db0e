"""Files beside a request: small, kept by the hash of their content, of a kind that their first bytes prove."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.db import transaction

from backoffice.approvals.models import Attachment, Blob, Part, Request, State
from backoffice.approvals.services import steps
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError

LARGEST = 5 * 1024 * 1024  # bytes
MOST = 10
# Content type -> how such a file begins.
_BEGINNINGS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}
KINDS = (*_BEGINNINGS, "text/plain")


# Names as they were given, with contents.
Files = Sequence[tuple[str, bytes]]


def attach(*, actor: Person, request_id: int, name: str, content: bytes) -> Attachment:
    """Put a file beside one's own request, before anybody approved it: an approval covers what was there."""
    with transaction.atomic(durable=True):
        request = steps.opened(actor=actor, request_id=request_id, states=(State.PENDING,))
        if request.maker_id != actor.user_id:
            raise DomainError("Only the person who asked adds files.")
        if request.participations.filter(part=Part.APPROVER).exists():
            raise DomainError("Somebody has approved this already. Withdraw it and ask again with the file.")
        (file,) = put_all(actor=actor, request=request, files=[(name, content)])
        return file


def put_all(*, actor: Person, request: Request, files: Files) -> list[Attachment]:
    """Store files beside an open request in the caller's transaction: all of them or none."""
    if len(files) + (request.attachments.count() if files else 0) > MOST:
        raise DomainError(f"A request takes {MOST} files. Put several pages into one PDF.")
    return [_put(actor, request, name, content) for name, content in files]


def _put(actor: Person, request: Request, name: str, content: bytes) -> Attachment:
    kind, digest = kind_of(content), hashlib.sha256(content).hexdigest()
    if request.attachments.filter(blob=digest).exists():
        raise DomainError("This file is there already.")
    blob = Blob.objects.filter(pk=digest).first() or Blob.objects.create(hash=digest, content=content)
    file = Attachment.objects.create(
        request=request,
        blob=blob,
        name=_plain_name(name),
        content_type=kind,
        size=len(content),
        added_by_id=actor.user_id,
        added_at=clock.now(),
    )
    audit.record(actor=actor, action="approval.attached", target=request, data={"hash": digest, "kind": kind})
    return file


def kind_of(content: bytes) -> str:
    """The content type by the file's own first bytes; what a browser or a name claims is not asked."""
    if not 0 < len(content) <= LARGEST:
        raise DomainError(f"A file has between 1 byte and {LARGEST // 1024 // 1024} MB.")
    for kind, beginning in _BEGINNINGS.items():
        if content.startswith(beginning):
            return kind
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\x00"
    odd = any(ord(c) < ord(" ") and c not in "\t\r\n\f" for c in text)
    if odd or text.lstrip("\ufeff \t\r\n\f").startswith("<"):
        raise DomainError("Only PDF, PNG, JPEG and plain text are taken.")
    return "text/plain"


def _plain_name(name: str) -> str:
    """The last part of the name without what a file system or a header could take for something else."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c.isprintable() and c not in '"<>:|?*;').strip(". ")
    return kept[-120:] or "file"
