"""Payees: proposed by support, verified by compliance, replaced by another, retired. Never edited.

Who proposed or verified one neither approves nor sends a payment to it (forbidden pair 1): refused here, at the
approval and by PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from accounts.models import FlagKind
from accounts.services import flags
from accounts.services.kept import keep
from accounts.services.locked import locked_client, user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import Currency
from payments.models import MoneyRequest, Payee, PayeeKind, PayeeState
from payments.selectors.rules import rule_for
from payments.services.destinations import BadDestination, checked, fingerprint, name_match

_ROBOT = System("payments.payees")


class PayeeInUse(DomainError):
    """Withdrawals to the payee are under way."""


@transaction.atomic
def propose(
    *,
    actor: Actor,
    client_id: int,
    kind: str,
    currency: str,
    holder: str,
    details: Mapping[str, str],
    connection_id: int | None = None,
    replaces_id: int | None = None,
) -> Payee:
    """A destination that the client wants to be paid to; nothing is paid to it until somebody else has verified it."""
    client = locked_client(client_id)
    kind, holder = PayeeKind(kind), " ".join(holder.split())
    if not holder:
        raise BadDestination("Give the name of the holder as the client gave it.")
    if not Currency.objects.filter(code=currency).exists():
        raise BadDestination(f"The currency {currency!r} is not known.")
    if kind in (PayeeKind.CARD, PayeeKind.EWALLET) and connection_id is None:
        raise BadDestination("Choose the PSP at which the card or e-wallet is known.")
    found = checked(kind, details)
    digest = fingerprint(kind, found.identity)
    if Payee.objects.filter(client=client, fingerprint=digest, currency=currency).exclude(state="RETIRED").exists():
        raise DomainError("The client has this payee already.")
    if replaces_id is not None:
        _of_client(replaces_id, client_id)
    payee = Payee.objects.create(
        entity_id=client.entity_id,
        client=client,
        kind=kind,
        currency_id=currency,
        under_key=keep(client.pk, holder=holder, label=found.label, **found.details),
        fingerprint=digest,
        name_match=name_match(holder, client.name),
        connection_id=connection_id,
        replaces_id=replaces_id,
        proposed_by_id=user_id(actor),
        proposed_at=clock.now(),
    )
    data = {"client": client.pk, "kind": kind, "replaces": replaces_id, "name_match": payee.name_match}
    audit.record(actor=actor, action="payee.proposed", target=payee, data=data)
    return payee


@transaction.atomic
def verify(*, actor: Actor, payee_id: int, request_id: int | None = None) -> Payee:
    """A second person has compared it with the client's papers: from now on it may be paid to, and what it replaces
    may not. Runs behind four eyes; `request_id` is the approved request, and without it this is the rehearsal."""
    payee = locked_payee(payee_id)
    if payee.state != PayeeState.PROPOSED:
        raise DomainError(f"The payee is {payee.get_state_display()} already.")
    old = payee.replaces
    if old is not None and old.state != PayeeState.RETIRED:
        _retire(actor, Payee.objects.select_for_update(of=("self",)).get(pk=old.pk))
    if request_id is None:
        return payee
    payee.state, payee.verified_by_id, payee.verified_at = PayeeState.VERIFIED, user_id(actor), clock.now()
    payee.approval_id = request_id
    payee.save(update_fields=["state", "verified_by", "verified_at", "approval"])
    audit.record(actor=actor, action="payee.verified", target=payee, data={"client": payee.client_id})
    _flag(payee)
    return payee


@transaction.atomic
def retire(*, actor: Actor, payee_id: int) -> Payee:
    """Nothing more is paid to it; at once, by one person."""
    payee = locked_payee(payee_id)
    if payee.state == PayeeState.RETIRED:
        raise DomainError("The payee is retired already.")
    return _retire(actor, payee)


def locked_payee(payee_id: int) -> Payee:
    """The payee, locked behind its client. Raises NotFound."""
    found = Payee.objects.filter(pk=payee_id).values_list("client_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such payee.")
    client = locked_client(found)
    payee = Payee.objects.select_for_update(of=("self",)).select_related("replaces").get(pk=payee_id)
    payee.client = client
    return payee


def editors(payee: Payee) -> set[int]:
    """Who had a hand in it: they neither approve nor send a payment to it."""
    return {pk for pk in (payee.proposed_by_id, payee.verified_by_id) if pk is not None}


def _retire(actor: Actor, payee: Payee) -> Payee:
    waiting = MoneyRequest.objects.filter(payee=payee, ended_at=None).order_by("pk").first()
    if waiting is not None:
        raise PayeeInUse(
            f"{waiting.reference} goes to this payee and is {waiting.get_state_display()}. End that first."
        )
    payee.state, payee.retired_by_id, payee.retired_at = PayeeState.RETIRED, user_id(actor), clock.now()
    payee.save(update_fields=["state", "retired_by", "retired_at"])
    audit.record(actor=actor, action="payee.retired", target=payee, data={"client": payee.client_id})
    return payee


def _of_client(payee_id: int, client_id: int) -> Payee:
    found = Payee.objects.filter(pk=payee_id, client=client_id).first()
    if found is None or found.state == PayeeState.RETIRED or hasattr(found, "replaced_by"):
        raise DomainError("Only a payee of the same client that is in use can be replaced, and only once.")
    return found


def _flag(payee: Payee) -> None:
    """The client carries a mark for as long as the payee is young; one that is there already stays."""
    days = rule_for(payee.entity_id).cool_off_days
    if days and not payee.client.flags.filter(kind=FlagKind.PAYEE_CHANGED, ended_at=None).exists():
        flags.set_flag(actor=_ROBOT, client_id=payee.client_id, kind=FlagKind.PAYEE_CHANGED, days=days)
