"""The cash run: rungs 1 to 3 of the ladder over all our facts at once, then what is likely for what is left.

The sure rungs are SQL over a million lines (sql/cash_*.sql); the others are the same code that compares files of other
houses (services/ladder), over the few lines that the sure ones leave.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.services.booking import plan
from accounts.services.wallets import house_accounts
from backoffice.kernel.actor import Actor, System
from backoffice.organisation.selectors import calendars
from integrations.models import Connection
from integrations.records import PAYOUT_TOKEN, PAYOUT_TOKEN_SQL
from ledger.selectors.lines import journals_by_key
from ledger.services import journal, periods
from ledger.services.journal import Draft, Entry
from payments.services.deposits import ALLOCATED
from reconciliation.models import Run
from reconciliation.services import statements, suggesting

# In PostgreSQL's dialect; the same references as in accounts.services.booking.plan.
REFERENCE = plan.REFERENCE.pattern.replace(r"\b", r"\y")
LOOK_BACK = timedelta(days=60)
RECLASS = "RECLASS"
UNALLOCATED = "clearing.unallocated"
_ACTOR = System("reconciliation")
# States in which a PSP says that money will come (Adyen's payment accounting report, column Record Type).
ON_ITS_WAY = ("Received", "Authorised", "SentForSettle", "Settled", "SettledExternally")
_TABLES = """
DROP TABLE IF EXISTS agreed, parts, kinds, sides, told, payout_sides, fresh_matches;
CREATE TEMP TABLE agreed (key text, rung text, currency text, amount numeric, difference numeric, evidence jsonb)
    ON COMMIT DROP;
CREATE TEMP TABLE kinds (key text PRIMARY KEY, class text, why text, amount numeric, deals bigint[], journals bigint[],
    psp bigint[]) ON COMMIT DROP;
CREATE TEMP TABLE parts (key text, fact_kind text, fact_id bigint, amount numeric) ON COMMIT DROP;
"""


def since(day: date) -> date:
    """The first day that a cash run of `day` looks at."""
    return day - LOOK_BACK


def match_cash(run: Run, cutoff: datetime, now: datetime) -> tuple[int, int, list[str]]:
    """Fill the table `found`, store matches and suggestions; returns compared, matched and notes."""
    values = values_of(run, cutoff, now)
    reclassed = take_out_parts(run, values)
    statements.execute(_TABLES)
    statements.execute(statements.text("cash_references.sql"), values)
    statements.execute(statements.text("cash_kinds.sql"), values | _rates_needed(run))
    ((compared, matched),) = statements.rows(statements.text("cash_agreed.sql"), values)
    ((payouts, arrived),) = statements.rows(statements.text("cash_payouts.sql"), values)
    statements.execute(statements.text("cash_single.sql"), values)
    statements.execute(statements.text("cash_matches.sql"), values)
    open_ones = suggesting.suggest(run=run, cutoff=cutoff, now=now)
    notes = [f"{open_ones} matches are suggested and wait for a person"] if open_ones else []
    ((tolerated,),) = statements.rows("SELECT count(*) FROM agreed WHERE difference <> 0")
    if tolerated:
        notes.append(f"{tolerated} matched with a difference inside the tolerance of {run.rule}")
    if reclassed:
        notes.append(f"{reclassed} parts of batched bank lines were taken out of the unallocated receipts")
    return compared + payouts, matched + arrived, notes


def values_of(run: Run, cutoff: datetime, now: datetime) -> dict[str, Any]:
    """What the SQL needs to know; windows in business days of the entity's calendar."""
    rules = run.rule.parameters

    def overdue(days: int) -> date:
        """The newest business day that had `days` business days to arrive."""
        return calendars.add_business_days(run.entity.calendar, run.business_date, -days)

    return {
        "entity": run.entity_id,
        "run": run.pk,
        "rule": run.rule_id,
        "day": run.business_date,
        "cutoff": cutoff,
        "now": now,
        "actor": _ACTOR.label,
        "since": since(run.business_date),
        "pattern": REFERENCE,
        "payout_pattern": PAYOUT_TOKEN_SQL,
        "allocated": ALLOCATED,
        "overdue": overdue(int(rules["external_days"])),
        "payout_overdue": overdue(int(rules["payout_days"])),
        "internal_overdue": overdue(int(rules.get("internal_days", 1))),
        "fee_rate": Decimal(rules.get("fee_rate", {}).get(run.entity.code, "0")),
        "fee_fixed": Decimal(rules.get("fee_fixed", {}).get(run.entity.code, "0")),
        "fee_tolerance": Decimal(rules["fee_tolerance"]),
        "fx_points": Decimal(rules.get("fx_points", "50")),
        "fx_band": Decimal(rules.get("fx_band", "0")),
        "connections": list(Connection.objects.filter(entity_id=run.entity_id).values_list("pk", flat=True)),
        "on_its_way": list(ON_ITS_WAY),
        "tolerances": json.dumps(rules.get("amount_tolerance", {})),
    }


def _rates_needed(run: Run) -> dict[str, list[Any]]:
    """The day's rates of the references whose currencies or amounts differ, as columns."""
    found, rate_of = [], suggesting.rates_of(run)
    for base, quote, on in statements.rows(_CONVERTED):
        rate = rate_of(base, quote, on)
        if rate is not None:
            found.append((base, quote, on, rate))
    columns = [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]
    return dict(zip(("bases", "quotes", "days", "rates"), columns, strict=True))


def take_out_parts(run: Run, values: dict[str, Any]) -> int:
    """Book the parts of batched bank lines that carry our references out of the unallocated receipts.

    A batch was booked as one line nobody was found for; the notice that tells its parts may come later. Once per part.
    """
    found = statements.rows(_PARTS, values)
    keys = [f"reclass:bank:{line}:{notice}" for line, notice, *_ in found]
    known = journals_by_key(run.entity_id, keys)
    day = periods.posting_date(run.entity_id, run.business_date)
    codes = (UNALLOCATED, plan.CLIENT_MONEY, "clearing.payouts")
    accounts = {code: house_accounts(run.entity_id, code) for code in codes}
    drafts = []
    for key, (line, _, amount, currency, said) in zip(keys, found, strict=True):
        if key in known or currency not in accounts[UNALLOCATED]:
            continue
        code = "clearing.payouts" if PAYOUT_TOKEN.search(said) else plan.CLIENT_MONEY
        entries = [Entry(accounts[UNALLOCATED][currency], amount), Entry(accounts[code][currency], -amount)]
        token = (PAYOUT_TOKEN.search(said) or plan.REFERENCE.search(said) or [""])[0]
        text = f"{token} in batched bank line {line}"
        drafts.append(Draft(key, day, RECLASS, text, entries, reference=f"bank:{line}"))
    if drafts:
        journal.post_many(actor=_actor(), entity_id=run.entity_id, drafts=drafts)
    return len(drafts)


def _actor() -> Actor:
    return _ACTOR


_CONVERTED = """
SELECT DISTINCT CASE class WHEN 'CURRENCY' THEN outside_currency ELSE original_currency END, own_currency, day
  FROM sides
 WHERE class = 'CURRENCY'
    OR class = 'AMOUNT' AND original_currency <> '' AND original_currency <> own_currency AND original <> 0
 ORDER BY 1, 2, 3
"""
# Only lines that are booked, as what nobody was found for.
_PARTS = """
SELECT b.line_id, b.notice_id, b.amount, b.currency, b.end_to_end_id || ' ' || b.remittance
  FROM integrations_bank_parts(%(entity)s, %(since)s, %(day)s, %(cutoff)s) b
  JOIN integrations_bankline l ON l.id = b.line_id AND l.entity_id = %(entity)s
 WHERE b.notice_id IS NOT NULL AND b.amount <> 0
   AND b.end_to_end_id || ' ' || b.remittance ~ (%(pattern)s || '|' || %(payout_pattern)s)
   AND l.end_to_end_id || ' ' || l.remittance !~ (%(pattern)s || '|' || %(payout_pattern)s)
   AND l.bank_code NOT LIKE '%%CHRG%%'
   AND EXISTS (SELECT FROM accounts_bookingcursor c
                WHERE c.connection_id = l.connection_id AND c.fact_kind = 'bank' AND c.through_id >= l.id)
   AND NOT EXISTS (SELECT FROM accounts_unbooked u
                    WHERE u.fact_kind = 'bank' AND u.fact_id = l.id AND u.closed_at IS NULL)
 ORDER BY 1, 2
"""
