"""Rows for the pages about other people's sign-in."""

from __future__ import annotations

from backoffice.kernel import clock
from backoffice.organisation.models import LegalEntity, User
from backoffice.signin.models import AllowedNetwork, RoleRule, Session
from tests.builders import user
from tests.pages import Made, builds


def make_people(here: LegalEntity, number: int) -> list[User]:
    """`number` more members of staff, each with an open session."""
    known = User.objects.count()
    rows = [user(f"person-{known + n:03d}", entities=(here,)) for n in range(number)]
    now = clock.now()
    Session.objects.bulk_create(Session(user=row, started_at=now, last_seen_at=now, ip="192.0.2.9") for row in rows)
    return rows


@builds("people-sign-in", "person-sign-in", "send-link", "end-sessions", "remove-factor", "impersonate")
def people(here: LegalEntity, number: int) -> Made:
    return Made(kwargs={"pk": make_people(here, number)[0].pk})


@builds("networks", "remove-network", "allow-network")
def networks(here: LegalEntity, number: int) -> Made:
    known = AllowedNetwork.objects.count()
    rows = [
        AllowedNetwork.objects.create(role="IBM", network=f"10.0.{known + n}.0/24", added_at=clock.now())
        for n in range(number)
    ]
    return Made(kwargs={"pk": rows[0].pk})


@builds("factor-rules", "change-factor-rule")
def rules(here: LegalEntity, number: int) -> Made:
    known = RoleRule.objects.count()
    RoleRule.objects.bulk_create(RoleRule(role=f"R{known + n:03d}") for n in range(number))
    return Made()
