"""What pages of other rooms call a client they know by its name in the log only: read from the client's row, so that
nothing of it is stored there."""

from __future__ import annotations

from django.urls import reverse

from accounts.models import Client
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

VIEW = "accounts.view_client"


def named(user: User, reference: str) -> tuple[str, str] | None:
    """Number and name of "accounts.client:5" with the address of its page, for those who may see the client."""
    label, _, key = reference.partition(":")
    if label != Client._meta.label_lower or not scope.may(user, VIEW):
        return None
    client = scope.visible(user, Client.objects.filter(pk=key), VIEW).first()
    return (str(client), reverse("client", args=[client.pk])) if client else None
