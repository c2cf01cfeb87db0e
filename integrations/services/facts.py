"""Records into stored facts: derive what our own reference data adds, cut into batches, store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import islice

from integrations import records
from integrations.models import Connection
from integrations.models.columns import BANK, DEAL, FILL, NOTICE, PSP, SNAPSHOT, Table, moment
from integrations.services import clocks
from integrations.services.rates import keep_rates
from integrations.services.store import BATCH, Row, Stored, store

# (record, raw message, line of it)
Located = tuple[records.Record, int, int]
_WALL = DEAL.said.index("server_time")


def store_records(*, connection: Connection, located: Iterable[Located], received_at: datetime) -> Stored:
    """Store records of any kinds, in order. The caller holds the feed lock."""
    clock = clocks.clock_of(connection)
    occurrences: Counter[str] = Counter()
    quoted: list[tuple[records.Rate, int]] = []
    stored = Stored()
    for table, rows in _batches(_rows(located, clock, occurrences, quoted)):
        stored += store(connection=connection, table=table, rows=rows, received_at=received_at)
    stored += keep_rates(located=quoted)
    return stored


def _rows(
    located: Iterable[Located], clock: clocks.Clock, occurrences: Counter[str], quoted: list[tuple[records.Rate, int]]
) -> Iterator[tuple[Table, Row]]:
    """Rows of all but rates, which are the house's and no connection's; those are put aside."""
    for record, raw_id, line in located:
        match record:
            case records.Deal():
                said = DEAL.said_of(record)
                yield DEAL, Row(said, (said[_WALL][:10], str(clock.utc_of(record))), raw_id, line)
            case records.Fill():
                occurrences[record.exec_id] += 1
                yield FILL, Row(FILL.said_of((record, occurrences[record.exec_id])), (), raw_id, line)
            case records.PspLine():
                yield PSP, Row(PSP.said_of(record), (str(psp_day(record)),), raw_id, line)
            case records.BankLine():
                yield BANK, Row(BANK.said_of(record), (), raw_id, line)
            case records.BankNotice():
                yield NOTICE, Row(NOTICE.said_of(record), (), raw_id, line)
            case records.AccountState():
                taken = clock.to_utc(record.server_time)
                yield SNAPSHOT, Row(SNAPSHOT.said_of(record), (moment(taken) + "+00",), raw_id, line)
            case records.Rate():
                quoted.append((record, raw_id))


def psp_day(line: records.PspLine) -> date:
    """The day a PSP's line counts: when it was booked (UTC); money out of a reserve from its release on."""
    day = line.booked_at.date()
    if line.kind is records.PspKind.RESERVE and line.net > 0 and line.available_on is not None:
        return max(day, line.available_on)
    return day


def _batches(rows: Iterator[tuple[Table, Row]]) -> Iterator[tuple[Table, Sequence[Row]]]:
    """Cut at the batch size, at a change of kind, and where a key comes again: versions build on each other."""
    while chunk := list(islice(rows, BATCH)):
        start = 0
        kept = chunk[0][0]
        seen: set[tuple[str, ...]] = set()
        for index, (table, row) in enumerate(chunk):
            key = table.key_of(row.said)
            if key in seen or table is not kept:
                yield kept, [r for _, r in chunk[start:index]]
                kept, start, seen = table, index, set()
            seen.add(key)
        yield kept, [r for _, r in chunk[start:]]
