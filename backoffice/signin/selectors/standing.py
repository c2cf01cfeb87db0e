"""Where a session stands: may it go on, does it still need the second factor. Asked on every request."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.signin.models import AllowedNetwork, Authenticator, End, Impersonation, RoleRule, Session


@dataclass(frozen=True, slots=True)
class Standing:
    """A session and what it may do. `over` says why it cannot go on; None: it can. `looking` is the id of the look at
    somebody else's pages that is open in it."""

    session: Session
    over: End | None
    needs_factor: bool
    has_factor: bool
    looking: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the person is in: everything that was asked for has been given."""
        return self.over is None and (self.session.verified_at is not None or not self.needs_factor)


def standing(session_id: int, user_id: int, ip: str | None) -> Standing | None:
    """One query. None: there is no such session of this person."""
    open_look = Impersonation.objects.filter(session=OuterRef("pk"), ended_at=None).values("pk")[:1]
    asked = {**_asked("user_id"), "looking": Subquery(open_look)}
    row = Session.objects.filter(pk=session_id, user_id=user_id).annotate(**asked).first()
    if row is None:
        return None
    has_factor: bool = row.has_factor  # type: ignore[attr-defined]
    role_needs: bool = row.role_needs  # type: ignore[attr-defined]
    networks: list[Mapping[str, str]] = row.networks  # type: ignore[attr-defined]
    looking: int | None = row.looking  # type: ignore[attr-defined]
    return Standing(row, _over(row, networks, ip), role_needs or has_factor, has_factor, looking)


def address_fits(user_id: int, ip: str | None) -> bool:
    """Whether every role of the person that names networks names one with this address."""
    row = User.objects.filter(pk=user_id).annotate(networks=_networks("pk")).get()
    return _fits(row.networks, ip)


def people() -> QuerySet[Any]:
    """The staff with `role_needs`, `has_factor` and `sessions_open` (is there one)."""
    now = clock.now()
    open_ = Session.objects.filter(
        user_id=OuterRef("pk"),
        ended_at__isnull=True,
        last_seen_at__gt=now - idle_limit(),
        started_at__gt=now - age_limit(),
    )
    asked = _asked("pk")
    return User.objects.annotate(
        role_needs=asked["role_needs"], has_factor=asked["has_factor"], sessions_open=Exists(open_)
    )


def idle_limit() -> timedelta:
    return timedelta(seconds=settings.SESSION_IDLE_SECONDS)


def age_limit() -> timedelta:
    return timedelta(seconds=settings.SESSION_COOKIE_AGE)


def _over(row: Session, networks: Iterable[Mapping[str, str]], ip: str | None) -> End | None:
    now = clock.now()
    if row.ended_at is not None:
        return End(row.end)
    if now - row.started_at >= age_limit():
        return End.AGE
    if now - row.last_seen_at >= idle_limit():
        return End.IDLE
    return None if _fits(networks, ip) else End.ADDRESS


def _fits(networks: Iterable[Mapping[str, str]], ip: str | None) -> bool:
    by_role: dict[str, list[str]] = {}
    for row in networks:
        by_role.setdefault(row["role"], []).append(row["network"])
    if not by_role:
        return True
    if ip is None:
        return False
    address = ipaddress.ip_address(ip)
    return all(any(address in ipaddress.ip_network(net) for net in nets) for nets in by_role.values())


def _asked(user: str) -> dict[str, Any]:
    exempt = RoleRule.objects.filter(factor_required=False).values("role")
    roles = Group.objects.filter(user=OuterRef(user)).exclude(name__in=exempt)
    # A permission outside of any role could be anything, so it needs the factor too.
    direct = User.user_permissions.through.objects.filter(user_id=OuterRef(user))
    supers = User.objects.filter(pk=OuterRef(user), is_superuser=True)
    needs = ExpressionWrapper(Q(Exists(roles)) | Q(Exists(direct)) | Q(Exists(supers)), BooleanField())
    devices = Authenticator.objects.filter(user_id=OuterRef(user), confirmed=True)
    return {"role_needs": needs, "has_factor": Exists(devices), "networks": _networks(user)}


def _networks(user: str) -> ArraySubquery:
    roles = Group.objects.filter(user=OuterRef(OuterRef(user))).values("name")
    rows = AllowedNetwork.objects.filter(removed_at__isnull=True, role__in=roles).order_by()
    return ArraySubquery(rows.values(row=JSONObject(role="role", network="network")))
