"""A house whose set-up has ended: sam asks for roles, mia approves them, and everybody else works."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backoffice.access import actions
from backoffice.access.models import Grant
from backoffice.access.services import grants, people
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.organisation.models import LegalEntity, User
from tests.builders import ROBOT, entity, person


def staff(name: str, *roles: str, entities: tuple[LegalEntity, ...]) -> User:
    """Somebody of the first staff, with roles of the matrix."""
    values = {"first_name": name.capitalize(), "email": f"{name}@example.com"}
    user = User.objects.filter(username=name).first() or people.create(actor=ROBOT, username=name, values=values)
    for role in roles:
        grants.set_up(actor=ROBOT, user=user, role=role, entities=[here.pk for here in entities])
    return User.objects.get(pk=user.pk)


class House:
    """Two entities, an administrator and a manager in both, and a set-up that has ended."""

    def __init__(self, *more: tuple[str, str]) -> None:
        self.here, self.abroad = entity("CY"), entity("UK")
        both = (self.here, self.abroad)
        self.sam = staff("sam", "SYS", entities=both)
        self.mia = staff("mia", "MGT", entities=both)
        self.ada = staff("ada", "AUD", entities=both)
        for name, role in more:
            setattr(self, name, staff(name, role, entities=(self.here,)))
        people.end_set_up(actor=ROBOT)

    def new(self, name: str) -> User:
        """Somebody without any right."""
        return people.create(actor=ROBOT, username=name, values={"first_name": name.capitalize()})

    def ask(
        self, who: User, role: str, *, entities: Any = None, desks: tuple[int, ...] = (), until: datetime | None = None
    ) -> Request:
        where = tuple(sorted(here.pk for here in ((self.here,) if entities is None else entities)))
        payload = actions.RoleGrant(who.pk, role, where, desks, until)
        return requests.submit(actor=person(self.sam), action=actions.GRANT, payload=payload, reason="new in the team")

    def approve(self, request: Request, by: User | None = None) -> Request:
        return requests.approve(
            actor=person(by or self.mia), request_id=request.pk, seen_hash=request.payload_hash, reason="agreed"
        )

    def give(self, who: User, role: str, **options: Any) -> Grant:
        return Grant.objects.get(request=self.approve(self.ask(who, role, **options)))

    def revoke(self, who: User, role: str) -> Request:
        asked = requests.submit(
            actor=person(self.sam), action=actions.REVOKE, payload=actions.RoleRevoke(who.pk, role), reason="left"
        )
        return self.approve(asked)

    def waive(self, who: User, pair: int, until: datetime) -> Request:
        payload = actions.PairWaiver(who.pk, pair, until, "two people in the office")
        asked = requests.submit(
            actor=person(self.sam), action=actions.WAIVE, payload=payload, reason="two people in the office"
        )
        return self.approve(asked)

    def break_glass(self, who: User, role: str, until: datetime) -> Grant:
        payload = actions.BreakGlass(who.pk, role, (self.here.pk,), (), until)
        asked = requests.submit(
            actor=person(who), action=actions.BREAK_GLASS, payload=payload, reason="payments are down"
        )
        return Grant.objects.get(request=self.approve(asked))


def roles(who: User) -> set[str]:
    """What is in the tables of rights, not what counts."""
    return set(who.groups.values_list("name", flat=True))
