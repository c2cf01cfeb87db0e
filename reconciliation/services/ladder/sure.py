"""Rungs 1 to 3: what matches by itself, because an identifier says so and the money agrees."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from reconciliation.services.ladder.items import Finding, Item, Match, Rules, Rung

_ZERO = Decimal(0)


@dataclass(slots=True)
class Matched:
    """What the sure rungs made of two sides; `ours` and `theirs` are what has no counterpart."""

    matches: list[Match] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    ours: list[Item] = field(default_factory=list)
    theirs: list[Item] = field(default_factory=list)


def match(*, ours: Iterable[Item], theirs: Iterable[Item], rules: Rules) -> Matched:
    """Rungs 1 to 3. The order in which items are given plays no part."""
    done = Matched(ours=sorted(ours, key=_place), theirs=sorted(theirs, key=_place))
    _by_key(done, rules)
    _by_group(done)
    _by_reference(done, rules)
    return done


def _place(item: Item) -> tuple[int, int]:
    return item.order, item.id


def _by_key(done: Matched, rules: Rules) -> None:
    mine, yours = _grouped(done.ours), _grouped(done.theirs)
    for key in mine.keys() & yours.keys():
        _judge_key(done, rules, key, mine[key], yours[key])
    for side, other, which in ((mine, yours, "ours"), (yours, mine, "theirs")):
        for key in side.keys() - other.keys():
            for extra in side[key][1:]:
                done.findings.append(_finding("DUPLICATE", which, [extra], {"id": key, "first": side[key][0].id}))
    taken = {item.id for key in mine for item in (mine[key] if key in yours else mine[key][1:])}
    given = {item.id for key in yours for item in (yours[key] if key in mine else yours[key][1:])}
    done.ours = [item for item in done.ours if item.id not in taken]
    done.theirs = [item for item in done.theirs if item.id not in given]
    done.matches.sort(key=lambda found: _place(found.theirs[0]))


def _judge_key(done: Matched, rules: Rules, key: str, mine: Sequence[Item], yours: Sequence[Item]) -> None:
    """One identifier on both sides: one to one, one to many that sum up, else pairs in the order of receipt.

    What has the identifier of an earlier line is a duplicate of it, whatever its amount: it never takes its place.
    """
    if len(mine) != len(yours) and 1 in (len(mine), len(yours)) and _same_money(mine, yours):
        done.matches.append(_match(Rung.ID, mine, yours, {"id": key, "lines": f"{len(mine)} to {len(yours)}"}))
        return
    for one, other in zip(mine, yours, strict=False):
        _judge(done, rules, (one, other), {"id": key}, Rung.ID)
    paired = min(len(mine), len(yours))
    for which, extras, first in (("ours", mine[paired:], mine[0]), ("theirs", yours[paired:], yours[0])):
        for extra in extras:
            done.findings.append(_finding("DUPLICATE", which, [extra], {"id": key, "first": first.id}))


def _judge(done: Matched, rules: Rules, pair: tuple[Item, Item], by: Mapping[str, Any], rung: Rung) -> None:
    one, other = pair
    difference = other.amount - one.amount
    if one.currency != other.currency:
        klass = "CURRENCY"
    elif one.amount * other.amount < 0:
        klass = "DIRECTION"
    elif abs(difference) > rules.tolerance:
        klass = "AMOUNT"
    else:
        done.matches.append(_match(rung, [one], [other], {**by, **_said(rules, one, other, difference)}))
        _judge_fee(done, rules, one, other)
        return
    evidence = {**by, "ours": f"{one.amount} {one.currency}", "theirs": f"{other.amount} {other.currency}"}
    done.findings.append(Finding(klass, (one,), (other,), evidence))


def _judge_fee(done: Matched, rules: Rules, one: Item, other: Item) -> None:
    gross = next((g for g in (other.gross, one.gross) if g is not None), other.amount)
    agreed = rules.agreed_fee(gross)
    if other.fee is None or agreed is None or abs(other.fee - agreed) <= rules.fee_tolerance:
        return
    evidence = {"fee": str(other.fee), "agreed": f"{agreed:.4f}", "tolerance": str(rules.fee_tolerance)}
    done.findings.append(Finding("FEE", (one,), (other,), evidence))


def _said(rules: Rules, one: Item, other: Item, difference: Decimal) -> dict[str, Any]:
    """What agreed and how well."""
    days = rules.gap(*sorted((one.day, other.day)))
    said: dict[str, Any] = {"amount": str(one.amount), "currency": one.currency, "days": days}
    if difference:
        said |= {"difference": str(difference), "tolerance": str(rules.tolerance)}
    if rules.late_days is not None and days > rules.late_days:
        said |= {"late": True, "usual": rules.late_days}
    return said


def _by_group(done: Matched) -> None:
    """Lines of one payout that sum to the one line whose text names the payout, per currency."""
    parts: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in done.theirs:
        if item.group:
            parts[item.group, item.currency].append(item)
    named: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in done.ours:
        for token in item.references:
            named[token, item.currency].append(item)
    for (group, currency), lines in sorted(parts.items()):
        whole = named.get((group, currency), [])
        if len(whole) == 1 and _same_money(whole, lines):
            evidence = {"payout": group, "lines": f"1 to {len(lines)}", "amount": str(whole[0].amount)}
            done.matches.append(_match(Rung.GROUP, whole, lines, evidence))
            _drop(done, whole, lines)


def _by_reference(done: Matched, rules: Rules) -> None:
    """A reference in the text of both, the amount agrees, and neither has another candidate."""
    tokens: dict[str, list[Item]] = defaultdict(list)
    for item in done.ours:
        for token in item.references:
            tokens[token].append(item)
    mine: dict[int, dict[int, tuple[Item, str]]] = defaultdict(dict)
    yours: dict[int, set[int]] = defaultdict(set)
    for other in done.theirs:
        for token in sorted(other.references):
            for one in tokens.get(token, ()):
                mine[other.id][one.id] = (one, token)
                yours[one.id].add(other.id)
    gone: list[Item] = []
    away: list[Item] = []
    for other in done.theirs:
        found = mine.get(other.id, {})
        if not found:
            continue
        gone += [one for one, _ in found.values()]
        away.append(other)
        rivals = {rival for one in found for rival in yours[one]}
        if len(found) > 1 or len(rivals) > 1:
            evidence = {"candidates": sorted(found), "rivals": sorted(rivals), "by": "reference"}
            done.findings.append(Finding("AMBIGUOUS", tuple(one for one, _ in found.values()), (other,), evidence))
            continue
        ((one, token),) = found.values()
        _judge(done, rules, (one, other), {"reference": token}, Rung.REFERENCE)
    _drop(done, gone, away)


def _grouped(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.key:
            found[item.key].append(item)
    return found


def _same_money(mine: Sequence[Item], yours: Sequence[Item]) -> bool:
    """Whether two sets of lines are of one currency and direction and have the same sum."""
    everything = [*mine, *yours]
    signs = {item.amount > 0 for item in everything}
    sums = [sum((item.amount for item in side), _ZERO) for side in (mine, yours)]
    return len({item.currency for item in everything}) == 1 and len(signs) == 1 and sums[0] == sums[1]


def _match(rung: Rung, mine: Sequence[Item], yours: Sequence[Item], evidence: Mapping[str, Any]) -> Match:
    sums = [sum((item.amount for item in side), _ZERO) for side in (mine, yours)]
    return Match(rung, tuple(mine), tuple(yours), sums[1] - sums[0], evidence)


def _finding(klass: str, which: str, items: Sequence[Item], evidence: Mapping[str, Any]) -> Finding:
    mine, yours = (items, ()) if which == "ours" else ((), items)
    return Finding(klass, tuple(mine), tuple(yours), evidence)


def _drop(done: Matched, mine: Iterable[Item], yours: Iterable[Item]) -> None:
    gone, away = {item.id for item in mine}, {item.id for item in yours}
    done.ours = [item for item in done.ours if item.id not in gone]
    done.theirs = [item for item in done.theirs if item.id not in away]
