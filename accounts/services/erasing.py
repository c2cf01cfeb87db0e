"""The end of a client's personal data: when nobody has to keep it any more, two people of compliance erase it.

How long it must be kept is a period of the legal entity (`LifecycleRule.retention_years`, 5 where nothing else is
said): five years after the end of the relationship by Directive 2014/65/EU (MiFID II), art. 16(6) and (7), with
Regulation (EU) 2017/565, art. 72, and by Directive (EU) 2015/849 (AMLD), art. 40, which then asks for the deletion. An
authority may ask for more: the entity's period is raised.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.models import Client, ClientStatus
from accounts.models.clients import ERASABLE
from accounts.models.personal import ERASED, LIVE
from accounts.services import closing, steps
from accounts.services.kept import person_of
from accounts.services.locked import locked_client
from accounts.services.steps import NotReady
from backoffice.audit import services as audit
from backoffice.audit.services import personal
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor

ERASE = "accounts.erase"


@transaction.atomic
def erase(*, actor: Actor, client_id: int) -> Client:
    """Put ERASED where the client's row is about a person and destroy the key of everything else; behind four eyes.

    What stays says nothing of the person: number, status, bookings, and in the log who did what when.
    """
    client = locked_client(client_id)
    require_erasable(client)
    for name in LIVE["accounts.client"]:
        setattr(client, name, ERASED)
    client.erased_at = clock.now()
    client.save(update_fields=[*LIVE["accounts.client"], "erased_at"])
    audit.record(actor=actor, action="client.erased", target=client, data={"number": client.number})
    person = person_of(client.pk)
    personal.require_key(person=person)
    personal.shred(actor=actor, person=person)
    return client


def require_erasable(client: Client) -> None:
    """Refuse while anything still needs to know who the client is."""
    if client.erased_at is not None:
        raise NotReady(f"The personal data of client {client.number} was erased on {client.erased_at:%Y-%m-%d}.")
    if client.status not in ERASABLE:
        raise NotReady(
            f"Client {client.number} is {client.get_status_display()}. Personal data is erased after the client was"
            " closed, archived, rejected or withdrawn."
        )
    until = kept_until(client)
    if until > clock.now():
        raise NotReady(f"The records of client {client.number} must be kept until {until:%Y-%m-%d}. Ask again then.")
    closing.require_nothing_open(client, besides=ERASE)


def kept_until(client: Client) -> datetime:
    """The end of the retention period: it runs from the end of the relationship, not from the archiving."""
    ended = client.status_at
    if client.status == ClientStatus.ARCHIVED:
        ended = client.status_changes.filter(after=ClientStatus.CLOSED).latest("pk").at
    return ended + steps.retention(client.entity_id)
