"""Suggestions: what the upper rungs of the ladder say about the money that a cash run could not match by itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from accounts.models import TradingAccount
from backoffice.organisation.selectors import calendars, currencies
from integrations.models import BankLine, PspLine
from payments.models import MoneyRequest
from reconciliation.models import Run, Suggestion, SuggestionState
from reconciliation.models.rungs import Rung
from reconciliation.services import ladder, statements
from reconciliation.services.ladder import Item, Proposal, Rules

# More unclear lines than this are a broken feed, not work for a person.
_MOST = 2_000
_RATE_DAYS = 7
_EXACT = (Rung.AMOUNT,)


@dataclass(slots=True)
class _Known:
    """What the items stand for: a reference with its facts inside, or one fact outside."""

    ours: dict[int, tuple[str, list[list[Any]]]] = field(default_factory=dict)
    theirs: dict[int, tuple[str, int, str]] = field(default_factory=dict)


def suggest(*, run: Run, cutoff: datetime, now: datetime) -> int:
    """Store what is likely, take back what is not likely any more; returns how many are open.

    A line that several references fit, or the other way round, becomes an AMBIGUOUS break, not an unidentified one.
    """
    known = _Known()
    ours, theirs = _inside(known), _outside(run, known)
    found = ladder.propose(ours=ours, theirs=theirs, rules=rules_of(run)) if ours and theirs else []
    rows = {row.fingerprint: row for row in (_row(run, one, known, now) for one in found)}
    _keep(run, rows)
    _mark_ties(found, known)
    return Suggestion.objects.filter(entity_id=run.entity_id, state=SuggestionState.OPEN).count()


def rules_of(run: Run) -> Rules:
    """The run's rule version as the ladder takes it: days are business days of the entity, rates those of the day."""
    given, code = run.rule.parameters, run.entity.code
    rate = given.get("fee_rate", {}).get(code)
    return Rules(
        windows=given.get("windows", {"": 3}),
        fee_rate=Decimal(rate) if rate else None,
        fee_fixed=Decimal(given.get("fee_fixed", {}).get(code, "0")),
        fee_tolerance=Decimal(given["fee_tolerance"]),
        fx_points=Decimal(given.get("fx_points", "50")),
        likeness=int(given.get("likeness", 90)),
        parts=int(given.get("parts", 12)),
        gap=_business_days(run.entity.calendar),
        rate=rates_of(run),
    )


def _business_days(calendar: str) -> Callable[[date, date], int]:
    @cache
    def gap(earlier: date, later: date) -> int:
        return calendars.age_in_business_days(calendar, earlier, later)

    return gap


def rates_of(run: Run) -> Callable[[str, str, date], Decimal | None]:
    """The day's rates as the run's rule wants them; None where none is known."""
    return _rates(run.rule.parameters.get("rate_source", ""))


def _rates(source: str) -> Callable[[str, str, date], Decimal | None]:
    @cache
    def rate(base: str, quote: str, on: date) -> Decimal | None:
        try:
            found = currencies.quoted(base, quote, on, source=source)
        except currencies.NoRate:
            return None
        return found.rate if (on - found.date).days <= _RATE_DAYS else None

    return rate


_WAITING = """
SELECT ref, own_currency, inside - outside, day, login, server_ids, server_amounts, wallet_ids, wallet_amounts
  FROM sides
 WHERE inside_currency IS NULL AND inside <> 0
   AND (NOT has_outside AND class IN ('MISSING_EXTERNAL', 'later')
        OR class = 'AMOUNT' AND inside * outside > 0 AND abs(outside) < abs(inside))
 ORDER BY day DESC, ref LIMIT %(most)s
"""


def _inside(known: _Known) -> list[Item]:
    """References that the ledger and the server moved and that no money came or left for, or not all."""
    waiting = statements.rows(_WAITING, {"most": _MOST})
    requests = {
        request.reference: request
        for request in MoneyRequest.objects.filter(reference__in=[row[0] for row in waiting]).select_related("client")
    }
    logins = {row[4] for row in waiting if row[4] is not None}
    accounts = TradingAccount.objects.filter(login__in=logins).select_related("client")
    names = {account.login: account.client.name for account in accounts}
    items = []
    for number, (ref, currency, amount, day, login, *inside) in enumerate(waiting):
        deals, deal_amounts, journals, journal_amounts = inside
        request = requests.get(ref)
        facts = [["deal", pk, str(part)] for pk, part in zip(deals or (), deal_amounts or (), strict=True)]
        if not facts:
            facts = [["journal", pk, str(part)] for pk, part in zip(journals or (), journal_amounts or (), strict=True)]
        known.ours[number] = (ref, facts)
        name = request.client.name if request else names.get(login, "")
        method = request.method if request else ""
        items.append(Item(number, amount, currency, day, number, references=frozenset({ref}), text=name, method=method))
    return items


_UNCLEAR = """
SELECT f.refs -> 'bank' ->> 0, f.refs -> 'psp' ->> 0, f.amount FROM found f
 WHERE f.class = 'UNIDENTIFIED' AND f.amount <> 0
UNION ALL
SELECT s.bank_ids[1]::text, s.psp_ids[1]::text, s.outside FROM sides s
 WHERE s.class = 'MISSING_INTERNAL' AND cardinality(coalesce(s.bank_ids, '{}') || coalesce(s.psp_ids, '{}')) = 1
 LIMIT %(most)s
"""


def _outside(run: Run, known: _Known) -> list[Item]:
    """Lines of PSP and bank that say nothing we know, or a reference that nothing inside has."""
    unclear = statements.rows(_UNCLEAR, {"most": _MOST})
    here = {"entity_id": run.entity_id}
    bank = {b.pk: b for b in BankLine.objects.filter(**here, pk__in=[int(row[0]) for row in unclear if row[0]])}
    psp = {p.pk: p for p in PspLine.objects.filter(**here, pk__in=[int(row[1]) for row in unclear if row[1]])}
    items = []
    for number, (bank_id, psp_id, amount) in enumerate(unclear):
        if bank_id:
            b = bank[int(bank_id)]
            known.theirs[number] = ("bank", b.pk, b.currency)
            said, currency, day, method = f"{b.end_to_end_id} {b.remittance}", b.currency, b.booking_date, ""
            text = f"{b.counterparty} {b.remittance}"
        else:
            p = psp[int(psp_id)]
            known.theirs[number] = ("psp", p.pk, p.currency)
            said, currency, day = p.merchant_reference, p.currency, p.business_date
            method, text = ("CRYPTO" if "crypto" in p.method.lower() else "CARD"), ""
        items.append(Item(number, amount, currency, day, number, references=_tokens(said), text=text, method=method))
    return items


def _tokens(said: str) -> frozenset[str]:
    """What could be a reference of ours, written wrongly: about as long, with a digit."""
    words = {word.strip(".,;:()/") for word in said.upper().split()}
    return frozenset(word for word in words if 8 <= len(word) <= 12 and any(c.isdigit() for c in word))


def _row(run: Run, one: Proposal, known: _Known, now: datetime) -> Suggestion:
    ours = [[known.ours[i.id][0], str(i.amount), i.currency, known.ours[i.id][1]] for i in one.ours]
    theirs = [[*known.theirs[i.id][:2], str(i.amount), i.currency] for i in one.theirs]
    same = json.dumps([[o[:3] for o in ours], theirs, one.rung])
    inside, outside = one.ours[0], one.theirs[0]
    references = " + ".join(known.ours[i.id][0] for i in one.ours)
    amount = sum((i.amount for i in one.theirs), Decimal(0))
    what = " + ".join(f"{kind} line {pk}" for kind, pk, *_ in theirs)
    return Suggestion(
        entity_id=run.entity_id,
        run=run,
        rule=run.rule,
        rung=one.rung,
        score=one.score,
        tie=one.tie,
        reference=references[:120],
        amount=amount,
        currency=outside.currency,
        difference=one.difference if inside.currency == outside.currency else Decimal(0),
        business_date=outside.day,
        summary=f"{what} of {amount} {outside.currency} for {references}"[:300],
        ours=ours,
        theirs=theirs,
        evidence=dict(one.evidence),
        fingerprint=hashlib.sha256(same.encode()).hexdigest(),
        made_at=now,
    )


def _keep(run: Run, rows: Mapping[str, Suggestion]) -> None:
    """What is likely again opens again, whoever's match of it was undone; what a person dismissed stays dismissed."""
    there = {row.fingerprint: row for row in Suggestion.objects.filter(entity=run.entity, fingerprint__in=rows)}
    Suggestion.objects.bulk_create([row for name, row in rows.items() if name not in there])
    for name, old in there.items():
        if old.state == SuggestionState.DISMISSED:
            continue
        old.state, old.run, old.score, old.tie = SuggestionState.OPEN, run, rows[name].score, rows[name].tie
        old.ours, old.evidence, old.rule = rows[name].ours, rows[name].evidence, run.rule
        old.save(update_fields=["state", "run", "score", "tie", "ours", "evidence", "rule"])
    gone = Suggestion.objects.filter(entity=run.entity, state=SuggestionState.OPEN, person=None)
    gone.exclude(fingerprint__in=rows).update(state=SuggestionState.GONE)


def _mark_ties(found: Sequence[Proposal], known: _Known) -> None:
    """An unidentified line that has more than one exact candidate is ambiguous: nobody is chosen for it."""
    ties: dict[tuple[str, int], list[str]] = {}
    for one in found:
        if one.tie and one.rung in _EXACT:
            kind, pk, _ = known.theirs[one.theirs[0].id]
            ties.setdefault((kind, pk), []).append(known.ours[one.ours[0].id][0])
    for (kind, pk), references in ties.items():
        statements.execute(
            "UPDATE found SET class = 'AMBIGUOUS', summary = summary || ' fits ' || %(fits)s"
            " WHERE class = 'UNIDENTIFIED' AND refs -> %(kind)s = to_jsonb(ARRAY[%(fact)s::bigint])",
            {"kind": kind, "fact": pk, "fits": ", ".join(sorted(references))},
        )
