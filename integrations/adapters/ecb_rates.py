"""Euro foreign exchange reference rates of the European Central Bank: eurofxref-daily.xml, -hist-90d.xml, -hist.xml.

    <gesmes:Envelope> ... <Cube><Cube time="2026-11-19"><Cube currency="USD" rate="1.0850"/> ...

One euro buys `rate` of each currency, at 14:15 CET, published about 16:00 CET; middle rates for information, without
bid and ask. The CSV of the same name (days down, currencies across) is read too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO
from zoneinfo import ZoneInfo

from lxml import etree

from backoffice.kernel import money
from integrations.ports import Setting
from integrations.records import Parsed, Rate, Rejected, Unreadable

SOURCE = "ECB"
_HOME = "EUR"
_MOST = 40 * 1024 * 1024  # all days since 1999 are about 9 MB
_PUBLISHED = time(16, 0)
_ZONE = ZoneInfo("Europe/Berlin")


class EcbRates:
    """Reads the reference rates as the ECB publishes them."""

    name = "ecb_rates"
    title = "ECB reference rates (XML or CSV)"
    settings: Sequence[Setting] = ()

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        """Read a file. Raises Unreadable for what is neither of the two forms."""
        content = stream.read(_MOST + 1)
        if len(content) > _MOST:
            raise Unreadable(f"{filename} is larger than {_MOST // 1024 // 1024} MB. The ECB's longest file has 10 MB.")
        text = content.lstrip(b"\xef\xbb\xbf \r\n\t")
        cells = _xml(content, filename) if text.startswith(b"<") else _csv(text, filename)
        rates: list[Rate] = []
        lines: list[int] = []
        rejected: list[Rejected] = []
        for line, day, currency, said in cells:
            try:
                rates.append(_rate(day, currency, said))
                lines.append(line)
            except (ValueError, money.BadAmount) as error:
                rejected.append(Rejected(line, currency or "currency", str(error), f"{day} {currency} {said}"))
        if not rates and not rejected:
            raise Unreadable(
                f"{filename} has no rates in it. Take eurofxref-daily.xml or eurofxref-hist.csv of the ECB."
            )
        days = sorted({rate.rate_date for rate in rates})
        facts = {"first day": str(days[0]), "last day": str(days[-1]), "days": str(len(days))} if days else {}
        return Parsed(records=rates, lines=lines, rejected=rejected, facts=facts)


READER = EcbRates()


def _rate(day: str, currency: str, said: str) -> Rate:
    on = date.fromisoformat(day)
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper() or currency == _HOME:
        raise ValueError(f"{currency!r} is not another currency")
    value = money.parse(said, field="rate") if said else Decimal(0)
    if value <= 0:
        raise ValueError(f"the rate {said!r} is not more than nought")
    published = datetime.combine(on, _PUBLISHED, _ZONE)
    return Rate(source=SOURCE, base=_HOME, quote=currency, rate_date=on, rate=value, published_at=published)


def _xml(content: bytes, filename: str) -> Iterator[tuple[int, str, str, str]]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"{filename} is not well-formed XML: {error}.") from error
    if b"<!DOCTYPE" in content[:4096]:
        raise Unreadable(f"{filename} has a DOCTYPE, which a file of rates never has. It was not read.")
    for cube in root.iterfind(".//{*}Cube[@time]"):
        for cell in cube.iterfind("{*}Cube"):
            line = cell.sourceline
            said = (str(cube.get("time") or ""), str(cell.get("currency") or ""), str(cell.get("rate") or ""))
            yield (line if isinstance(line, int) else 0, *said)


def _csv(content: bytes, filename: str) -> Iterator[tuple[int, str, str, str]]:
    """Days down, currencies across; the daily file writes the day as "19 November 2026"."""
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8")))
        header = [cell.strip() for cell in next(rows, [])]
    except UnicodeDecodeError as error:
        raise Unreadable(f"{filename} is not text in UTF-8.") from error
    if not header or header[0] != "Date":
        raise Unreadable(f"{filename} does not begin with the column Date. Take eurofxref-hist.csv of the ECB.")
    for number, row in enumerate(rows, 2):
        day = _day(row[0].strip()) if row else ""
        for currency, said in zip(header[1:], row[1:], strict=False):
            if currency and said.strip() not in {"", "N/A"}:
                yield number, day, currency, said.strip()


def _day(text: str) -> str:
    try:
        return str(datetime.strptime(text, "%d %B %Y").replace(tzinfo=_ZONE).date())
    except ValueError:
        return text
