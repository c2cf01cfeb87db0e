"""What a client may not do for now: set by one person at once, reviewed by another, asked about by every service that
moves money. A restriction binds here from the moment it is stored, whether or not a trade server answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import NEUTRAL, Client, ClientStatus, Flag, Reason, Restriction, RestrictionKind, What
from accounts.models.flags import BLOCKING, RULES
from accounts.models.restrictions import FORBIDS
from accounts.services import desired, steps
from accounts.services.locked import locked_client, locked_clients, require_another, user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound

# Statuses in which there is nothing to give and nothing to take.
_SHUT = frozenset({ClientStatus.CLOSED, ClientStatus.ARCHIVED, ClientStatus.REJECTED, ClientStatus.WITHDRAWN})
_APPLYING = frozenset({ClientStatus.APPLICATION, ClientStatus.PENDING_KYC, ClientStatus.KYC_REVIEW})


class Restricted(DomainError):
    """The client may not do this now. The sentence is one that the client may be told."""


class UnderReview(DomainError):
    """A review of the client is not finished. The words are the same whatever the review is about."""


def require_may(*, client_id: int, what: What) -> Client:
    """The client's row, locked, if nothing forbids `what`; call it first in the transaction that does it.

    Raises Restricted. The words never tell a hidden cause from an open one: a review is asked about first, and what
    is said about it is the same for all kinds of review.
    """
    return require_all_may(client_ids=[client_id], what=what)[client_id]


def require_all_may(*, client_ids: Iterable[int], what: What) -> dict[int, Client]:
    """`require_may` for several clients at once, in as many queries as for one; by client."""
    clients = locked_clients(client_ids)
    forbidding = [kind for kind, rule in RULES.items() if what in rule.forbids]
    flags: dict[int, set[str]] = {}
    for pk, kind in Flag.objects.filter(client__in=clients, ended_at=None, kind__in=forbidding).values_list(
        "client_id", "kind"
    ):
        flags.setdefault(pk, set()).add(kind)
    kinds = [kind for kind, forbids in FORBIDS.items() if what in forbids]
    rows = Restriction.objects.filter(client__in=clients, lifted_at=None, kind__in=kinds).order_by("-pk")
    restricted = {row.client_id: row for row in rows}
    for pk, client in clients.items():
        _require_one(client, what, flags.get(pk, set()), restricted.get(pk))
    return clients


def _require_one(client: Client, what: What, flags: set[str], restricted: Restriction | None) -> None:
    if flags & set(BLOCKING):
        raise Restricted(f"No {what} for client {client.number}: {NEUTRAL}. Try again when the review is finished.")
    if client.status in _SHUT or (client.status in _APPLYING and what != What.NEW_ACCOUNT):
        raise Restricted(f"No {what} for client {client.number}: the client is {client.get_status_display()}.")
    if restricted is not None:
        label = restricted.get_kind_display()
        raise Restricted(f"No {what} for client {client.number}: {label}. The client's page says who can lift it.")
    if flags:
        raise Restricted(f"No {what} for client {client.number} at present. Use another way of payment.")


def require_no_review(client: Client) -> None:
    """Refuse while the client may not have money or rights back. Says nothing that the client must not learn."""
    if client.flags.filter(ended_at=None, kind__in=BLOCKING).exists():
        raise UnderReview(f"Client {client.number} is {NEUTRAL}. Try again when the review is finished.")


@transaction.atomic
def restrict(
    *,
    actor: Actor,
    client_id: int,
    kind: str,
    reason: str,
    account_id: int | None = None,
    expires_at: datetime | None = None,
) -> Restriction:
    """Set a restriction at once, on all logins of a client or on one. Somebody else reviews it within a day; with an
    expiry it ends by itself. Works while a server is silent, and in every status."""
    client = locked_client(client_id)
    kind, now = RestrictionKind(kind), clock.now()
    if account_id is not None and not client.trading_accounts.filter(pk=account_id).exists():
        raise NotFound("The client has no such login.")
    if expires_at is not None and expires_at <= now:
        raise DomainError("Choose an expiry that is still to come, or none.")
    if client.restrictions.filter(kind=kind, account_id=account_id, origin="", lifted_at=None).exists():
        raise DomainError(f"“{kind.label}” is in force already.")
    row = Restriction.objects.create(
        client=client,
        account_id=account_id,
        kind=kind,
        reason=Reason(reason),
        set_at=now,
        set_by_id=user_id(actor),
        review_due_at=now + timedelta(hours=steps.rule_for(client.entity_id).review_hours),
        expires_at=expires_at,
    )
    desired.align(actor=actor, client=client)
    data = {"restriction": row.pk, "kind": row.kind, "reason": row.reason, "account": account_id, "until": expires_at}
    audit.record(actor=actor, action="client.restricted", target=client, data=data)
    return row


@transaction.atomic
def confirm(*, actor: Actor, restriction_id: int, next_review_at: datetime) -> Restriction:
    """Somebody other than the setter has looked at a protective step and keeps it, until the next look."""
    row = _open(restriction_id)
    require_another(actor, {row.set_by_id} if row.set_by_id else set())
    if next_review_at <= clock.now():
        raise DomainError("Choose a day for the next review that is still to come.")
    same = Restriction.objects.filter(client=row.client_id, lifted_at=None, origin=row.origin)
    rows = same.exclude(origin="") if row.origin else same.filter(pk=row.pk)
    rows.exclude(set_by_id=user_id(actor)).update(
        reviewed_at=clock.now(), reviewed_by=user_id(actor), review_due_at=next_review_at, reminded_at=None
    )
    data = {"restriction": row.pk, "kind": row.kind, "next_review": next_review_at}
    audit.record(actor=actor, action="client.restriction_reviewed", target=row.client, data=data)
    row.refresh_from_db()
    return row


@transaction.atomic
def lift(*, actor: Actor, restriction_id: int, reason: str) -> Restriction:
    """End one restriction; behind four eyes. What came with the present status ends with that status."""
    row = _open(restriction_id)
    client = row.client
    require_another(actor, {row.set_by_id} if row.set_by_id else set())
    if row.origin == client.status:
        name = client.get_status_display()
        raise DomainError(f"This came with the status {name} and ends with it: make the client active again.")
    require_no_review(client)
    return end(actor=actor, row=row, reason=Reason(reason))


@transaction.atomic
def lift_trading(*, actor: Actor, restriction_id: int, reason: str) -> Restriction:
    """`lift` for “trading off” and “close only” alone; behind four eyes, one pair of which may be dealing's."""
    if not _open(restriction_id).is_of_dealing:
        raise DomainError("Dealing lifts “trading off” and “close only” that people set. Compliance lifts the rest.")
    return lift(actor=actor, restriction_id=restriction_id, reason=reason)


def end(*, actor: Actor, row: Restriction, reason: str) -> Restriction:
    """End an open restriction of a locked client; the logins follow."""
    row.lifted_at, row.lifted_by_id, row.lift_reason = clock.now(), user_id(actor), reason
    row.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
    desired.align(actor=actor, client=row.client)
    data = {"restriction": row.pk, "kind": row.kind, "reason": reason, "account": row.account_id}
    audit.record(actor=actor, action="client.restriction_ended", target=row.client, data=data)
    return row


def _open(restriction_id: int) -> Restriction:
    """The restriction with its client locked."""
    found = Restriction.objects.filter(pk=restriction_id).values_list("client_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such restriction.")
    client = locked_client(found)
    row = Restriction.objects.select_for_update().get(pk=restriction_id)
    row.client = client
    if not row.is_open:
        raise DomainError("The restriction has ended already. Reload the client's page.")
    return row
