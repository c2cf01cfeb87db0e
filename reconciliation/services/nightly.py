"""The nightly round: yesterday's reconciliations of every entity, and days with open breaks once more.

The round is called again through the day and leaves out what it has done, so that a night on which it was not
called, or on which its worker died, is made up for.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date

from backoffice.kernel.actor import Actor
from backoffice.organisation.models import LegalEntity
from backoffice.organisation.selectors import calendars
from integrations.models import Connection
from reconciliation.models import Kind, Run, RunState
from reconciliation.services import runs

log = logging.getLogger(__name__)


def reconcile_previous_day(*, actor: Actor, today: date) -> Sequence[Run]:
    """Every kind for every entity with connections, for its last business day before `today`.

    Returns the runs of this round, failed ones among them: one that fails does not hold up the others.
    """
    done: list[Run] = []
    for entity in LegalEntity.objects.filter(pk__in=Connection.objects.values("entity_id")).order_by("pk"):
        day = calendars.add_business_days(entity.calendar, today, -1)
        for kind in Kind:
            for date_ in sorted({*runs.days_to_look_at_again(entity.pk, kind, today), day}):
                if not _is_done(actor, entity, kind, date_, today):
                    done += _attempt(actor, entity, kind, date_)
    return done


def find_drift(*, actor: Actor, today: date) -> Sequence[Run]:
    """Compare what is wanted of every login with its server now; called many times a day."""
    entities = LegalEntity.objects.filter(pk__in=Connection.objects.values("entity_id")).order_by("pk")
    return [run for entity in entities for run in _attempt(actor, entity, Kind.ACCOUNTS, today)]


def _is_done(actor: Actor, entity: LegalEntity, kind: Kind, day: date, today: date) -> bool:
    """Whether the round of `today`, or a later one, has reconciled this day already."""
    own = Run.objects.filter(entity=entity, kind=kind, business_date=day, requested_by=actor.label)
    return own.filter(requested_at__date__gte=today, state=RunState.DONE).exists()


def _attempt(actor: Actor, entity: LegalEntity, kind: Kind, day: date) -> list[Run]:
    try:
        return [runs.run_now(actor=actor, entity_id=entity.pk, kind=kind, day=day)]
    except runs.AlreadyRunning as error:
        log.info("%s: %s", entity.code, error)
        return []
    except Exception:
        log.exception("%s %s of %s failed; the next round tries again", entity.code, kind, day)
        return list(Run.objects.filter(entity=entity, kind=kind, business_date=day).order_by("-id")[:1])
