"""Notes, documents and results of identity checks: added, never changed."""

from __future__ import annotations

from datetime import date

from django.db import transaction

from accounts.models import Document, KycResult, Note
from accounts.services.kept import keep
from accounts.services.locked import locked_client, user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError


@transaction.atomic
def add_note(*, actor: Actor, client_id: int, text: str, confidential: bool = False) -> Note:
    """Write something down about a client. It cannot be changed or taken back."""
    if not text.strip():
        raise DomainError("The note is empty. Write what the next reader should know.")
    client = locked_client(client_id)
    note = Note.objects.create(
        client=client,
        at=clock.now(),
        by_id=user_id(actor),
        under_key=keep(client.pk, text=text.strip()),
        confidential=confidential,
    )
    # The log does not say which notes are confidential, or it would say that there are some.
    audit.record(actor=actor, action="client.noted", target=note, entity_id=client.entity_id)
    return note


@transaction.atomic
def add_document(
    *,
    actor: Actor,
    client_id: int,
    kind: str,
    name: str,
    sha256: str = "",
    expires_date: date | None = None,
) -> Document:
    """Enter a paper that was handed in; `sha256` (hex) is over its bytes, which are kept elsewhere."""
    client = locked_client(client_id)
    document = Document.objects.create(
        client=client,
        kind=Document.Kind(kind),
        under_key=keep(client.pk, name=name, sha256=sha256),
        received_at=clock.now(),
        expires_date=expires_date,
    )
    data = {"document": document.pk, "kind": document.kind, "expires": expires_date, **keep(client.pk, name=name)}
    audit.record(actor=actor, action="client.document_added", target=client, data=data)
    return document


@transaction.atomic
def record_kyc(
    *,
    actor: Actor,
    client_id: int,
    provider: str,
    outcome: str,
    risk: str,
    reference: str = "",
    is_pep: bool = False,
    is_company: bool = False,
    next_review_date: date | None = None,
) -> KycResult:
    """Record how an identity check came out. The flag for PEP or high risk is set by compliance beside it."""
    client = locked_client(client_id)
    result = KycResult.objects.create(
        client=client,
        at=clock.now(),
        by_id=user_id(actor),
        provider=provider,
        under_key=keep(client.pk, reference=reference),
        outcome=KycResult.Outcome(outcome),
        risk=KycResult.Risk(risk),
        is_pep=is_pep,
        is_company=is_company,
        next_review_date=next_review_date,
    )
    audit.record(
        actor=actor, action="client.kyc_recorded", target=client, data={"kyc": result.pk, "outcome": result.outcome}
    )
    return result
