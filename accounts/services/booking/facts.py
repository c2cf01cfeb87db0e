"""The kinds of facts that are booked: how their rows are read and what plan each becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection as database

from accounts.selectors import journal_keys
from accounts.services.booking.plan import Plan, plan_bank, plan_deal, plan_fill, plan_psp
from integrations.models import Connection
from integrations.records import PspKind

Row = dict[str, Any]


@dataclass(frozen=True)
class Bookable:
    """A kind of fact: its table, the columns a plan needs, its plan."""

    kind: str
    table: str
    columns: tuple[str, ...]
    plan: Callable[[Row], Plan]
    currency: Callable[[Row], str]
    day_column: str
    # The first day on which the fact may be booked; None where that is as soon as it is known.
    due: Callable[[Row], date | None] = lambda row: None

    def key(self, row: Row) -> str:
        """What identifies the fact at its source."""
        return journal_keys.source_key(self.kind, row)

    def journal_key(self, connection_id: int, row: Row, version: int) -> str:
        """The idempotency key of one fact version's journal."""
        return journal_keys.journal_key(self.kind, connection_id, row, version)

    def read(self, connection: Connection, *, after: int, limit: int) -> list[Row]:
        """The next facts of a connection in the order of their ids."""
        return self._fetch("id > %s ORDER BY id LIMIT %s", connection, [after, limit])

    def read_ids(self, connection: Connection, ids: Sequence[int]) -> list[Row]:
        return self._fetch("id = ANY (%s) ORDER BY id", connection, [list(ids)])

    def _fetch(self, where: str, connection: Connection, values: list[Any]) -> list[Row]:
        names = ("id", "version", self.day_column, *self.columns)
        with database.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(names)} FROM {self.table}"  # noqa: S608 - names from the definitions below
                f" WHERE entity_id = %s AND connection_id = %s AND {where}",
                [connection.entity_id, connection.pk, *values],
            )
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _pick(row: Row, *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


DEAL = Bookable(
    kind="deal",
    table="integrations_deal",
    columns=(
        "ticket", "login", "kind", "symbol", "side", "volume_lots", "gateway", "comment", "profit", "swap",
        "commission", "fee", "deleted",
    ),
    plan=lambda row: plan_deal(
        **_pick(
            row, "kind", "ticket", "symbol", "side", "volume_lots", "gateway", "comment", "profit", "swap",
            "commission", "fee", "deleted",
        )
    ),
    currency=lambda row: "",
    day_column="business_date",
)  # fmt: skip
PSP = Bookable(
    kind="psp",
    table="integrations_pspline",
    columns=(
        "line_key", "kind", "provider_type", "psp_reference", "merchant_reference", "modification_reference",
        "gross", "fee", "net", "currency",
    ),
    # Money that comes out of a reserve counts from its release on (integrations: psp_day).
    due=lambda row: row["business_date"] if row["kind"] == PspKind.RESERVE else None,
    plan=lambda row: plan_psp(
        reference=row["merchant_reference"] or row["modification_reference"] or row["psp_reference"],
        **_pick(row, "kind", "provider_type", "gross", "fee", "net"),
    ),
    currency=lambda row: row["currency"],
    day_column="business_date",
)  # fmt: skip
BANK = Bookable(
    kind="bank",
    table="integrations_bankline",
    columns=(
        "line_key", "account", "amount", "currency", "remittance", "end_to_end_id", "counterparty",
        "counterparty_account", "bank_code",
    ),
    plan=lambda row: plan_bank(
        is_charge="CHRG" in row["bank_code"],
        is_payout=row.get("is_payout", False),
        **_pick(row, "amount", "remittance", "end_to_end_id", "counterparty"),
    ),
    currency=lambda row: row["currency"],
    day_column="booking_date",
)  # fmt: skip
FILL = Bookable(
    kind="fill",
    table="integrations_fill",
    columns=("exec_id", "occurrence", "commission", "commission_currency"),
    plan=lambda row: plan_fill(exec_id=row["exec_id"], commission=row["commission"]),
    currency=lambda row: row["commission_currency"],
    day_column="trade_date",
)

BOOKABLE: tuple[Bookable, ...] = (DEAL, PSP, BANK, FILL)
