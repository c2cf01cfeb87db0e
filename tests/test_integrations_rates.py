"""Reference rates: what the ECB publishes is read, kept with its versions, and used directly, inverted or crossed."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from backoffice.organisation.models import Currency, FxRate
from backoffice.organisation.selectors import currencies
from backoffice.organisation.selectors.currencies import NoRate, quoted
from integrations.adapters.ecb_rates import READER
from integrations.models import FileImport, ImportState
from integrations.records import Rate, Unreadable
from integrations.services import imports
from tests.builders import ROBOT
from tests.worlds import connection

DAY = date(2026, 11, 19)
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01" '
    'xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref"><gesmes:subject>Reference rates</gesmes:subject>'
    "<Cube>{days}</Cube></gesmes:Envelope>"
)


def xml(**days: dict[str, str]) -> bytes:
    written = "".join(
        f'<Cube time="{day.replace("_", "-")[1:]}">'
        + "".join(f'<Cube currency="{code}" rate="{rate}"/>' for code, rate in rates.items())
        + "</Cube>"
        for day, rates in days.items()
    )
    return ENVELOPE.format(days=written).encode()


def parse(content: bytes) -> list[Rate]:
    parsed = READER.parse(io.BytesIO(content), filename="eurofxref.xml", settings={})
    assert all(isinstance(record, Rate) for record in parsed.records)
    return [record for record in parsed.records if isinstance(record, Rate)]


def bring(content: bytes) -> FileImport:
    source = connection("ecb_rates", "ecb")
    return imports.import_file(actor=ROBOT, connection_id=source.pk, stream=io.BytesIO(content), filename="rates.xml")


def test_xml_and_csv_say_the_same() -> None:
    said = parse(xml(d2026_11_19={"USD": "1.0850", "GBP": "0.8765"}))
    csv = b"Date,USD,GBP,CYP,\r\n2026-11-19,1.0850,0.8765,N/A,\r\n"
    daily = b"Date, USD, GBP, \r\n19 November 2026, 1.0850, 0.8765, \r\n"
    assert said == parse(csv) == parse(daily)
    assert [(rate.base, rate.quote, rate.rate, rate.rate_date) for rate in said] == [
        ("EUR", "USD", Decimal("1.0850"), DAY),
        ("EUR", "GBP", Decimal("0.8765"), DAY),
    ]
    assert said[0].published_at is not None and said[0].published_at.isoformat() == "2026-11-19T16:00:00+01:00"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin"),
        (b"<a", "not well-formed"),
        (b"<a/>", "no rates"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DOCTYPE"),
        (b"Day;USD\n", "does not begin"),
        (b"\xff\xfe\x00", "not text"),
        (xml(d2026_11_19={"USD": "1.0850"})[:-40], "not well-formed"),
    ],
)
def test_what_is_no_file_of_rates_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        READER.parse(io.BytesIO(content), filename="rates", settings={})


def test_a_bad_rate_is_named_and_the_others_are_kept() -> None:
    content = xml(d2026_11_19={"USD": "1.0850", "GBP": "-1", "JPY": "abc", "EUR": "1", "usd": "1", "CHF": "0"})
    parsed = READER.parse(io.BytesIO(content), filename="rates", settings={})
    assert len(parsed.records) == 1
    assert [row.field for row in parsed.rejected] == ["GBP", "JPY", "EUR", "usd", "CHF"]


@pytest.mark.django_db
def test_a_correction_is_a_later_version_and_a_repeat_is_nothing() -> None:
    Currency.objects.get_or_create(code="GBP", defaults={"exponent": 2, "name": "Pound"})
    first = xml(d2026_11_19={"USD": "1.0850", "GBP": "0.8765", "XXX": "2"})
    stored = bring(first)
    assert (stored.state, stored.new) == (ImportState.STORED, 2)
    again = bring(first + b"\n")
    assert (again.new, again.changed, again.duplicate) == (0, 0, 2)
    corrected = bring(xml(d2026_11_19={"USD": "1.0860", "GBP": "0.8765"}))
    assert (corrected.new, corrected.changed, corrected.duplicate) == (0, 1, 1)
    assert quoted("EUR", "USD", DAY).rate == Decimal("1.0860")
    assert FxRate.objects.filter(quote="USD", source="ECB", raw_id__isnull=False).count() == 2


@pytest.mark.django_db
def test_a_rate_is_direct_inverse_or_crossed_on_one_day_of_one_source() -> None:
    bring(xml(d2026_11_18={"USD": "1.0", "GBP": "0.5", "JPY": "150"}, d2026_11_19={"USD": "1.25", "GBP": "0.8"}))
    found = {pair: quoted(*pair, DAY, source="ECB") for pair in [("EUR", "USD"), ("USD", "EUR"), ("GBP", "USD")]}
    assert {pair: (quote.rate, quote.how) for pair, quote in found.items()} == {
        ("EUR", "USD"): (Decimal("1.25"), "direct"),
        ("USD", "EUR"): (Decimal("0.8"), "inverse"),
        ("GBP", "USD"): (Decimal("1.5625"), "via EUR"),
    }
    # Of JPY the older day is all there is, and the cross is taken on that day.
    assert (quoted("USD", "JPY", DAY, source="ECB").rate, quoted("USD", "JPY", DAY, source="ECB").date) == (
        Decimal(150),
        date(2026, 11, 18),
    )
    assert currencies.convert(Decimal("100.01"), "GBP", "GBP", DAY) == Decimal("100.01")
    with pytest.raises(NoRate, match="not before 2026-11-19"):
        quoted("USD", "JPY", DAY, source="ECB", oldest=DAY)
    with pytest.raises(NoRate):
        quoted("USD", "GBP", date(2026, 11, 17), source="ECB")


@pytest.mark.django_db
def test_postgresql_keeps_a_rate_between_its_sides() -> None:
    values = {"date": DAY, "base_id": "EUR", "quote_id": "USD", "source": "bank"}
    FxRate.objects.create(rate=Decimal("1.1"), bid=Decimal("1.09"), ask=Decimal("1.11"), **values)
    for bid, rate, ask in (("1.2", "1.1", "1.3"), ("1", "1.1", "1.05"), ("1", "1.1", None), ("0", "1", "1")):
        with pytest.raises(IntegrityError), transaction.atomic():
            FxRate.objects.create(rate=rate, bid=bid, ask=ask, version=2, **values)
