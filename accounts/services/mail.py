"""E-mail to clients as an outbox kind: what waits, or was sent, names the client by id and never holds the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.models import Client
from backoffice.outbox.mail import MailSender
from backoffice.outbox.models import State
from backoffice.outbox.registry import Outcome

KIND = "client-mail"


class ClientMailSender:
    """Payload: {"client_id": id, "subject": text, "body": text}, the texts without personal data."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        client = Client.objects.filter(pk=payload["client_id"], erased_at=None).exclude(email="").first()
        if client is None:
            return Outcome(State.REFUSED, error="The client has no e-mail address any more.")
        return MailSender().send(
            key=key, payload={"to": [client.email], "subject": payload["subject"], "body": payload["body"]}
        )

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        # As with every mail: the second copy has the same Message-ID.
        return self.send(key=key, payload=payload)
