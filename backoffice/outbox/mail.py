"""E-mail as an outbox kind. Mails carry no personal data: they say that something waits, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.mail import EmailMessage

from backoffice.outbox.models import State
from backoffice.outbox.registry import Outcome


class MailSender:
    """Payload: {"to": [addresses], "subject": text, "body": text}."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        mail = EmailMessage(
            subject=payload["subject"],
            body=payload["body"],
            to=list(payload["to"]),
            headers={"Message-ID": f"<{key}@backoffice>"},
        )
        mail.send()
        return Outcome(State.DONE)

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        # SMTP cannot be asked. The Message-ID is the key, so a mail server drops the second copy; sending
        # again is harmless in a way that no money message is.
        return self.send(key=key, payload=payload)
