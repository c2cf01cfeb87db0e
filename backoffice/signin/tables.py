"""Columns of the sign-in pages."""

from __future__ import annotations

from django.urls import reverse

from backoffice.organisation.models import User
from backoffice.signin.models import AllowedNetwork
from backoffice.ui.components import Tone
from backoffice.ui.tables import Column, Kind, Table

FACTOR = {"on": "enrolled", "missing": "missing", "choice": "by choice"}
FACTOR_TONES = {"on": Tone.GOOD, "missing": Tone.BAD, "choice": Tone.NEUTRAL}


def factor(row: User) -> str:
    """For a row of `selectors.standing.people`."""
    if row.has_factor:  # type: ignore[attr-defined]
        return "on"
    return "missing" if row.role_needs else "choice"  # type: ignore[attr-defined]


class PeopleTable(Table):
    columns = (
        Column("username", "User", Kind.CODE, sort="user"),
        Column(str, "Name"),
        Column(lambda row: " ".join(sorted(group.name for group in row.groups.all())), "Roles", Kind.CODE),
        Column(factor, "Second factor", Kind.STATUS, labels=FACTOR, tones=FACTOR_TONES),
        Column("sessions_open", "Signed in", Kind.FLAG),
        Column("last_login", "Last sign-in", Kind.DATETIME),
        Column("is_active", "Active", Kind.FLAG),
    )
    sorts = {"user": ("username",)}
    default_sort = "user"
    empty = "Nobody yet."
    small = True

    def link(self, row: User) -> str:
        return reverse("person-sign-in", args=[row.pk])


class NetworkTable(Table):
    columns = (
        Column("role", "Role", Kind.CODE, sort="role"),
        Column("network", "Network", Kind.CODE),
        Column("note", "What it is"),
        Column("added_at", "Since", Kind.DATETIME),
        Column("removed_at", "Taken back", Kind.DATETIME),
    )
    sorts = {"role": ("role", "network", "pk")}
    default_sort = "role"
    empty = "Every role may work from everywhere."
    empty_hint = "Allow a network for a role to close all other addresses to it."
    small = True

    def link(self, row: AllowedNetwork) -> str | None:
        return None if row.removed_at else reverse("remove-network", args=[row.pk])


class RuleTable(Table):
    columns = (
        Column("role", "Role", Kind.CODE, sort="role"),
        Column("factor_required", "Second factor required", Kind.FLAG),
    )
    sorts = {"role": ("role",)}
    default_sort = "role"
    empty = "No rules: every role needs the second factor."
    small = True
