"""The nightly round: yesterday's reconciliations of every entity, and days with open breaks once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from backoffice.kernel.actor import Actor
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import calendars
from integrations.models import Connection
from reconciliation.models import Kind, Run
from reconciliation.services import runs


def reconcile_previous_day(*, actor: Actor, today: date) -> Sequence[Run]:
    """Every kind for every entity with connections, for its last business day before `today`."""
    done: list[Run] = []
    for entity in LegalEntity.objects.filter(pk__in=Connection.objects.values("entity_id")).order_by("pk"):
        day = calendars.add_business_days(entity.calendar, today, -1)
        for kind in Kind:
            for date_ in {*runs.days_to_look_at_again(entity.pk, kind, today), day}:
                if date_ == day or kind != Kind.CASH:
                    done.append(runs.run_now(actor=actor, entity_id=entity.pk, kind=kind, day=date_))
    return done
