"""MetaTrader 4: rows of the report server's table `mt4_trades`, from a CSV extract or straight from SQL.

The table has one row per ticket and rewrites it as the ticket lives; the server itself keeps no deals. What
a row becomes (CMD and CLOSE_TIME as in MT4's TradeRecord; closed means CLOSE_TIME after 1970-01-01):

- CMD 6 and 7, balance and credit: one deal, the whole amount in `profit`.
- CMD 0 and 1, closed: one deal OUT at CLOSE_TIME and CLOSE_PRICE with PROFIT, SWAPS, COMMISSION, and TAXES as
  `fee`. `side` is the side the position was opened with (an OUT of MT5 has the other one).
- CMD 0 and 1, open: one deal IN at OPEN_TIME and OPEN_PRICE, reason FLOATING, with no money at all: the
  floating result changes with every tick and is no fact yet. It is told in `facts`. When the ticket closes, its row
  becomes the next version of the same ticket.
- CMD 2 to 5, pending and cancelled orders: no deal, counted in `facts`.
- Any other CMD: kept as UNKNOWN, not booked.

A partial close makes a second ticket; the two name each other in COMMENT ("to #7231158", "from #7229647"),
and `order_id` carries that number. A stop-out shows only in COMMENT; `reason` is then SO. VOLUME is lots x 100.

Times are the server's wall clock. Setting `utc_offset_minutes` says what it was ahead of UTC: one number, or
a dated table "120;2026-03-29T03:00=180;2026-10-25T04:00=120", where a date without a time means midnight and an
entry without a date holds from the beginning. MODIFY_TIME is another clock (up to 20 seconds off either way),
so whoever reads by it must overlap by five minutes; reading a ticket twice is harmless, the newest row counts.

The extract carries no total of its own, so there is no control total: `facts` gives the closed result per
login (trades plus balance rows; credit apart) to be held against the server's own report.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import IO

from integrations.adapters import reading
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, shown
from integrations.adapters.rows import Row, Table, name_of
from integrations.ports import FileReader, Setting
from integrations.records import Deal, DealKind, Entry, Parsed, Side, Unreadable

# EET, where most MT4 servers keep their clock.
OFFSET_USUAL = "120"
FLOATING = "FLOATING"
STOP_OUT = "SO"
# Per-login and per-ticket facts beyond this many are left out; the totals stay.
LISTED_MAX = 1_000
_ZERO = Decimal(0)
_LOT = Decimal(100)
_REQUIRED = (
    "TICKET",
    "LOGIN",
    "SYMBOL",
    "CMD",
    "VOLUME",
    "OPEN_TIME",
    "OPEN_PRICE",
    "CLOSE_TIME",
    "CLOSE_PRICE",
    "PROFIT",
    "SWAPS",
    "COMMISSION",
    "TAXES",
    "COMMENT",
)
_OPTIONAL = ("REASON", "GW_VOLUME", "GW_ORDER", "MODIFY_TIME")
_SIDES = {0: Side.BUY, 1: Side.SELL}
_PENDING = (2, 3, 4, 5)
_BALANCE = {6: DealKind.BALANCE, 7: DealKind.CREDIT}
# MT4 TradeRecord.reason
_REASONS = ("CLIENT", "EXPERT", "DEALER", "SIGNAL", "GATEWAY", "MOBILE", "WEB", "API")
_NEVER = datetime(1970, 1, 1)  # noqa: DTZ001 - server wall clock, which has no zone
_LINK = re.compile(r"(?:to|from) #(\d{1,18})\b")
_STOP_OUT = re.compile(r"\bstop ?out\b|\bso:", re.IGNORECASE)
_OFFSET_MAX = 14 * 60


@dataclass(frozen=True, slots=True)
class Offsets:
    """Minutes a server's clock was ahead of UTC, from server wall times on; None means from the beginning."""

    dated: Sequence[tuple[datetime | None, int]]

    @classmethod
    def read(cls, text: str) -> Offsets:
        """Read the setting `utc_offset_minutes`. Raises Unreadable naming the entry that is wrong."""
        dated: list[tuple[datetime | None, int]] = []
        for entry in filter(None, (part.strip() for part in text.split(";"))):
            since, _, minutes = entry.rpartition("=")
            try:
                moment = datetime.fromisoformat(since.strip()) if since else None
                offset = int(minutes)
            except ValueError:
                raise Unreadable(f"Setting utc_offset_minutes: {entry!r} is not MINUTES or DATE=MINUTES.") from None
            if abs(offset) > _OFFSET_MAX or (moment is not None and moment.tzinfo is not None):
                raise Unreadable(f"Setting utc_offset_minutes: {entry!r}: minutes from -840 to 840, no zone.")
            dated.append((moment, offset))
        if not dated:
            raise Unreadable("Setting utc_offset_minutes is empty: give the server's minutes ahead of UTC.")
        return cls(sorted(dated, key=lambda entry: entry[0] or datetime.min))  # noqa: DTZ901 - wall clock

    def at(self, server_time: datetime) -> int:
        found: int | None = None
        for since, minutes in self.dated:
            if since is None or since <= server_time:
                found = minutes
        if found is None:
            raise BadField("utc_offset_minutes", f"the setting has no offset for {server_time}.")
        return found


class Mt4Trades:
    """Reads CSV extracts of `mt4_trades`, columns by name and in any order."""

    name = "mt4_trades"
    title = "MetaTrader 4 report server: mt4_trades (CSV)"
    settings: Sequence[Setting] = (
        Setting(
            "utc_offset_minutes",
            "Server clock ahead of UTC, minutes",
            "One number, or dated: 120;2026-03-29T03:00=180;2026-10-25T04:00=120",
            default=OFFSET_USUAL,
        ),
    )

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        tickets = _Tickets(settings)
        table = Table(stream, filename=filename, findings=tickets.findings, required=_REQUIRED, optional=_OPTIONAL)
        tickets.read(table.rows())
        return tickets.parsed({"encoding": table.encoding(), "rows": str(table.data_rows)})


READER: FileReader = Mt4Trades()


def rows_to_parsed(rows: Iterable[Mapping[str, object]], settings: Mapping[str, str]) -> Parsed:
    """The same from rows of SQL (`SELECT * FROM mt4_trades WHERE MODIFY_TIME >= ...`), one mapping per row.

    Values may be as a MySQL driver gives them: text, int, Decimal, datetime, None, and float for its DOUBLE
    columns, whose shortest text is taken. Column names in any case. Raises Unreadable for a missing column.
    """
    tickets = _Tickets(settings)
    count = 0

    def numbered() -> Iterable[Row]:
        nonlocal count
        for count, row in enumerate(rows, start=1):
            given = {name_of(name): _text(value) for name, value in row.items()}
            missing = [name for name in _REQUIRED if name_of(name) not in given]
            if missing:
                raise Unreadable(f"Row {count}: no column {missing[0]}. Is this the table mt4_trades?")
            names = [name for name in (*_REQUIRED, *_OPTIONAL) if name_of(name) in given]
            cells = [given[name_of(name)] for name in names]
            yield Row(count, ",".join(cells), cells, {name: place for place, name in enumerate(names)})

    tickets.read(numbered())
    return tickets.parsed({"rows": str(count)})


def _text(value: object) -> str:
    """A driver's value as the CSV extract would spell it."""
    if value is None:
        return ""
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


class _Tickets:
    """Tickets while they are read: the newest row of each, and what they add up to."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.findings = Findings()
        given = settings.get("utc_offset_minutes", "").strip()
        if not given:
            self.findings.warn(f"utc_offset_minutes is not set; {OFFSET_USUAL} was taken.")
        self._offsets = Offsets.read(given or OFFSET_USUAL)
        self._records: Packed[Deal] = Packed()
        self._lines = array("L")
        # Where a ticket's record is; of each record a hash and the MODIFY_TIME of its row (seconds).
        self._places: dict[int, int] = {}
        self._hashes = array("q")
        self._modified = array("q")
        self._floating: dict[int, Decimal] = {}
        self._replaced: set[int] = set()
        self._commands: Counter[int] = Counter()
        self._repeated = 0

    def read(self, rows: Iterable[Row]) -> None:
        for row in rows:
            try:
                self._add(row)
            except BadField as error:
                self.findings.reject(row.line, error, row.raw)

    def _add(self, row: Row) -> None:
        command = row.whole("CMD")
        if command in _PENDING:
            _positive(row, "TICKET")
            self._commands[command] += 1
            return
        deal, floating = self._deal(row, command)
        if deal.kind is DealKind.UNKNOWN:
            self.findings.warn(
                f"line {row.line}: CMD {command} of ticket {deal.ticket} is not known; kept, not booked."
            )
        modified = _seconds(row, "MODIFY_TIME")
        self._commands[command] += 1
        if not self._newest(deal, modified, row.line):
            return
        self._places[deal.ticket] = len(self._records)
        self._floating.pop(deal.ticket, None)
        if floating is not None:
            self._floating[deal.ticket] = floating
        self._records.append(deal)
        self._lines.append(row.line)
        self._hashes.append(hash(deal))
        self._modified.append(modified)

    def _newest(self, deal: Deal, modified: int, line: int) -> bool:
        """Whether this row counts; an older row of the same ticket is dropped."""
        place = self._places.get(deal.ticket)
        if place is None:
            return True
        self._repeated += 1
        if self._hashes[place] != hash(deal):
            self.findings.warn(
                f"line {line}: ticket {deal.ticket} is on line {self._lines[place]} too, with other values; "
                "the row with the later MODIFY_TIME counts."
            )
        if modified < self._modified[place]:
            return False
        self._replaced.add(place)
        return True

    def _deal(self, row: Row, command: int) -> tuple[Deal, Decimal | None]:
        """The deal of a row, and the floating result if it is an open trade."""
        opened, closed = (reading.wall_time(row.needed(name), field=name) for name in ("OPEN_TIME", "CLOSE_TIME"))
        profit, swap, commission, tax = (
            row.amount(name, blank=_ZERO) for name in ("PROFIT", "SWAPS", "COMMISSION", "TAXES")
        )
        total = profit + swap + commission + tax
        is_open = closed <= _NEVER
        when = opened if is_open else closed
        kind = DealKind.TRADE if command in _SIDES else _BALANCE.get(command, DealKind.UNKNOWN)
        base = Deal(
            ticket=_positive(row, "TICKET"),
            login=_positive(row, "LOGIN"),
            kind=kind,
            server_time=when,
            utc_offset_minutes=self._offsets.at(when),
            profit=total,
            reason=_reason(row),
            comment=row.text("COMMENT"),
        )
        if kind is not DealKind.TRADE:
            return base, None
        trade = _traded(base, row, _SIDES[command])
        if is_open:
            price = row.amount("OPEN_PRICE")
            return replace(trade, entry=Entry.IN, price=price, profit=_ZERO, reason=FLOATING), total
        price = row.amount("CLOSE_PRICE")
        closing = replace(trade, price=price, profit=profit, swap=swap, commission=commission, fee=tax)
        return closing, None

    def parsed(self, facts: dict[str, str]) -> Parsed:
        """What was read, without the rows that a newer row of the same ticket replaced."""
        records, lines = self._records, self._lines
        if self._replaced:
            records, lines = Packed(), array("L")
            for place, deal in enumerate(self._records):
                if place not in self._replaced:
                    records.append(deal)
                    lines.append(self._lines[place])
        if not facts.get("rows", "0").strip("0"):
            self.findings.warn("There are no rows.")
        return Parsed(
            records=records,
            lines=lines,
            rejected=self.findings.rejected(),
            warnings=self.findings.warnings(),
            facts=facts | self._facts(records),
        )

    def _facts(self, records: Sequence[Deal]) -> dict[str, str]:
        results: dict[int, Decimal] = {}
        credit: dict[int, Decimal] = {}
        trades: Counter[int] = Counter()
        for deal in records:
            if deal.kind is DealKind.CREDIT:
                credit[deal.login] = credit.get(deal.login, _ZERO) + deal.amount
            elif deal.kind in (DealKind.TRADE, DealKind.BALANCE):
                results[deal.login] = results.get(deal.login, _ZERO) + deal.amount
                trades[deal.login] += deal.entry is Entry.OUT
        facts = {
            "deals": str(len(records)),
            "closed_trades": str(sum(trades.values())),
            "closed_result": shown(sum(results.values(), _ZERO)),
            "floating": str(len(self._floating)),
            "pending": str(sum(self._commands[command] for command in _PENDING)),
            "repeated": str(self._repeated),
        }
        facts |= {f"cmd:{command}": str(count) for command, count in sorted(self._commands.items())}
        facts |= _listed("closed_trades", {login: str(trades[login]) for login in results})
        facts |= _listed("closed_result", {login: shown(result) for login, result in results.items()})
        facts |= _listed("credit", {login: shown(total) for login, total in credit.items()})
        return facts | _listed("floating", {ticket: shown(total) for ticket, total in self._floating.items()})


def _traded(base: Deal, row: Row, side: Side) -> Deal:
    """The parts of a deal that only trades have."""
    link = _LINK.match(base.comment)
    gateway_order = row.text("GW_ORDER").strip("0")
    return replace(
        base,
        entry=Entry.OUT,
        side=side,
        symbol=row.needed("SYMBOL"),
        volume_lots=Decimal(_positive(row, "VOLUME")) / _LOT,
        position_id=base.ticket,
        order_id=int(link[1]) if link else 0,
        # Where the table has them, the gateway's columns tell that the trade left for a provider.
        external_id=row.text("GW_ORDER") if gateway_order else "",
        gateway="GW" if row.amount("GW_VOLUME", blank=_ZERO) or gateway_order else "",
    )


def _reason(row: Row) -> str:
    if _STOP_OUT.search(row.text("COMMENT")):
        return STOP_OUT
    code = row.whole("REASON") if row.text("REASON") else 0
    return _REASONS[code] if 0 <= code < len(_REASONS) else str(code)


def _positive(row: Row, name: str) -> int:
    number = row.whole(name)
    if number <= 0:
        raise BadField(name, f"{number} is not a positive number.")
    return number


def _seconds(row: Row, name: str) -> int:
    """A wall time as seconds, for comparing only; -1 where the row has none."""
    if not row.text(name):
        return -1
    return int((reading.wall_time(row.text(name), field=name) - _NEVER).total_seconds())


def _listed(fact: str, values: Mapping[int, str]) -> dict[str, str]:
    """One fact per login or ticket, the lowest numbers first, up to a limit."""
    return {f"{fact}:{number}": values[number] for number in sorted(values)[:LISTED_MAX]}
