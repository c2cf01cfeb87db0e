"""Writing what is kept under a client's key, and a client's history, whose personal values are kept that way."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from simple_history.signals import pre_create_historical_record

from accounts.models import Client
from accounts.models.personal import UNDER_KEY
from backoffice.audit.services import personal
from backoffice.kernel import clock


def person_of(client_id: int) -> str:
    """Under which name the client's key is kept: that of the client's row in the log."""
    return f"{Client._meta.label_lower}:{client_id}"


def keep(client_id: int, **values: str) -> dict[str, dict[str, str]]:
    """These values as they may stand in `under_key`. Raises personal.Shredded when the client's data was erased."""
    return personal.hide_all(person=person_of(client_id), values=values)


def keep_history() -> None:
    """Fill the rows that simple-history writes; called when the room starts."""
    pre_create_historical_record.connect(_fill, sender=Client.history.model, dispatch_uid="accounts.kept")


def _fill(instance: Client, history_instance: Any, **_: object) -> None:
    history_instance.history_date = clock.now()
    # After the erasure there is no key and nothing to keep.
    if instance.erased_at is None:
        names = UNDER_KEY["accounts.historicalclient"]
        # simple-history writes after the row's own transaction where there is none around it.
        with transaction.atomic():
            history_instance.under_key = keep(instance.pk, **{name: getattr(instance, name) for name in names})
