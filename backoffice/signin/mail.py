"""Sends password links. The outbox holds the link's token encrypted; it is opened here, for the mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from backoffice.outbox.models import State
from backoffice.outbox.registry import Outcome
from backoffice.signin import sealing

_BODY = """Somebody who administers the back office has sent you this link to set your password:

{link}

It works once, and for one hour. Your second factor stays as it is. If you did not expect this mail, do not use
the link, and tell your administrator.
"""


class LinkSender:
    """Payload: {"to": address, "token": sealed}."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        token = sealing.unseal(payload["token"]).decode()
        link = settings.SITE_URL.rstrip("/") + reverse("set-password", args=[token])
        mail = EmailMessage(
            subject="Set your password for the back office",
            body=_BODY.format(link=link),
            to=[payload["to"]],
            headers={"Message-ID": f"<{key}@backoffice>"},
        )
        mail.send()
        return Outcome(State.DONE)

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        # SMTP cannot be asked; a second copy of the same link does no harm.
        return self.send(key=key, payload=payload)
