"""The demo's staff: one person per role, a second finance maker and a second compliance officer, each with a password
made from the seed, and with an authenticator where the role needs one: `manage demo code NAME` is their phone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db import transaction
from django_otp.oath import TOTP

from backoffice.access.services import grants
from backoffice.access.services.people import end_set_up
from backoffice.demo.chance import Dice
from backoffice.kernel import clock
from backoffice.kernel.actor import Person, System
from backoffice.kernel.errors import NotFound
from backoffice.organisation.models import LegalEntity, User
from backoffice.signin.models import Authenticator
from backoffice.signin.selectors import standing
from backoffice.signin.services import factors

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who signs in: user name, name, role codes, and the entities of their work."""

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
    Member("cora", "Cora", "Costa", "CMP", "Compliance", ("CY", "UK")),
    Member("mona", "Mona", "Marsh", "CMP MLRO", "Money laundering reporting officer", ("CY", "UK")),
    Member("sue", "Sue", "Summers", "SUP", "Support", ("CY", "UK")),
    Member("ian", "Ian", "Ivanov", "IBM", "Partners", ("UK",)),
    Member("mia", "Mia", "Moretti", "MGT", "Management", ("CY", "UK")),
    Member("sam", "Sam", "Sato", "SYS", "System administration", ("CY", "UK")),
    Member("ada", "Ada", "Adeyemi", "AUD", "Internal audit", ("CY", "UK")),
)


@transaction.atomic
def hire(seed: int) -> None:
    """Make the users, with their role and where they work. There is no superuser."""
    roles = set(Group.objects.values_list("name", flat=True))
    entities = {entity.code: entity for entity in LegalEntity.objects.all()}
    for member in STAFF:
        missing = set(member.role.split()) - roles
        if missing:
            raise NotFound(f"There is no role {', '.join(sorted(missing))}. Run `manage load_roles` first.")
        user = User(
            username=member.username,
            first_name=member.first,
            last_name=member.last,
            title=member.title,
            email=f"{member.username}@example.com",
        )
        user.set_password(password(seed, member.username))
        user.save()
        places = [entities[code].pk for code in member.entities]
        for role in member.role.split():
            grants.set_up(actor=System("demo"), user=user, role=role, entities=places)
    for user in standing.people().filter(role_needs=True):
        factors.install(actor=System("demo"), user_id=user.pk, secret=_secret(seed, user.username))
    end_set_up(actor=System("demo"))


def person(username: str) -> Person:
    """Somebody of the staff, as an actor who has just given their second factor."""
    user = User.objects.get(username=username)
    return Person(user_id=user.pk, name=str(user), verified_at=clock.now())


def password(seed: int, username: str) -> str:
    """Sixteen characters that are easy to type; shown in people.json and nowhere else."""
    dice = Dice(seed, f"password/{username}")
    return "-".join(dice.text(4, _LETTERS) for _ in range(4))


def code(username: str) -> tuple[str, int, int]:
    """The next unused code of somebody's phone, from when on it is taken and until when, in seconds from now."""
    device = Authenticator.objects.filter(user__username=username, confirmed=True).first()
    if device is None:
        raise NotFound(
            f"Nobody named {username} has a second factor. The names are in the list that `bo demo` prints; who has no "
            "code there signs in with the password alone."
        )
    made, now = TOTP(device.bin_key, device.step), int(clock.now().timestamp())
    made.time = now
    made.drift = max(0, device.last_t + 1 - made.t())
    begins = made.t() * device.step
    # One step of tolerance on either side.
    digits = f"{made.token():06d}"
    return digits, max(0, begins - device.step - now), begins + 2 * device.step - now


def _secret(seed: int, username: str) -> bytes:
    return Dice(seed, f"second factor/{username}").text(20).encode()


def listed(seed: int) -> list[Mapping[str, str]]:
    """The staff as the launcher shows them. `code` says whether a second factor is asked for."""
    asked = set(standing.people().filter(has_factor=True).values_list("username", flat=True))
    return [
        {
            "username": member.username,
            "password": password(seed, member.username),
            "name": f"{member.first} {member.last}",
            "role": member.role,
            "code": "yes" if member.username in asked else "no",
        }
        for member in STAFF
    ]
