"""Short functions that build what tests need, through the real services. People are named by their job:
Mara makes, Chris checks, Pat pays, Stan is a stranger."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import Permission
from guardian.shortcuts import assign_perm

from backoffice.kernel.actor import Person, System
from backoffice.organisation.models import LegalEntity, User
from ledger.models import Kind, LedgerAccount
from ledger.services import chart

ROBOT = System("test")


def entity(code: str = "CY", *, currency: str = "USD") -> LegalEntity:
    found, _ = LegalEntity.objects.get_or_create(
        code=code,
        defaults={
            "name": f"Broker {code} Ltd",
            "jurisdiction": code,
            "reporting_currency_id": currency,
            "calendar": "TARGET",
        },
    )
    return found


def ledger_account(
    here: LegalEntity,
    code: str,
    *,
    currency: str = "USD",
    kind: Kind = Kind.LIABILITY,
    striped: bool = False,
    floor: Decimal | None = None,
    holder: str = "",
) -> LedgerAccount:
    return chart.open_account(
        actor=ROBOT,
        entity_id=here.pk,
        code=code,
        currency=currency,
        name=code,
        kind=kind,
        striped=striped,
        floor=floor,
        holder=holder,
    )


def user(name: str, *permissions: str, entities: tuple[LegalEntity, ...] = ()) -> User:
    """A member of staff with exactly these permissions, working in these entities."""
    found, _ = User.objects.get_or_create(username=name, defaults={"first_name": name.capitalize()})
    for permission in permissions:
        app, codename = permission.split(".", 1)
        found.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    for here in entities:
        assign_perm("organisation.work_in_legalentity", found, here)
    return User.objects.get(pk=found.pk)


def person(who: User) -> Person:
    return Person(user_id=who.pk, name=str(who))
