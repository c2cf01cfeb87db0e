"""The automatic checks of a request, evaluated anew each time somebody looks or decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backoffice.approvals import registry
from backoffice.approvals.models import Request
from backoffice.approvals.registry import Check, Level
from backoffice.approvals.selectors import bars
from backoffice.organisation.models import User


def checks(request: Request) -> list[Check]:
    """The action's own checks and those every request has, as of now."""
    action = registry.get(request.action)
    payload = registry.load(action.payload, request.payload)
    unchanged = action.target_version(payload) == request.target_version
    more = bars.stricter(bars.bar(action, payload, request.entity_id, besides=request.pk), request)
    return [
        *action.checks(payload),
        Check(
            Level.GREEN if unchanged else Level.RED,
            "What it is about is unchanged",
            "as it was when it was asked" if unchanged else "it has changed; the request cannot be executed",
        ),
        Check(
            Level.AMBER if more else Level.GREEN,
            "The rules are those it was asked under",
            f"today they would want {', '.join(more)}" if more else "nothing stricter since",
        ),
    ]


def stored(found: list[Check]) -> list[Mapping[str, str]]:
    """Checks as a decision keeps them."""
    return [{"level": check.level.value, "label": check.label, "detail": check.detail} for check in found]


def flags_for(user: User, request: Request) -> list[str]:
    """The target's risk flags now and when it was asked, as far as this reader may know them."""
    action = registry.get(request.action)
    payload: Any = registry.load(action.payload, request.payload)
    codes = sorted({*request.risk, *action.risk(payload)})
    return [code for code in codes if action.knows(user, code)]
