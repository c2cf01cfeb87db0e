"""Mails to clients about their money: the reference and the public words, nothing else.

The message in the outbox names the client by number only; the address is looked up when it is sent, so that an erased
client's address stands nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import Client
from backoffice.outbox import services as outbox
from backoffice.outbox.mail import MailSender
from backoffice.outbox.models import State
from backoffice.outbox.registry import Outcome
from payments.models import MoneyRequest, RequestKind

KIND = "client.mail"
_SUBJECTS = {RequestKind.WITHDRAWAL: "Your withdrawal", RequestKind.DEPOSIT: "Your deposit"}


def tell(*, request: MoneyRequest, public: str) -> None:
    """Promise a mail about the request's present state, in the transaction that brings it about."""
    kind = RequestKind(request.kind)
    subject = f"{_SUBJECTS.get(kind, 'Your request')} {request.reference}"
    outbox.enqueue(
        kind=KIND,
        key=f"{request.reference}:mail:{request.state}",
        payload={"client": request.client_id, "subject": subject, "body": public},
    )


class ClientMailSender:
    """Payload: {"client": id, "subject": text, "body": text}."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        address = Client.objects.filter(pk=payload["client"], erased_at=None).values_list("email", flat=True).first()
        if not address:
            return Outcome(State.DONE, answer={"said": "no address"})
        return MailSender().send(key=key, payload={**payload, "to": [address]})

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        # As with all mails: a second copy carries the same Message-ID.
        return self.send(key=key, payload=payload)
