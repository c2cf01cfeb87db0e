"""Group, leverage and category: what a client trades under. Changes go behind four eyes; caps are never passed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max

from accounts.models import Client, ClientCategory, DesiredState, LeverageCap, TradingAccount
from accounts.services import desired
from accounts.services.locked import locked_client
from backoffice.audit import services as audit
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError, NotFound


class AboveCap(DomainError):
    """More leverage than the client's category may have."""


def cap_for(entity_id: int, category: str) -> int | None:
    """The highest leverage an account of a category may have with an entity; None: no cap."""
    rows = LeverageCap.objects.filter(category=category)
    own = rows.filter(entity_id=entity_id).aggregate(most=Max("leverage"))["most"]
    found: int | None = own or rows.filter(entity=None).aggregate(most=Max("leverage"))["most"]
    return found


def require_within_caps(wanted: Sequence[tuple[Client, int]]) -> None:
    """Refuse leverage above the cap of a client's category and entity; each cap is read once."""
    caps = {key: cap_for(*key) for key in {(client.entity_id, client.category) for client, _ in wanted}}
    for client, leverage in wanted:
        cap = caps[client.entity_id, client.category]
        if cap is not None and leverage > cap:
            raise AboveCap(
                f"1:{leverage} is above 1:{cap}, the most that a {client.get_category_display()} client may have. "
                f"Choose 1:{cap} or less."
            )


@transaction.atomic
def change_terms(*, actor: Actor, account_id: int, group: str, leverage: int) -> TradingAccount:
    """Another group or leverage for one login; behind four eyes. A login that is close-only gets it afterwards."""
    client_id = TradingAccount.objects.filter(pk=account_id).values_list("client_id", flat=True).first()
    if client_id is None:
        raise NotFound("There is no such login.")
    client = locked_client(client_id)
    desired.require_settled(client)
    require_within_caps([(client, leverage)])
    states = DesiredState.objects.select_related("account__connection").select_for_update(of=("self",))
    state = states.get(account_id=account_id)
    account = state.account
    if (account.group, account.leverage) == (group, leverage):
        raise DomainError("Group and leverage are like this already.")
    _apply(actor, client, state, group, leverage)
    return account


@transaction.atomic
def change_category(*, actor: Actor, client_id: int, category: str) -> Client:
    """Another MiFID category; behind four eyes. Logins above the new category's cap are lowered to it first."""
    client = locked_client(client_id)
    before, category = client.category, ClientCategory(category)
    if before == category:
        raise DomainError(f"The client is {client.get_category_display()} already.")
    desired.require_settled(client)
    cap = cap_for(client.entity_id, category)
    states = DesiredState.objects.select_related("account__connection").filter(account__client=client)
    for state in states.order_by("pk").select_for_update(of=("self",)):
        if cap is not None and state.account.leverage > cap:
            _apply(actor, client, state, state.account.group, cap)
    client.category = category
    client.save(update_fields=["category"])
    audit.record(actor=actor, action="client.category", target=client, data={"before": before, "after": category.value})
    return client


def _apply(actor: Actor, client: Client, state: DesiredState, group: str, leverage: int) -> None:
    """New terms of a login: now, or, while it is close-only, for when it comes back."""
    before, account = desired.said(state), state.account
    account.group, account.leverage = group, leverage
    account.save(update_fields=["group", "leverage"])
    state.leverage = leverage
    if state.original_group:
        state.original_group, state.original_leverage = group, leverage
    else:
        state.group = group
    if desired.said(state) == before:
        state.save(update_fields=["original_group", "original_leverage"])
    else:
        desired.push(actor=actor, client=client, state=state, before=before)
