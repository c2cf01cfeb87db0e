"""What a request says about who asks: the actor, the address, the request's own number."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest, QueryDict

from backoffice.kernel.actor import Person
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import scope

# What in an address says where in a list one is; every other change of the address starts at the top again.
PLACE = ("after", "before", "last", "export")


def actor_of(request: HttpRequest) -> Person:
    """The signed-in person as the actor of a use case."""
    known: Person | None = getattr(request, "_actor", None)
    if known is None:
        user = request.user
        assert isinstance(user, User), "only signed-in people act"
        known = Person(
            user_id=user.pk,
            name=str(user),
            request_id=request_id_of(request),
            ip=ip_of(request),
            verified_at=getattr(request, "verified_at", None),
        )
        request._actor = known  # type: ignore[attr-defined]
    return known


def act_as(request: HttpRequest, actor: Person) -> None:
    """What is recorded in this request was done by this person, whoever the pages are shown to."""
    request._actor = actor  # type: ignore[attr-defined]


def request_id_of(request: HttpRequest) -> str:
    """The number in the X-Request-Id header of the answer; empty where no middleware has run."""
    found: str = getattr(request, "request_id", "")
    return found


def ip_of(request: HttpRequest) -> str | None:
    """The address of the visitor.

    `X-Forwarded-For` is believed only as far as our own proxies wrote it: with TRUSTED_PROXIES = 1 the last
    entry is the visitor, everything before it is the visitor's own claim.
    """
    proxies: int = getattr(settings, "TRUSTED_PROXIES", 0)
    address = request.META.get("REMOTE_ADDR", "")
    if proxies:
        hops = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        address = hops[-proxies] if len(hops) >= proxies else address
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None


def entities_of(request: HttpRequest) -> list[tuple[int, str]]:
    """Id and code of the legal entities the person works in, read once per request."""
    known: list[tuple[int, str]] | None = getattr(request, "_entities", None)
    if known is None:
        ids = scope.entity_ids(request.user)
        known = list(LegalEntity.objects.filter(pk__in=ids).order_by("code").values_list("pk", "code")) if ids else []
        request._entities = known  # type: ignore[attr-defined]
    return known


def address(data: QueryDict, **changes: str | None) -> str:
    """The page's own address with some values changed (None: left out). The place in the list starts anew."""
    rest = data.copy()
    for name in (*PLACE, *changes):
        rest.pop(name, None)
    for name, value in changes.items():
        if value is not None:
            rest[name] = value
    return f"?{rest.urlencode(safe=':~')}"
