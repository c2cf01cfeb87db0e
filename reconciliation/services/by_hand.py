"""Matches that people put together themselves: lines of two sides, a reason, and what a difference is.

Nothing is matched by it: it becomes a suggestion that another person accepts (services/hands.py), in the same way and
under the same rules of the database as what a run suggests. One line of one side, or several of one side for one of the
other; never several for several, where nobody could say which paid which.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.services.booking.plan import REFERENCE
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError
from reconciliation.models import Kind, Rule, Rung, Suggestion
from reconciliation.selectors.candidates import OURS, THEIRS, Candidate, picked
from reconciliation.services.hands import EXCHANGE, FEES

# What a difference may be said to be: nothing of these leaves it to the tolerance.
PART = "PART"
DIFFERENCES = {
    "": "nothing: they are the same, or differ within the tolerance",
    PART: "a part: the rest stays open",
    FEES: "a fee of the PSP or the bank",
    EXCHANGE: "a difference of exchange",
}
_SCORE = 90
_MOST = 50
_ZERO = Decimal(0)


class CannotMatch(DomainError):
    """The lines do not go together as they were picked."""


@transaction.atomic
def propose(
    *, actor: Actor, entity_id: int, ours: Sequence[str], theirs: Sequence[str], reason: str, difference: str = ""
) -> Suggestion:
    """Put lines of two sides together; `ours` and `theirs` are names as "deal:12" and "bank:7", `difference` one of
    DIFFERENCES. Raises CannotMatch with what does not fit."""
    assert isinstance(actor, Person), "runs suggest in their own way"
    if not reason.strip():
        raise CannotMatch("Give the reason: the next person decides by it.")
    if difference not in DIFFERENCES:
        raise CannotMatch("Say what the difference is by one of the choices.")
    mine, yours = _found(entity_id, ours, OURS), _found(entity_id, theirs, THEIRS)
    rule = Rule.objects.filter(kind=Kind.CASH).order_by("-version")[0]
    references = _references(mine)
    if len(references) > 1 and len(yours) > 1:
        raise CannotMatch("Pick one reference for several lines, or one line for several references.")
    _require_one_direction(mine, yours)
    same = mine[0].currency == yours[0].currency
    # What was picked; from here on a part is cut to what the other side has.
    evidence = {"ours": f"{_sum(mine)} {mine[0].currency}", "theirs": f"{_sum(yours)} {yours[0].currency}"}
    account = _settle(rule, references, yours, difference)
    inside, outside = sum(map(_sum, references.values()), _ZERO), _sum(yours)
    found = Suggestion(
        entity_id=entity_id,
        rule=rule,
        rung=Rung.HAND,
        person_id=actor.user_id,
        reason=reason.strip()[:300],
        difference_is=account,
        score=_SCORE,
        reference=" + ".join(references)[:120],
        amount=outside,
        currency=yours[0].currency,
        difference=outside - inside if same else _ZERO,
        business_date=min(c.day for c in yours),
        summary=f"{_names(yours)} of {outside} {yours[0].currency} for {' + '.join(references)}"[:300],
        ours=[[ref, str(_sum(rows)), rows[0].currency, _inside(rows)] for ref, rows in references.items()],
        theirs=[[c.kind, c.fact_id, str(c.free), c.currency] for c in yours],
        evidence=evidence | {"difference is": DIFFERENCES[difference]},
        made_at=clock.now(),
    )
    said: list[Any] = [found.ours, found.theirs, actor.user_id, found.made_at.isoformat()]
    found.fingerprint = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    found.save(force_insert=True)
    audit.record(
        actor=actor,
        action="match.proposed",
        target=found,
        data={"ours": list(ours), "theirs": list(theirs), "difference": difference, "reason": found.reason},
    )
    return found


def _found(entity_id: int, names: Sequence[str], kinds: Sequence[str]) -> list[Candidate]:
    """The lines of these names. One that is not there, of another entity or of another side, refuses all."""
    if not 0 < len(set(names)) <= _MOST:
        raise CannotMatch(f"Pick at least one line of each side, and no more than {_MOST}.")
    facts: dict[str, list[int]] = {}
    for name in sorted(set(names)):
        kind, _, number = name.partition(":")
        if kind not in kinds or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise CannotMatch("A line was picked that is not on this side. Search again.")
        facts.setdefault(kind, []).append(int(number))
    found = picked(entity_id, facts)
    if len(found) != len(set(names)):
        raise CannotMatch("One of the lines is not there any more, or not of this entity. Search again.")
    if any(c.superseded for c in found):
        raise CannotMatch("One of the lines was corrected at its source. Search again for its newer version.")
    if taken := [c.name for c in found if not c.free]:
        raise CannotMatch(f"{taken[0]} is matched already, with all it has. Undo that match first if it is wrong.")
    if len({c.currency for c in found}) > 1:
        raise CannotMatch("The lines of one side are of different currencies. Match each currency by itself.")
    return found


def _references(mine: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    """Our lines by the reference they carry."""
    found: dict[str, list[Candidate]] = {}
    for one in mine:
        said = REFERENCE.search(one.said)
        assert said is not None, "only lines with a reference can be picked"
        found.setdefault(said[0], []).append(one)
    return found


def _require_one_direction(mine: Sequence[Candidate], yours: Sequence[Candidate]) -> None:
    if len({c.free > 0 for c in (*mine, *yours)}) > 1:
        raise CannotMatch("Money that came in and money that went out do not go together.")


def _settle(rule: Rule, references: dict[str, list[Candidate]], yours: list[Candidate], difference: str) -> str:
    """Check what the sides differ by, cut a part to size, and return the account that takes the difference."""
    mine = [c for rows in references.values() for c in rows]
    ours, theirs, one_to_one = _sum(mine), _sum(yours), len(references) == len(yours) == 1
    if mine[0].currency != yours[0].currency:
        if not one_to_one or difference != EXCHANGE:
            raise CannotMatch("The sides are of different currencies: one line for one reference, as exchange.")
        return EXCHANGE
    if ours == theirs:
        return ""
    if difference == PART:
        _cut(references, yours)
        return ""
    tolerance = Decimal(rule.parameters.get("amount_tolerance", {}).get(mine[0].currency, "0"))
    if difference:
        if not one_to_one:
            raise CannotMatch("A difference can be booked between one line and one reference only.")
        return difference
    if abs(theirs - ours) <= tolerance and one_to_one:
        return ""
    raise CannotMatch(
        f"Theirs is {theirs - ours:+f} {mine[0].currency} against ours, and the tolerance of {rule} is {tolerance}. "
        "Say what the difference is, or leave the rest open as a part."
    )


def _cut(references: dict[str, list[Candidate]], yours: list[Candidate]) -> None:
    """So much of the larger side as the smaller one has; of several lines on the larger side, none can be cut."""
    mine = next(iter(references.values()))
    smaller = min(_sum([c for rows in references.values() for c in rows]), _sum(yours), key=abs)
    if len(references) == 1 and abs(_sum(mine)) > abs(smaller):
        left, kept = smaller, []
        for one in mine:
            part = min(one.free, left, key=abs)
            if part:
                kept.append(_with(one, part))
                left -= part
        mine[:] = kept
    elif len(yours) == 1 and abs(_sum(yours)) > abs(smaller):
        yours[:] = [_with(yours[0], smaller)]
    else:
        raise CannotMatch("The several lines are more than the one. Pick fewer of them.")


def _with(one: Candidate, free: Decimal) -> Candidate:
    return replace(one, free=free)


def _sum(rows: Sequence[Candidate]) -> Decimal:
    return sum((row.free for row in rows), _ZERO)


def _inside(rows: Sequence[Candidate]) -> list[list[Any]]:
    """[kind, id, amount of the whole fact]: how much of it is free is looked at again when somebody accepts."""
    return [[row.kind, row.fact_id, str(row.whole)] for row in rows]


def _names(rows: Sequence[Candidate]) -> str:
    return " + ".join(f"{row.kind} line {row.fact_id}" for row in rows)
