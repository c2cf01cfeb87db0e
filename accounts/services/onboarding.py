"""From the application to the first deposit."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Client, ClientCategory, ClientStatus, KycResult, Reason, RestrictionKind
from accounts.selectors import activity
from accounts.services import steps
from accounts.services.locked import locked_client, user_id
from accounts.services.steps import NotReady
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError

_PASSED = frozenset({KycResult.Outcome.CLEAN, KycResult.Outcome.ACCEPTED})


class TwoNeeded(DomainError):
    """This client needs a second person."""


@transaction.atomic
def apply(*, actor: Actor, entity_id: int, number: str, name: str, country: str, email: str = "") -> Client:
    """Enter somebody who wants to become a client."""
    now = clock.now()
    client = Client.objects.create(
        entity_id=entity_id,
        number=number,
        name=name,
        country=country,
        email=email,
        category=ClientCategory.RETAIL,
        status=ClientStatus.APPLICATION,
        status_at=now,
        status_by_id=user_id(actor),
        opened_at=now,
    )
    audit.record(actor=actor, action="client.applied", target=client, data={"number": number})
    return client


@transaction.atomic
def start_check(*, actor: Actor, client_id: int) -> Client:
    """The applicant has agreed to the terms: the identity check begins, or begins anew with missing papers."""
    return _step(actor, client_id, ClientStatus.PENDING_KYC, Reason.KYC_RECHECK)


@transaction.atomic
def papers_complete(*, actor: Actor, client_id: int) -> Client:
    """All papers are there: somebody looks at them."""
    client = locked_client(client_id)
    if not client.documents.exists():
        raise NotReady("No document of this applicant is entered. Enter the papers first.")
    return steps.take_step(actor=actor, client=client, to=ClientStatus.KYC_REVIEW, reason=Reason.COMPLETED)


@transaction.atomic
def approve_alone(*, actor: Actor, client_id: int) -> Client:
    """Accept an applicant of ordinary risk."""
    client = locked_client(client_id)
    if _passed(client).enhanced:
        raise TwoNeeded("This client needs enhanced checks: ask for approval, and a second person agrees.")
    return steps.take_step(actor=actor, client=client, to=ClientStatus.APPROVED, reason=Reason.CLEARED)


@transaction.atomic
def approve(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Accept an applicant; behind four eyes."""
    client = locked_client(client_id)
    _passed(client)
    return steps.take_step(actor=actor, client=client, to=ClientStatus.APPROVED, reason=Reason(reason))


@transaction.atomic
def reject_alone(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Turn an applicant down who has no money here."""
    client = locked_client(client_id)
    if activity.holdings(client.pk):
        raise TwoNeeded("The applicant has money here: ask for approval, and a second person sees to the refund.")
    return steps.take_step(actor=actor, client=client, to=ClientStatus.REJECTED, reason=Reason(reason))


@transaction.atomic
def reject(*, actor: Actor, client_id: int, reason: str) -> Client:
    """Turn an applicant down; behind four eyes."""
    return _step(actor, client_id, ClientStatus.REJECTED, Reason(reason))


@transaction.atomic
def withdraw_application(*, actor: Actor, client_id: int) -> Client:
    """The applicant does not want to go on."""
    return _step(actor, client_id, ClientStatus.WITHDRAWN, Reason.CLIENT_REQUEST)


@transaction.atomic
def activate(*, actor: System, client_id: int) -> Client:
    """The first deposit is in the books: trading on. Refused while deposits are."""
    client = locked_client(client_id)
    off = (RestrictionKind.NO_DEPOSIT, RestrictionKind.FREEZE)
    if client.restrictions.filter(lifted_at=None, kind__in=off).exists():
        raise NotReady(f"Client {client.number} may not deposit. Have that restriction lifted first.")
    if not activity.funded([client.pk]):
        raise NotReady(f"Client {client.number} has no deposit in the books yet.")
    return steps.take_step(actor=actor, client=client, to=ClientStatus.ACTIVE, reason=Reason.FUNDED)


def _step(actor: Actor, client_id: int, to: ClientStatus, reason: Reason) -> Client:
    return steps.take_step(actor=actor, client=locked_client(client_id), to=to, reason=reason)


def _passed(client: Client) -> KycResult:
    steps.require_step(client, ClientStatus.APPROVED)
    latest = client.kyc_results.order_by("-pk").first()
    if latest is None or latest.outcome not in _PASSED:
        raise NotReady("No identity check of this applicant was passed. Record one first.")
    return latest
