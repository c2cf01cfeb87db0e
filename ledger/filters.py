"""How the ledger's lists narrow."""

from __future__ import annotations

from backoffice.ui import filters
from ledger.models import Kind


class JournalFilters(filters.Filters):
    journal = filters.Whole("pk", "Journal")
    day = filters.DateRange("business_date", "Business day")
    key = filters.Exact("key", "Key", hint="deal:3:1001:v1")
    kind = filters.Choice("kind", "Kind", [(k, k) for k in ("DEAL", "PSP", "BANK", "FILL", "MANUAL", "WRITE_OFF")])
    entity = filters.Entities()


class RateFilters(filters.Filters):
    date = filters.DateRange("date", "Day")
    base = filters.Exact("base_id", "Base", hint="EUR")
    quote = filters.Exact("quote_id", "Quote", hint="USD")
    source = filters.Exact("source", "Source", hint="MANUAL")


class LedgerAccountFilters(filters.Filters):
    code = filters.Prefix("code", "Account", hint="client.balance")
    kind = filters.Choice("kind", "Kind", Kind.choices)
    currency = filters.Exact("currency_id", "Currency", hint="USD")
    entity = filters.Entities()
