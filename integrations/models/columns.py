"""How each kind of record becomes a row, and the hash of what the source said.

The hash is SHA-256 over the texts of the `said` columns, joined by the unit separator. PostgreSQL can compute
the same from a stored row (`hash_sql`), so a row changed by hand is found without our Python.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from typing import Any

from integrations import records

SEPARATOR = "\x1f"
_UNSTORABLE = re.compile("[\x00\x1f\ud800-\udfff]")


def is_storable(texts: str) -> bool:
    """Whether PostgreSQL can keep these texts and the hash can tell where one ends."""
    return _UNSTORABLE.search(texts) is None


def storable(said: Sequence[str]) -> tuple[str, ...]:
    """The texts as they are kept: a NUL or half of a surrogate pair, which no text of PostgreSQL's can hold, and the
    separator itself become U+FFFD. Always before hashing: what is hashed is what is stored."""
    return tuple(_UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text) for text in said)


def number(value: Decimal) -> str:
    """A decimal as PostgreSQL prints it back: plain digits, its own scale, no negative zero."""
    text = str(value)
    if "E" in text or text.startswith("-0"):
        return format(value if value else abs(value), "f")
    return text


def moment(value: datetime) -> str:
    return value.isoformat(" ", "microseconds")[:26]


def flag(value: bool) -> str:
    return "true" if value else "false"


@dataclass(frozen=True)
class Table:
    """One kind of fact: its table, what identifies it at the source, and its columns.

    `said` columns are what the source said and go into the hash; `derived` ones follow from them and from
    our own reference data (the server's clock). The last `later` of the said columns came when there were facts
    already: they are NULL and out of the hash where they are empty, so that older rows keep theirs.
    """

    kind: str
    table: str
    key: tuple[str, ...]
    key_casts: tuple[str, ...]
    said: tuple[str, ...]
    said_of: Callable[[Any], tuple[str, ...]]
    moments: frozenset[str] = frozenset()
    utc_moments: frozenset[str] = frozenset()
    derived: tuple[str, ...] = ()
    later: int = 0

    @cached_property
    def key_of(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """What identifies a record, out of its `said` texts."""
        places = [self.said.index(column) for column in self.key]
        if len(places) > 1:
            return itemgetter(*places)
        (place,) = places
        return lambda said: (said[place],)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.said, *self.derived)

    def content(self, said: Sequence[str]) -> str:
        """The text that the hash is of."""
        if self.later:
            said = (*said[: -self.later], *filter(None, said[-self.later :]))
        return SEPARATOR.join(said)

    def copied(self, values: Iterable[str]) -> str:
        """The columns' texts as a line for COPY, NULL where a later one is empty."""
        texts = list(values)
        for place in range(len(self.said) - self.later, len(self.said)):
            texts[place] = texts[place] or "\\N"
        return "\t".join(texts)

    def hash_sql(self) -> str:
        """The content hash of a stored row, as an SQL expression over its columns."""
        parts = []
        for column in self.said:
            if column in self.moments:
                parts.append(f"to_char({column}, 'YYYY-MM-DD HH24:MI:SS.US')")
            elif column in self.utc_moments:
                parts.append(f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')")
            else:
                parts.append(f"{column}::text")
        return f"sha256(convert_to(concat_ws(E'\\x1f', {', '.join(parts)}), 'UTF8'))"


def digest(said: Sequence[str]) -> bytes:
    return hashlib.sha256(SEPARATOR.join(said).encode()).digest()


def _deal(r: records.Deal) -> tuple[str, ...]:
    return (
        str(r.ticket),
        str(r.login),
        r.kind.value,
        r.entry.value,
        r.side.value,
        r.symbol,
        number(r.volume_lots),
        number(r.contract_size),
        number(r.price),
        number(r.profit),
        number(r.swap),
        number(r.commission),
        number(r.fee),
        str(r.position_id),
        str(r.order_id),
        r.external_id,
        r.gateway,
        r.reason,
        r.comment,
        str(r.modify_flags),
        flag(r.deleted),
        moment(r.server_time),
    )


def _fill(r: tuple[records.Fill, int]) -> tuple[str, ...]:
    fill, occurrence = r
    return (
        fill.exec_id,
        str(occurrence),
        fill.order_ref,
        fill.symbol,
        fill.side.value,
        number(fill.quantity_units),
        number(fill.price),
        number(fill.commission),
        fill.commission_currency,
        fill.account,
        moment(fill.traded_at),
        str(fill.trade_date),
    )


def _psp(r: records.PspLine) -> tuple[str, ...]:
    return (
        r.line_key,
        r.kind.value,
        r.provider_type,
        r.psp_reference,
        r.merchant_reference,
        r.modification_reference,
        number(r.gross),
        number(r.fee),
        number(r.net),
        r.currency,
        number(r.gross_original),
        r.currency_original,
        r.exchange_rate,
        r.payout_key,
        r.bank_reference,
        r.method,
        moment(r.booked_at),
        r.booked_zone,
        str(r.available_on or ""),
    )


def _bank(r: records.BankEntry) -> tuple[str, ...]:
    return (
        r.line_key,
        r.account,
        r.statement_id,
        number(r.amount),
        r.currency,
        str(r.booking_date),
        str(r.value_date),
        r.bank_reference,
        r.end_to_end_id,
        r.remittance,
        r.counterparty,
        r.counterparty_account,
        flag(r.is_reversal),
        r.bank_code,
        json.dumps(dict(r.details), sort_keys=True, ensure_ascii=False, separators=(",", ":")),
    )


def _notice(r: records.BankNotice) -> tuple[str, ...]:
    return (*_bank(r), r.message, r.entry_key, r.entry_reference, number(r.entry_amount))


def _snapshot(r: records.AccountState) -> tuple[str, ...]:
    return (
        str(r.login),
        str(r.server_time.date()),
        r.currency,
        number(r.balance),
        number(r.credit),
        number(r.equity),
        r.group,
        str(r.leverage),
        r.name,
    )


DEAL = Table(
    kind="deal",
    table="integrations_deal",
    key=("ticket",),
    key_casts=("bigint",),
    said=(
        "ticket", "login", "kind", "entry", "side", "symbol", "volume_lots", "contract_size", "price", "profit",
        "swap", "commission", "fee", "position_id", "order_id", "external_id", "gateway", "reason", "comment",
        "modify_flags", "deleted", "server_time",
    ),
    said_of=_deal,
    moments=frozenset({"server_time"}),
    derived=("business_date", "dealt_at"),
)  # fmt: skip
FILL = Table(
    kind="fill",
    table="integrations_fill",
    key=("exec_id", "occurrence"),
    key_casts=("text", "int"),
    said=(
        "exec_id", "occurrence", "order_ref", "symbol", "side", "quantity_units", "price", "commission",
        "commission_currency", "account", "traded_at", "trade_date",
    ),
    said_of=_fill,
    utc_moments=frozenset({"traded_at"}),
)  # fmt: skip
PSP = Table(
    kind="psp",
    table="integrations_pspline",
    key=("line_key",),
    key_casts=("text",),
    said=(
        "line_key", "kind", "provider_type", "psp_reference", "merchant_reference", "modification_reference",
        "gross", "fee", "net", "currency", "gross_original", "currency_original", "exchange_rate", "payout_key",
        "bank_reference", "method", "booked_at", "booked_zone", "available_on",
    ),
    said_of=_psp,
    utc_moments=frozenset({"booked_at"}),
    later=1,
    derived=("business_date",),
)  # fmt: skip
BANK = Table(
    kind="bank",
    table="integrations_bankline",
    key=("line_key",),
    key_casts=("text",),
    said=(
        "line_key", "account", "statement_id", "amount", "currency", "booking_date", "value_date",
        "bank_reference", "end_to_end_id", "remittance", "counterparty", "counterparty_account", "is_reversal",
        "bank_code", "details",
    ),
    said_of=_bank,
)  # fmt: skip
NOTICE = Table(
    kind="notice",
    table="integrations_banknotice",
    key=BANK.key,
    key_casts=BANK.key_casts,
    said=(*BANK.said, "message", "entry_key", "entry_reference", "entry_amount"),
    said_of=_notice,
)
SNAPSHOT = Table(
    kind="snapshot",
    table="integrations_accountsnapshot",
    key=("login", "business_date"),
    key_casts=("bigint", "date"),
    said=("login", "business_date", "currency", "balance", "credit", "equity", "group_name", "leverage", "name"),
    said_of=_snapshot,
    derived=("taken_at",),
)

TABLES: tuple[Table, ...] = (DEAL, FILL, PSP, BANK, NOTICE, SNAPSHOT)
BY_KIND = {table.kind: table for table in TABLES}
