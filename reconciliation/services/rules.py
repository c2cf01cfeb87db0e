"""Another version of a reconciliation's rule, behind four eyes. Runs keep the version they used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.kernel.locking import Lock
from reconciliation.models import CLASSES, Rule, Severity
from reconciliation.models.runs import FILES

_Check = Callable[[Any], bool]


class BadRule(DomainError):
    """A rule that says nothing the ladder could follow."""


def _amount(value: Any) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite() and Decimal(value) >= 0
    except InvalidOperation:
        return False


def _amounts(value: Any) -> bool:
    return isinstance(value, dict) and all(_amount(one) for one in value.values())


def _days(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 365


def _windows(value: Any) -> bool:
    return isinstance(value, dict) and "" in value and all(_days(one) for one in value.values())


def _parts(value: Any) -> bool:
    return _days(value) and 2 <= value <= 12


def _percent(value: Any) -> bool:
    return _days(value) and 90 <= value <= 100


_SPAN = re.compile(r"[1-9]\d{0,2}[hd]")
_ABOVE_LOW = [one.name for one in Severity if one is not Severity.LOW]


def _rising(value: Any, fits: _Check) -> bool:
    """A figure for each severity above low, each higher than the one before."""
    if not isinstance(value, dict) or sorted(value) != sorted(_ABOVE_LOW) or not all(map(fits, value.values())):
        return False
    figures = [Decimal(value[name]) for name in _ABOVE_LOW]
    return figures == sorted(set(figures)) and figures[0] > 0


def _limits(value: Any) -> bool:
    """Spans per class and severity; under the empty name every severity has one."""
    if not isinstance(value, dict) or not set(value) <= {"", *CLASSES}:
        return False
    names = {one.name for one in Severity}
    return set(value.get("") or ()) == names and all(
        isinstance(own, dict)
        and set(own) <= names
        and all(isinstance(span, str) and _SPAN.fullmatch(span) for span in own.values())
        for own in value.values()
    )


def _classes(value: Any) -> bool:
    return isinstance(value, list) and set(value) <= set(CLASSES)


_LIMITS = (
    'hours or business days per class and severity: {"": {"LOW": "7d", "MEDIUM": "5d", "HIGH": "3d", "CRITICAL": "4h"}}'
)
# What a parameter may be, in words for the person who wrote something else.
_KINDS: Mapping[str, tuple[_Check, str]] = {
    "amount_tolerance": (_amounts, 'an amount per currency, as text: {"USD": "0.50"}'),
    "fee_rate": (_amounts, 'a share per legal entity, as text: {"CY": "0.025"}'),
    "fee_fixed": (_amounts, 'an amount per legal entity, as text: {"CY": "0.25"}'),
    "fee_tolerance": (_amount, 'an amount as text: "0.01"'),
    "charge_max": (_amount, 'an amount as text: "10"'),
    "price_tolerance": (_amount, 'a share as text: "0.0005"'),
    "fx_points": (_amount, 'basis points as text: "50"'),
    "windows": (_windows, 'days per method, and for all others: {"": 3, "CARD": 5}'),
    "external_days": (_days, "business days, 0 to 365"),
    "payout_days": (_days, "business days, 0 to 365"),
    "internal_days": (_days, "business days, 0 to 365"),
    "late_days": (_days, "days, 0 to 365"),
    "late_seconds": (lambda value: isinstance(value, int) and 0 <= value <= 86_400, "seconds, 0 to 86400"),
    "young_minutes": (lambda value: isinstance(value, int) and 0 <= value <= 1_440, "minutes, 0 to 1440"),
    "likeness": (_percent, "90 to 100"),
    "parts": (_parts, "2 to 12"),
    "rate_source": (lambda value: isinstance(value, str), "the name of a source of rates, or empty for any"),
    "off": (_classes, "a list of classes of breaks"),
    "amount_tiers": (
        partial(_rising, fits=_amount),
        'rising amounts in the reporting currency: {"MEDIUM": "1000", "HIGH": "10000", "CRITICAL": "100000"}',
    ),
    "age_tiers": (partial(_rising, fits=_days), 'rising business days: {"MEDIUM": 1, "HIGH": 3, "CRITICAL": 5}'),
    "own": (_limits, _LIMITS),
    "resolve": (_limits, _LIMITS),
    "fx_band": (_amount, 'basis points as text: "500"'),
}


@transaction.atomic
def change(
    *, actor: Actor, entity_id: int, kind: str, parameters: str, note: str, request_id: int | None = None
) -> Rule | None:
    """The next version. `parameters` is JSON; keys and their kinds are those of the version before. `request_id` is the
    approved request; without it this is the rehearsal."""
    locking.advisory(Lock.RUN, f"rule:{kind}")
    before = Rule.objects.filter(kind=kind).order_by("-version").first()
    if before is None:
        raise BadRule(f"There is no reconciliation {kind!r}.")
    given = read(parameters, before)
    if given == before.parameters:
        raise BadRule("Nothing is different from the rule in force.")
    if not note.strip():
        raise BadRule("Say what the change is for: it is kept with the rule.")
    if request_id is None:
        return None
    made = Rule.objects.create(
        kind=kind,
        version=before.version + 1,
        parameters=given,
        note=note.strip()[:200],
        made_at=clock.now(),
        made_by=actor.label,
        request_id=request_id,
    )
    audit.record(
        actor=actor,
        action="reconciliation.rule_changed",
        target=made,
        entity_id=entity_id,
        data={"kind": kind, "version": made.version, "from": before.parameters, "to": given},
    )
    return made


def read(parameters: str, before: Rule) -> dict[str, Any]:
    """Parameters from JSON, checked. Raises BadRule naming the first that cannot be."""
    try:
        given = json.loads(parameters)
    except (ValueError, RecursionError) as error:
        raise BadRule(f"The parameters are not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise BadRule("The parameters are an object of names and values.")
    wanted = set(before.parameters)
    if wrong := sorted(set(given) ^ wanted):
        raise BadRule(f"{wrong[0]} is not one of {', '.join(sorted(wanted))}, or it is missing.")
    for name, value in given.items():
        check, words = _KINDS[name]
        if before.kind == FILES and name == "amount_tolerance":
            check, words = _amount, 'an amount as text: "0.05"'
        if not check(value):
            raise BadRule(f"{name} must be {words}.")
    return dict(given)
