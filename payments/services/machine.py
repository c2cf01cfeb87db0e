"""The one way a request comes about and goes on: lock, check the step, write the row, its event and the audit entry.

    request = machine.start(actor=..., kind=RequestKind.TRANSFER, client=client, amount=Money(...), source_wallet=w)
    request = machine.locked(request_id=...)             # the client first, then the request
    machine.move(actor=..., request=request, to=RequestState.DONE, data={"journal": 17})

PostgreSQL has the same steps and refuses all others (sql/requests.sql); a step without its event does not commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.models import Client
from accounts.services.kept import keep
from accounts.services.locked import locked_client, user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.kernel.money import Money, fits
from backoffice.kernel.plain import plain
from backoffice.organisation.selectors import currencies
from payments.models import MoneyRequest, RequestEvent, RequestKind, RequestState
from payments.models.requests import OPEN_STATES, legal
from payments.services.references import new_reference


class IllegalStep(DomainError):
    """The request is somewhere else by now. Nothing was changed."""


class BadAmount(DomainError):
    """An amount that the currency does not have."""


def start(
    *,
    actor: Actor,
    kind: str,
    client: Client,
    amount: Money,
    reference: str = "",
    text: str = "",
    public: str = "",
    data: Mapping[str, Any] | None = None,
    **fields: Any,
) -> MoneyRequest:
    """A new request in the state ASKED, of a client that is locked. `fields` are columns of the row; `text` stays in
    the house, `public` may be read by the client."""
    locking.require_transaction()
    kind = RequestKind(kind)
    if not fits(amount.amount, currencies.exponent(amount.currency)):
        raise BadAmount(f"{amount.currency} has fewer decimal places than {amount.amount}.")
    now = clock.now()
    request = MoneyRequest.objects.create(
        reference=reference or new_reference(kind.value),
        kind=kind,
        entity_id=client.entity_id,
        client=client,
        state=RequestState.ASKED,
        amount=amount.amount,
        currency_id=amount.currency,
        asked_by_id=user_id(actor),
        asked_at=now,
        state_at=now,
        **fields,
    )
    _note(actor, request, "", _Said(text, public, data or {}))
    return request


def locked(*, request_id: int) -> MoneyRequest:
    """The request, locked behind its client. Raises NotFound."""
    found = MoneyRequest.objects.filter(pk=request_id).values_list("client_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such request for money.")
    client = locked_client(found)
    request = MoneyRequest.objects.select_for_update(of=("self",)).get(pk=request_id)
    request.client = client
    return request


def locked_by_reference(*, reference: str) -> MoneyRequest | None:
    """The same by reference; None where nobody knows it."""
    found = MoneyRequest.objects.filter(reference=reference).values_list("pk", flat=True).first()
    return None if found is None else locked(request_id=found)


def move(
    *,
    actor: Actor,
    request: MoneyRequest,
    to: str,
    text: str = "",
    public: str = "",
    data: Mapping[str, Any] | None = None,
    **fields: Any,
) -> MoneyRequest:
    """Take a locked request one step on. Raises IllegalStep with what it is now."""
    locking.require_transaction()
    before, after = RequestState(request.state), RequestState(to)
    if not legal(before, after):
        raise IllegalStep(
            f"{request.reference} is {before.label}; it does not become {after.label} from there. Reload the page."
        )
    # Never before the last step, whatever another machine's clock says.
    now = max(clock.now(), request.state_at)
    request.state, request.state_at = after, now
    request.ended_at = None if after in OPEN_STATES else now
    for name, value in fields.items():
        setattr(request, name, value)
    request.save(update_fields=["state", "state_at", "ended_at", *fields])
    _note(actor, request, before.value, _Said(text, public, data or {}))
    return request


def note(
    *,
    actor: Actor,
    request: MoneyRequest,
    text: str = "",
    public: str = "",
    data: Mapping[str, Any] | None = None,
) -> RequestEvent:
    """Something that happened to a locked request without moving it."""
    return _note(actor, request, request.state, _Said(text, public, data or {}))


@dataclass(frozen=True, slots=True)
class _Said:
    """What an event says: inside the house, to the client, and as data."""

    text: str
    public: str
    data: Mapping[str, Any]


def _note(actor: Actor, request: MoneyRequest, before: str, said: _Said) -> RequestEvent:
    event = RequestEvent.objects.create(
        request=request,
        client_id=request.client_id,
        at=request.state_at if before != request.state else clock.now(),
        actor=actor.label[:150],
        before=before,
        after=request.state,
        under_key=keep(request.client_id, text=said.text.strip()),
        public=said.public,
        data=plain(dict(said.data)),
    )
    facts = {"state": request.state, "before": before, "kind": request.kind, "amount": request.amount}
    audit.record(
        actor=actor,
        action=f"money.{RequestState(request.state).value.lower()}" if before != request.state else "money.noted",
        target=request,
        data={**facts, "currency": request.currency_id, "client": request.client_id},
    )
    return event
