"""The demo's staff: one person per role and a second finance maker, each with a password made from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import Group
from guardian.shortcuts import assign_perm

from backoffice.demo.chance import Dice
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import NotFound
from backoffice.organisation.models import LegalEntity, User

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who signs in: user name, name, role code, and the entities of their work."""

    username: str
    first: str
    last: str
    role: str
    title: str
    entities: tuple[str, ...]


STAFF: tuple[Member, ...] = (
    Member("dana", "Dana", "Demir", "DLR", "Dealing and risk", ("CY", "UK")),
    Member("fred", "Fred", "Fischer", "FMK", "Finance", ("CY", "UK")),
    Member("frank", "Frank", "O'Neill", "FMK", "Finance", ("CY",)),
    Member("fiona", "Fiona", "Farkas", "FAP", "Head of finance", ("CY", "UK")),
    Member("pat", "Pat", "Papadakis", "PAY", "Payments", ("CY", "UK")),
    Member("carl", "Carl", "Lindqvist", "CMP", "Compliance", ("CY", "UK")),
    Member("sue", "Sue", "Summers", "SUP", "Support", ("CY",)),
    Member("ian", "Ian", "Ivanov", "IBM", "Partners", ("UK",)),
    Member("mia", "Mia", "Moretti", "MGT", "Management", ("CY", "UK")),
    Member("sam", "Sam", "Sato", "SYS", "System administration", ("CY", "UK")),
    Member("ada", "Ada", "Adeyemi", "AUD", "Internal audit", ("CY", "UK")),
)


def hire(seed: int) -> None:
    """Make the users, with their role and where they work. There is no superuser."""
    groups = {group.name: group for group in Group.objects.all()}
    entities = {entity.code: entity for entity in LegalEntity.objects.all()}
    for member in STAFF:
        if member.role not in groups:
            raise NotFound(f"There is no role {member.role}. Run `manage load_roles` first.")
        user = User(
            username=member.username,
            first_name=member.first,
            last_name=member.last,
            title=member.title,
            email=f"{member.username}@example.com",
        )
        user.set_password(password(seed, member.username))
        user.save()
        user.groups.add(groups[member.role])
        for code in member.entities:
            assign_perm("organisation.work_in_legalentity", user, entities[code])


def person(username: str) -> Person:
    """Somebody of the staff, as an actor."""
    user = User.objects.get(username=username)
    return Person(user_id=user.pk, name=str(user))


def password(seed: int, username: str) -> str:
    """Sixteen characters that are easy to type; shown in people.json and nowhere else."""
    dice = Dice(seed, f"password/{username}")
    return "-".join(dice.text(4, _LETTERS) for _ in range(4))


def listed(seed: int) -> list[Mapping[str, str]]:
    """The staff as the launcher shows them."""
    return [
        {
            "username": member.username,
            "password": password(seed, member.username),
            "name": f"{member.first} {member.last}",
            "role": member.role,
        }
        for member in STAFF
    ]
