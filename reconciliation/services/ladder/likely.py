"""Rungs 4 to 7: what is likely the same money. A person decides; where several fit, that is said and nobody is chosen.

Each movement gets proposals of the first rung that has any for it, so that a sum of parts is not looked for where the
amount itself is there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import Any

from rapidfuzz import fuzz, utils

from reconciliation.services.ladder.items import Item, Proposal, Rules, Rung

# A name is compared with so many of the other side at most, and so many lines are put together from parts.
_NEAR_MAX = 2_000
_SUMMED_MAX = 500
_PER_ITEM = 5
_SCORES = {Rung.AMOUNT: 80, Rung.FEE: 70, Rung.FX: 65, Rung.LIKENESS: 60, Rung.PARTS: 50}
_ZERO = Decimal(0)


def propose(*, ours: Iterable[Item], theirs: Iterable[Item], rules: Rules) -> list[Proposal]:
    """Rungs 4 to 7 over what the sure rungs left, best first. Deterministic: the order of the items plays no part."""
    mine, yours = (sorted(side, key=lambda item: item.id) for side in (ours, theirs))
    found: list[Proposal] = []
    for rung in (_by_amount, _by_fee, _by_rate, _by_likeness):
        news = _marked(rung(mine, yours, rules))
        found += news
        done = {item.id for one in news for item in one.theirs}
        yours = [item for item in yours if item.id not in done]
    settled = {item.id for one in found for item in one.ours}
    found += _by_parts([item for item in mine if item.id not in settled], yours, rules)
    return sorted(found, key=lambda one: (-one.score, [i.id for i in one.theirs], [i.id for i in one.ours]))


def _by_amount(mine: Sequence[Item], yours: Sequence[Item], rules: Rules) -> list[Proposal]:
    known: dict[tuple[str, Decimal], list[Item]] = defaultdict(list)
    for item in mine:
        known[item.currency, item.amount].append(item)
    return [
        _proposal(Rung.AMOUNT, one, other, rules, {"amount": str(other.amount), "currency": other.currency})
        for other in yours
        for one in known.get((other.currency, other.amount), ())
        if rules.in_window(one, other)
    ]


def _by_fee(mine: Sequence[Item], yours: Sequence[Item], rules: Rules) -> list[Proposal]:
    """The outside brought our amount less the agreed fee."""

    def said(one: Item, other: Item) -> dict[str, Any] | None:
        agreed = rules.agreed_fee(one.amount)
        kept = one.amount - other.amount
        if agreed is None or kept <= 0 or one.amount <= 0 or abs(kept - agreed) > rules.fee_tolerance:
            return None
        return {"fee": str(kept), "agreed": f"{agreed:.4f}", "tolerance": str(rules.fee_tolerance)}

    return _pairs(Rung.FEE, mine, yours, rules, said, same_currency=True)


def _by_rate(mine: Sequence[Item], yours: Sequence[Item], rules: Rules) -> list[Proposal]:
    def said(one: Item, other: Item) -> dict[str, Any] | None:
        rate = rules.rate(other.currency, one.currency, other.day)
        if rate is None or one.amount * other.amount <= 0:
            return None
        at_rate = other.amount * rate
        points = abs(at_rate - one.amount) / abs(one.amount) * 10_000
        if points > rules.fx_points:
            return None
        return {"rate": str(rate), "points": f"{points:.1f}", "points_allowed": str(rules.fx_points)}

    return _pairs(Rung.FX, mine, yours, rules, said, same_currency=False)


def _pairs(
    rung: Rung,
    mine: Sequence[Item],
    yours: Sequence[Item],
    rules: Rules,
    said: Callable[[Item, Item], dict[str, Any] | None],
    *,
    same_currency: bool,
) -> list[Proposal]:
    found = []
    for other in yours[:_NEAR_MAX]:
        for one in mine[:_NEAR_MAX]:
            if (one.currency == other.currency) is not same_currency or not one.amount:
                continue
            evidence = said(one, other)
            if evidence is not None and rules.in_window(one, other):
                found.append(_proposal(rung, one, other, rules, evidence))
    return found


def _by_likeness(mine: Sequence[Item], yours: Sequence[Item], rules: Rules) -> list[Proposal]:
    """Names or references nearly the same; the outside brought as much as we expect, or a part of it."""
    found = []
    for other in yours[:_NEAR_MAX]:
        near = [
            one
            for one in mine[:_NEAR_MAX]
            if one.currency == other.currency and one.amount * other.amount > 0 and abs(other.amount) <= abs(one.amount)
        ]
        for one in near:
            how = likeness(one, other)
            if how >= rules.likeness:
                found.append(_proposal(Rung.LIKENESS, one, other, rules, {"likeness": how}))
    return found


def likeness(one: Item, other: Item) -> int:
    """0 to 100: the better of the names and of the single references, written the same way."""
    best = 0.0
    if one.text and other.text:
        best = fuzz.token_set_ratio(one.text, other.text, processor=utils.default_process)
    for left in one.references:
        for right in other.references:
            best = max(best, fuzz.ratio(left, right))
    return int(best)


def _by_parts(mine: Sequence[Item], yours: Sequence[Item], rules: Rules) -> list[Proposal]:
    """One line that is the sum of a few of the other side, or the other way round."""
    found = []
    for wholes, parts, turned in ((yours, mine, False), (mine, yours, True)):
        for whole in wholes[:_SUMMED_MAX]:
            near = [
                part
                for part in parts
                if part.currency == whole.currency
                and part.amount * whole.amount > 0
                and abs(part.amount) < abs(whole.amount)
                and rules.in_window(part, whole)
            ]
            sums = _sums(whole, near, rules)
            evidence = {"sum": str(whole.amount), "currency": whole.currency, "candidates": len(near)}
            for lines in sums:
                left, right = ((whole,), lines) if turned else (lines, (whole,))
                proposal = Proposal(
                    Rung.PARTS, left, right, _ZERO, _SCORES[Rung.PARTS], {**evidence, "lines": len(lines)}
                )
                found.append(replace(proposal, tie=len(sums) > 1))
    return found


def _sums(whole: Item, near: Sequence[Item], rules: Rules) -> list[tuple[Item, ...]]:
    """The ways to put the whole together; none where there are too many candidates to say anything."""
    if not 2 <= len(near) <= rules.parts:
        return []
    ways: list[tuple[Item, ...]] = []
    for size in range(2, len(near) + 1):
        for lines in combinations(near, size):
            if sum((line.amount for line in lines), _ZERO) == whole.amount:
                ways.append(lines)
                if len(ways) == _PER_ITEM:
                    return ways
    return ways


def _proposal(rung: Rung, one: Item, other: Item, rules: Rules, evidence: dict[str, Any]) -> Proposal:
    days = rules.gap(*sorted((one.day, other.day)))
    how = likeness(one, other)
    said = {**evidence, "days": days, "likeness": how}
    # Nearer days and nearer names rank higher within a rung.
    score = _SCORES[rung] + max(0, 5 - days) + how // 10
    return Proposal(rung, (one,), (other,), other.amount - one.amount, min(score, 99), said)


def _marked(found: list[Proposal]) -> list[Proposal]:
    """With ties marked, and at most the best few of each outside line."""
    ours: dict[int, int] = defaultdict(int)
    theirs: dict[int, int] = defaultdict(int)
    for one in found:
        ours[one.ours[0].id] += 1
        theirs[one.theirs[0].id] += 1
    shown: dict[int, int] = defaultdict(int)
    kept = []
    for one in sorted(found, key=lambda p: (-p.score, p.ours[0].id, p.theirs[0].id)):
        shown[one.theirs[0].id] += 1
        if shown[one.theirs[0].id] <= _PER_ITEM:
            tie = ours[one.ours[0].id] > 1 or theirs[one.theirs[0].id] > 1
            kept.append(replace(one, tie=tie))
    return kept
