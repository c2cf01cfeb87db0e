"""The first step of every use case about a client: the client's row, locked. Everything that binds a client takes this
lock, so a withdrawal and the hold that should stop it never pass each other."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import Client
from backoffice.kernel import locking
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound


class OwnStep(DomainError):
    """The person set what would now be lifted; somebody else has to."""


def locked_client(client_id: int) -> Client:
    """The client's row until the transaction ends. Raises NotFound."""
    return locked_clients([client_id])[client_id]


def locked_clients(client_ids: Iterable[int]) -> dict[int, Client]:
    """Several, in ascending order, by id."""
    locking.require_transaction()
    wanted = set(client_ids)
    rows = Client.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=wanted).order_by("pk")
    found = {row.pk: row for row in rows}
    if found.keys() != wanted:
        raise NotFound("There is no such client.")
    return found


def user_id(who: Actor) -> int | None:
    """The person's id; None for a job."""
    return who.user_id if isinstance(who, Person) else None


def require_another(who: Actor, setters: set[int]) -> None:
    """Refuse the person who set what is to be lifted (forbidden pair 9)."""
    if user_id(who) in setters:
        raise OwnStep("You set this yourself. Another person has to ask for its end, and a third has to agree.")
