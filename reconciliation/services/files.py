"""Comparing files of other houses: read by mapping profiles, kept, and put through the ladder.

A set is a JSON object: `sources` (file and profile each), `comparisons` (which fields of which source are identifier,
reference, amount and day), and what is known beside (`fee`, the PSP's schedule). docs/labelled holds two.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor
from backoffice.kernel.errors import DomainError
from backoffice.kernel.locking import Lock
from integrations import registry
from integrations.records import Unreadable
from reconciliation.models import ComparedLine, Comparison, OutsideFile, OutsideLine, Rule
from reconciliation.models.runs import FILES
from reconciliation.services import ladder
from reconciliation.services.ladder import Item, Rules

# A set is small files for a person to look at; what is of every day comes in through a connection.
LINES_MAX = 200_000
MATCHED, LINKED = "MATCHED", "LINKED"


class BadSet(DomainError):
    """A set that names what is not there."""


@transaction.atomic
def load(*, actor: Actor, entity_id: int, name: str, body: bytes, profile: Mapping[str, Any]) -> OutsideFile:
    """Read a file by a profile and keep its lines. The same bytes with the same profile are not read again."""
    text = json.dumps(profile, sort_keys=True)
    keys = {"sha256": hashlib.sha256(body).hexdigest(), "profile_sha256": hashlib.sha256(text.encode()).hexdigest()}
    locking.advisory(Lock.RUN, f"{entity_id}:files")
    known = OutsideFile.objects.filter(entity_id=entity_id, **keys).first()
    if known is not None:
        return known
    try:
        read = registry.look_by_profile(profile=text, stream=io.BytesIO(body), filename=name)
    except Unreadable as error:
        raise BadSet(str(error)) from None
    if len(read.rows) > LINES_MAX:
        raise BadSet(f"{name} has more than {LINES_MAX} lines. Import it through a connection.")
    file = OutsideFile.objects.create(
        entity_id=entity_id,
        name=name,
        **keys,
        profile=dict(profile),
        rejected=[[bad.line, bad.field, bad.reason] for bad in read.rejected],
        received_at=clock.now(),
        received_by=actor.label,
    )
    lines = (OutsideLine(file=file, line=line, said=_texts(said)) for line, said in read.rows)
    OutsideLine.objects.bulk_create(lines, batch_size=2_000)
    audit.record(
        actor=actor,
        action="outside_file.kept",
        target=file,
        data={"name": name, "lines": len(read.rows), "rejected": len(read.rejected), **keys},
    )
    return file


def load_set(
    *, actor: Actor, entity_id: int, folder: Path, spec: Mapping[str, Any]
) -> tuple[Mapping[str, OutsideFile], Sequence[Comparison]]:
    """Load every source of a set from a folder and make every comparison it names."""
    files = {
        name: load(
            actor=actor,
            entity_id=entity_id,
            name=str(source["file"]),
            body=_body(folder / str(source["file"])),
            profile=source["profile"],
        )
        for name, source in spec["sources"].items()
    }
    found = [
        compare(
            actor=actor,
            entity_id=entity_id,
            ours=files[one["ours"]["source"]],
            theirs=files[one["theirs"]["source"]],
            spec={"set": spec["name"], "fee": spec.get("fee", {}), **one},
        )
        for one in spec["comparisons"]
    ]
    return files, found


@transaction.atomic
def compare(
    *, actor: Actor, entity_id: int, ours: OutsideFile, theirs: OutsideFile, spec: Mapping[str, Any]
) -> Comparison:
    """Put two files through the ladder by the newest rule. The same comparison again is the one that is there."""
    rule = newest_rule()
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    locking.advisory(Lock.RUN, f"{entity_id}:files")
    keys = {"entity_id": entity_id, "ours": ours, "theirs": theirs, "rule": rule, "spec_sha256": digest}
    known = Comparison.objects.filter(**keys).first()
    if known is not None:
        return known
    made = Comparison.objects.create(
        **keys, name=f"{spec['set']}: {spec['name']}"[:80], spec=dict(spec), made_at=clock.now(), made_by=actor.label
    )
    lines = outcome(made)
    ComparedLine.objects.bulk_create(lines, batch_size=2_000)
    counts: dict[str, int] = {}
    for line in lines:
        counts[line.klass] = counts.get(line.klass, 0) + 1
    audit.record(actor=actor, action="files.compared", target=made, data={"name": made.name, "lines": counts})
    return made


def newest_rule() -> Rule:
    """The version of the rule that a comparison made now uses."""
    return Rule.objects.filter(kind=FILES).order_by("-version")[0]


def outcome(made: Comparison) -> list[ComparedLine]:
    """What the ladder says of every line of a comparison, from what is stored: replays come out the same."""
    spec = made.spec
    everything = {side: _items(getattr(made, side), spec[side]) for side in ("ours", "theirs")}
    chosen = {side: _chosen(items, spec[side]) for side, items in everything.items()}
    rules = rules_of(made.rule.parameters, spec.get("fee", {}))
    if spec.get("links"):
        found = _linked(chosen["ours"], chosen["theirs"], rules)
    else:
        found = _compared(chosen["ours"], chosen["theirs"], rules, _grouped(everything["ours"]))
    return [ComparedLine(comparison=made, line_id=line, **values) for line, values in sorted(found.items())]


def rules_of(parameters: Mapping[str, Any], fee: Mapping[str, Any]) -> Rules:
    """A rule version as the ladder takes it; the fee schedule is the PSP's and comes with the set."""
    return Rules(
        tolerance=Decimal(parameters["amount_tolerance"]),
        windows=parameters["windows"],
        late_days=int(parameters["late_days"]),
        fee_rate=Decimal(fee["rate"]) if "rate" in fee else None,
        fee_fixed=Decimal(fee.get("fixed", "0")),
        fee_tolerance=Decimal(parameters["fee_tolerance"]),
        charge_max=Decimal(parameters["charge_max"]),
        likeness=int(parameters["likeness"]),
        parts=int(parameters["parts"]),
    )


def _compared(
    ours: Sequence[Item], theirs: Sequence[Item], rules: Rules, known: Mapping[str, list[Item]]
) -> dict[int, dict[str, Any]]:
    done = ladder.match(ours=ours, theirs=theirs, rules=rules)
    found: dict[int, dict[str, Any]] = {}
    for one in done.matches:
        for item, others in _both(one.ours, one.theirs):
            found[item.id] = {
                "klass": MATCHED,
                "rung": one.rung,
                "others": others,
                "difference": one.difference,
                "evidence": dict(one.evidence),
            }
    for wrong in done.findings:
        for item, others in _both(wrong.ours, wrong.theirs):
            if item.id in found:  # beside a match, as a fee that is not the agreed one
                found[item.id]["also"] = [wrong.klass]
                found[item.id]["evidence"] = {**found[item.id]["evidence"], wrong.klass: dict(wrong.evidence)}
            else:
                found[item.id] = {"klass": wrong.klass, "others": others, "evidence": dict(wrong.evidence)}
    for item in done.ours:
        found.setdefault(item.id, {"klass": "MISSING_EXTERNAL"})
    for item in done.theirs:
        found.setdefault(item.id, _alone(item, rules, known.get(item.key, ()) if item.key else ()))
    for likely in ladder.propose(ours=done.ours, theirs=done.theirs, rules=rules):
        said = {"rung": likely.rung, "score": likely.score, "tie": likely.tie, "ours": [i.id for i in likely.ours]}
        for item in likely.theirs:
            row = found[item.id]
            row.setdefault("evidence", {}).setdefault("proposed", []).append(said)
    return found


def _alone(item: Item, rules: Rules, known: Sequence[Item]) -> dict[str, Any]:
    """A line of theirs without counterpart: money back of a payment we know, a charge, or simply not in our books."""
    turned = [one.id for one in known if one.amount * item.amount < 0]
    if turned:
        return {"klass": "CHARGEBACK", "others": turned, "evidence": {"id": item.key, "of": turned}}
    if item.amount < 0 and -item.amount <= rules.charge_max:
        return {"klass": "BANK_CHARGE", "evidence": {"at_most": str(rules.charge_max)}}
    return {"klass": "MISSING_INTERNAL"}


def _linked(ours: Sequence[Item], theirs: Sequence[Item], rules: Rules) -> dict[int, dict[str, Any]]:
    """Which lines of theirs are about a line of ours, whatever their amounts: adjustments name what they adjust."""
    by_key = _grouped(ours)
    by_token: dict[str, list[Item]] = {}
    for one in ours:
        for token in one.references:
            by_token.setdefault(token, []).append(one)
    found: dict[int, dict[str, Any]] = {}
    for item in theirs:
        others = by_key.get(item.key, []) if item.key else []
        by = {"id": item.key}
        if not others:
            tokens = [token for token in sorted(item.references) if token in by_token]
            others = [one for token in tokens for one in by_token[token]]
            by = {"reference": ", ".join(tokens)}
        if not others:
            found[item.id] = {"klass": "MISSING_INTERNAL"}
            continue
        is_charge = item.amount < 0 and -item.amount <= rules.charge_max
        klass = "BANK_CHARGE" if is_charge else LINKED
        found[item.id] = {"klass": klass, "others": [one.id for one in others], "evidence": by}
    return found


def _items(file: OutsideFile, side: Mapping[str, Any]) -> list[Item]:
    return [_item(row.pk, row.line, row.said, side) for row in file.lines.order_by("line")]


def _item(pk: int, line: int, said: Mapping[str, str], side: Mapping[str, Any]) -> Item:
    def number(name: str) -> Decimal | None:
        text = said.get(side.get(name, ""), "")
        return Decimal(text) if text else None

    parts = [said.get(field, "") for field in side["key"]]
    words = " ".join(said.get(field, "") for field in side.get("references", ())).split()
    return Item(
        id=pk,
        amount=number("amount") or Decimal(0),
        currency=said["currency"] if side.get("has_currency", True) else "",
        day=date.fromisoformat(said[side["day"]][:10]),
        order=line,
        key="|".join(parts) if all(parts) else "",
        references=frozenset(
            word.strip(".,;:()") for word in words if len(word) > 5 and any(c.isdigit() for c in word)
        ),
        group=said.get(side.get("group", ""), ""),
        text=" ".join(said.get(field, "") for field in side.get("names", ())),
        fee=number("fee"),
        gross=number("gross"),
    )


def _chosen(items: Sequence[Item], side: Mapping[str, Any]) -> list[Item]:
    """The lines that a comparison is about: all, or the money that comes in or goes out."""
    sign = {"in": 1, "out": -1}.get(side.get("only", ""), 0)
    return [item for item in items if item.amount * sign > 0 or not sign]


def _grouped(items: Iterable[Item]) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in items:
        if item.key:
            found.setdefault(item.key, []).append(item)
    return found


def _both(ours: Sequence[Item], theirs: Sequence[Item]) -> Iterable[tuple[Item, list[int]]]:
    for side, other in ((ours, theirs), (theirs, ours)):
        for item in side:
            yield item, [one.id for one in other]


def _texts(said: Mapping[str, Any]) -> dict[str, str]:
    def text(value: Any) -> str:
        if isinstance(value, (date, datetime)):
            return value.isoformat()
        return format(value, "f") if isinstance(value, Decimal) else str(getattr(value, "value", value))

    return {name: text(value) for name, value in said.items() if value not in (None, "")}


def _body(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSet(f"{path.name} cannot be read: {error.strerror}.") from None
