"""Bad files through the real command, for every reader: a clear answer that names file, line and field, good rows kept
where the format allows it, and afterwards the right file adds exactly its rows and books them once."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Unbooked
from accounts.services import booking, clients
from accounts.services.clients import Login
from integrations.models import BankLine, Connection, Deal, FileImport, Fill, Instrument, PspLine, SymbolMapping
from ledger.models import Journal
from ledger.services import chart
from tests import camt, commands
from tests.attacks import findings
from tests.builders import ROBOT
from tests.commands import Answer
from tests.test_integrations_adyen import HEADER as ADYEN_HEADER
from tests.test_integrations_adyen import payout
from tests.test_integrations_adyen import row as adyen_row
from tests.test_integrations_lp import HEADER as LP_HEADER
from tests.test_integrations_lp import row as lp_row
from tests.test_integrations_mt4 import CLOSED, DEPOSIT
from tests.test_integrations_mt4 import text as mt4_text
from tests.worlds import world

pytestmark = pytest.mark.django_db
SEVERAL = 3


@dataclass(frozen=True)
class Source:
    """A reader, a good file of it with three payments, and where its facts and amounts are.

    `with_amount` is the good file with the amount of its second row written another way; `proves` says whether a file
    that lost or doubled a row is noticed by its own control totals; `facts` counts all facts of the good file.
    """

    adapter: str
    file: str
    good: str
    with_amount: Callable[[str], str]
    field: str
    line: int
    proves: bool
    model: Any
    facts: int
    journals: int

    @property
    def name(self) -> str:
        return f"{self.adapter}-source"


def adyen(
    second: str = "100.00", *, currency: str = "EUR", when: str = "2026-11-18 10:00:00", zone: str = "CET"
) -> str:
    changes = [{"Psp_Reference": f"PSP{n}", "Merchant_Reference": f"D-0000000{n}"} for n in range(SEVERAL)]
    rows = [adyen_row(**one) for one in changes]
    rows[1] = adyen_row(**changes[1], Gross_Credit_GC=second, Creation_Date=when, TimeZone=zone)
    if currency != "EUR":
        rows[1] = adyen_row(**changes[1], Net_Currency=currency, Gross_Currency=currency)
        rows.append(payout("98.00", currency))
        return "\n".join([ADYEN_HEADER, *rows, payout("196.00")]) + "\n"
    return "\n".join([ADYEN_HEADER, *rows, payout("294.00")]) + "\n"


def bank(second: str = "100.00", **changes: str) -> str:
    entries = [
        camt.entry("100.00", AcctSvcrRef=camt.tag("AcctSvcrRef", f"REF{n}"), **(changes if n == 1 else {}))
        for n in range(SEVERAL)
    ]
    if second != "100.00":
        entries[1] = camt.entry(Amt=camt.money(second), AcctSvcrRef=camt.tag("AcctSvcrRef", "REF1"))
    text = camt.message(camt.balanced("0.00", "300.00", *entries))
    return text.replace("><", ">\n<")


def mt4(second: str = "225.00", **changes: str) -> str:
    closed = [CLOSED | {"TICKET": str(1001 + n)} for n in range(SEVERAL)]
    closed[1] |= {"PROFIT": second, **changes}
    return mt4_text(DEPOSIT, *closed)


def lp(second: str = "100000", **changes: str) -> str:
    rows = [lp_row(exec_id=f"E{n}", order_ref=f"O{n}", **(changes if n == 1 else {})) for n in range(SEVERAL)]
    if second != "100000":
        rows[1] = lp_row(exec_id="E1", order_ref="O1", quantity=second)
    return "\n".join([LP_HEADER, *rows, "TRAILER,3,300000"]) + "\n"


SOURCES = [
    Source("adyen_settlement", "batch_7.csv", adyen(), adyen, "Gross Credit (GC)", 3, True, PspLine, 4, 4),
    Source("camt053", "day.xml", bank(), bank, "Ntry/Amt", 2, True, BankLine, 3, 3),
    Source("mt4_trades", "extract.csv", mt4(), mt4, "PROFIT", 4, False, Deal, 4, 4),
    Source("lp_fills", "fills.csv", lp(), lp, "quantity", 3, True, Fill, 3, 3),
]
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.adapter)


class Desk:
    """The connections of all readers, in a house whose accounts and symbols are there."""

    def __init__(self, folder: Path) -> None:
        w = world()
        self.folder = folder
        self.entity_id = w.bank.entity_id
        given = {"mt4_trades": {"utc_offset_minutes": "120"}}
        for source in SOURCES:
            settings_ = [f"--set={k}={v}" for k, v in given.get(source.adapter, {}).items()]
            added = commands.here("connection", "add", "--adapter", source.adapter, "--name", source.name, *settings_)
            assert added.code == 0
        chart.open_house(actor=ROBOT, entity_id=self.entity_id, currency="EUR")
        mt4_source = Connection.objects.get(name="mt4_trades-source")
        logins = [Login(client_id=w.client.pk, connection_id=mt4_source.pk, login=500001, currency="USD")]
        clients.open_trading_accounts(actor=ROBOT, logins=logins)
        SymbolMapping.objects.create(
            connection=mt4_source,
            symbol="EURUSD",
            instrument=Instrument.objects.get(code="EURUSD"),
            contract_size=Decimal(100000),
        )

    def bring(self, source: Source, body: str | bytes, name: str = "") -> Answer:
        path = self.folder / (name or source.file)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        return commands.here("import_file", "--source", source.name, str(path))

    def book(self) -> int:
        return booking.book_all(actor=ROBOT).journals

    def then_the_right_file_is_stored_once(self, source: Source) -> None:
        """Whatever was handed in before, the right file completes it; nothing is twice in facts or books."""
        known = source.model.objects.count()
        answer = self.bring(source, source.good)
        assert (answer.code, answer["state"], answer["rejected"]) == (0, "stored", [])
        assert (answer["new"], answer["duplicate"]) == (source.facts - known - answer["changed"], known)
        self.book()
        assert source.model.objects.count() == source.facts
        assert Journal.objects.count() == source.journals
        again = self.bring(source, source.good)
        assert commands.only(again.value, "new", "changed", "duplicate") == (0, 0, source.facts)
        assert self.book() == 0
        assert not Unbooked.objects.filter(closed_at=None).exists()
        assert findings() == set()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@every_source
def test_the_good_file_is_good(desk: Desk, source: Source) -> None:
    answer = desk.bring(source, source.good)
    assert (answer.code, answer["state"], answer["new"]) == (0, "stored", source.facts)
    assert answer["balanced"] is (True if source.proves else None)
    desk.then_the_right_file_is_stored_once(source)


@every_source
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n\n",
        b"\xef\xbb\xbf",
        "UTF-16",
        "UTF-16-LE",
        "UTF-32",
        "gzip",
        "zip",
        "bomb",
        b"\x00" * 5000,
        b"<html><body>Sign in</body></html>",
        b"%PDF-1.7",
    ],
    ids=lambda body: body if isinstance(body, str) else repr(body[:8]),
)
def test_what_is_no_such_file_is_refused_by_name(desk: Desk, source: Source, body: bytes | str) -> None:
    if isinstance(body, str):
        if body.startswith("UTF-16") and source.adapter == "camt053":
            pytest.skip("XML declares its encoding; UTF-16 is allowed there and tested in its own file")
        body = _packed(body, source.good)
    answer = desk.bring(source, body)
    assert (answer.code, answer["state"]) == (1, "refused")
    assert source.file in answer["error"]
    assert answer["error"].endswith((".", "?")), "it says what to do"
    assert source.model.objects.count() == 0
    desk.then_the_right_file_is_stored_once(source)


def _packed(how: str, text: str) -> bytes:
    if how == "gzip":
        return gzip.compress(text.encode())
    if how in ("zip", "bomb"):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inside.csv", text if how == "zip" else b"0" * 50_000_000)
        return out.getvalue()
    return text.encode(how)


@every_source
@pytest.mark.parametrize(
    "amount",
    [
        "NaN", "-NaN", "sNaN", "Infinity", "-inf", "1e2", "1E+2", "100e-2", "1,000.00", "1.000,00", "100,00", "1_000",
        "0x64", "100.00 EUR", "--100", "+-100", "100.0.0", "١٠٠", "１００", "∞", "1" * 40, "1." + "0" * 40, "abc",
        "=1+1", "100\u00a0000",
    ],
)  # fmt: skip
def test_an_amount_that_is_no_plain_number_is_rejected_by_line_and_field(
    desk: Desk, source: Source, amount: str
) -> None:
    quoted = f'"{amount}"' if "," in amount and source.adapter != "camt053" else amount
    answer = desk.bring(source, source.with_amount(quoted))
    ((line, field, reason),) = [(r["line"], r["field"], r["reason"]) for r in answer["rejected"]]
    assert (line, field) == (source.line, source.field)
    assert reason
    assert answer["file"] == source.file
    if source.proves:
        assert (answer.code, answer["state"], answer["balanced"]) == (1, "held", False)
        assert source.model.objects.count() == 0, "nothing of a held file is a fact"
    else:
        assert (answer.code, answer["state"]) == (0, "stored")
        assert source.model.objects.count() == source.facts - 1, "the good rows are kept"
    desk.then_the_right_file_is_stored_once(source)


@every_source
def test_a_file_cut_in_the_middle(desk: Desk, source: Source) -> None:
    """At any byte: it is refused or held, or a table without totals loses the row that was cut and no other."""
    body = source.good.rstrip("\n").encode()
    header = body.index(b"\n") if source.adapter != "camt053" else 1
    states = set()
    for end in range(header + 2, len(body) - 1, 37):
        answer = desk.bring(source, body[:end], f"cut-{end}.part")
        states.add(answer["state"])
        if answer["state"] == "refused":
            assert f"cut-{end}.part" in answer["error"]
        elif answer["state"] == "stored":
            assert not source.proves, f"cut at {end}"
            assert all(row["line"] == body[:end].count(b"\n") + 1 for row in answer["rejected"])
    assert states == ({"stored"} if not source.proves else states & {"held", "refused"})
    desk.then_the_right_file_is_stored_once(source)


@every_source
def test_a_file_that_was_doubled(desk: Desk, source: Source) -> None:
    answer = desk.bring(source, source.good + source.good)
    assert answer["state"] == {"camt053": "refused", "mt4_trades": "stored"}.get(source.adapter, "held")
    desk.then_the_right_file_is_stored_once(source)


@every_source
def test_rows_that_are_doubled(desk: Desk, source: Source) -> None:
    """The second row twice: the totals notice; a table of tickets takes the ticket once."""
    if source.adapter == "camt053":
        first = source.good.index("<Ntry>")
        end = source.good.index("</Ntry>") + len("</Ntry>")
        body = source.good[:end] + source.good[first:end] + source.good[end:]
    else:
        lines = source.good.splitlines(keepends=True)
        body = "".join([*lines[:2], lines[1], *lines[2:]])
    answer = desk.bring(source, body)
    assert answer["state"] == ("held" if source.proves else "stored")
    desk.then_the_right_file_is_stored_once(source)


@every_source
def test_rows_in_another_order_are_the_same_facts(desk: Desk, source: Source) -> None:
    if source.adapter == "camt053":
        head, *entries = source.good.split("<Ntry>")
        tail = entries[-1].partition("</Ntry>")[2]
        entries[-1] = entries[-1].removesuffix(tail)
        body = head + "".join(f"<Ntry>{entry}" for entry in reversed(entries)) + tail
    else:
        first, *rows = source.good.splitlines()
        last = [rows.pop()] if source.adapter == "lp_fills" else []
        body = "\n".join([first, *reversed(rows), *last]) + "\n"
    answer = desk.bring(source, body)
    assert (answer.code, answer["new"]) == (0, source.facts)
    desk.then_the_right_file_is_stored_once(source)


@every_source
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8-sig", "mixed"])
def test_other_encodings_keep_their_letters(desk: Desk, source: Source, encoding: str) -> None:
    """Also a UTF-8 mark in front of Latin-1, as editors leave it behind."""
    word = "Zoë Müller"
    changed = {
        "adyen_settlement": source.good.replace("D-00000001", word),
        "camt053": source.good.replace("REF1</AcctSvcrRef>", f"REF1</AcctSvcrRef><AddtlNtryInf>{word}</AddtlNtryInf>"),
        "mt4_trades": source.good.replace("[tp]", word),
        "lp_fills": source.good.replace("MARGIN1", word),
    }[source.adapter]
    assert word in changed
    body = b"\xef\xbb\xbf" + changed.encode("latin-1") if encoding == "mixed" else changed.encode(encoding)
    answer = desk.bring(source, body)
    if source.adapter == "camt053" and encoding not in ("utf-8-sig",):
        # The file says UTF-8 and is not: XML has no second guess.
        assert (answer.code, answer["state"]) == (1, "refused") and source.file in answer["error"]
        return
    assert (answer.code, answer["state"], answer["new"]) == (0, "stored", source.facts)
    column = {"adyen_settlement": "merchant_reference", "mt4_trades": "comment", "lp_fills": "account"}
    name = column.get(source.adapter, "remittance")
    assert word in set(source.model.objects.values_list(name, flat=True))
    assert findings() == set()


@pytest.mark.parametrize("source", [source for source in SOURCES if source.proves], ids=lambda source: source.adapter)
def test_wrong_totals_hold_the_file_and_nothing_of_it_is_a_fact(desk: Desk, source: Source) -> None:
    wrong = {
        "adyen_settlement": source.good.replace("294.00", "293.99"),
        "camt053": source.good.replace("300.00", "300.01"),
        "lp_fills": source.good.replace("TRAILER,3,300000", "TRAILER,3,300001"),
    }[source.adapter]
    assert wrong != source.good
    answer = desk.bring(source, wrong)
    assert (answer.code, answer["state"], answer["balanced"], answer["new"]) == (1, "held", False, 0)
    failed = [total for total in answer["control_totals"] if total["expected"] != total["found"]]
    assert len(failed) == 1
    assert source.model.objects.count() == 0 and desk.book() == 0
    desk.then_the_right_file_is_stored_once(source)


DOCTYPES = {
    "internal entity": '<!DOCTYPE d [<!ENTITY a "100.00">]>',
    "external file": '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "external address": '<!DOCTYPE d SYSTEM "http://127.0.0.1:1/evil.dtd">',
    "laughs": '<!DOCTYPE d [<!ENTITY l "lol">' + "".join(
        f'<!ENTITY l{n} "{"&l" + str(n - 1) + ";" if n else "&l;"}{"&l;" * 9}">' for n in range(9)
    ) + "]>",
}  # fmt: skip


@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES.keys())
def test_a_doctype_refuses_the_statement(desk: Desk, doctype: str) -> None:
    source = SOURCES[1]
    answer = desk.bring(source, source.good.replace("<Document", doctype + "<Document", 1))
    assert (answer.code, answer["state"]) == (1, "refused")
    assert answer["error"].startswith("day.xml: it has a DOCTYPE")
    desk.then_the_right_file_is_stored_once(source)


# Currencies without an exponent


@pytest.mark.parametrize("currency", ["XAU", "ZZZ"])
def test_a_currency_with_no_exponent_known_is_kept_and_waits(desk: Desk, currency: str) -> None:
    """The lines in it are facts; they are not booked but noted, and the others are booked."""
    answer = desk.bring(SOURCES[0], adyen(currency=currency))
    assert (answer.code, answer["state"], answer["new"]) == (0, "stored", 5)
    assert desk.book() == 3
    waiting = Unbooked.objects.filter(closed_at=None)
    assert {(one.reason, one.detail) for one in waiting} == {
        ("UNKNOWN_CURRENCY", f"{currency!r} is not a currency this entity works in")
    }
    assert waiting.count() == 2
    assert desk.book() == 0
    assert findings() == set()


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (SOURCES[1], camt.message(camt.balanced("0", "0.001", camt.entry("0.001")))),
        (SOURCES[2], mt4("225.001")),
        (SOURCES[3], lp(commission="2.505")),
    ],
    ids=lambda value: getattr(value, "adapter", ""),
)
def test_more_decimal_places_than_the_currency_has_are_kept_and_wait(desk: Desk, source: Source, body: str) -> None:
    answer = desk.bring(source, body)
    assert (answer.code, answer["state"]) == (0, "stored")
    desk.book()
    (waiting,) = Unbooked.objects.filter(closed_at=None)
    assert waiting.reason == "BAD_AMOUNT" and "too many decimal places" in waiting.detail
    assert findings() == set()


# Clock changes: 2026-03-29 02:30 does not exist and 2026-10-25 02:30 happens twice in Amsterdam (03:30 in Athens)


@pytest.mark.parametrize(
    ("when", "zone", "moment", "warned"),
    [
        ("2026-03-29 02:30:00", "Europe/Amsterdam", datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "does not exist"),
        ("2026-10-25 02:30:00", "Europe/Amsterdam", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "happens twice"),
        ("2026-10-25 02:30:00", "CET", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), ""),
        ("2026-10-25 02:30:00", "CEST", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ""),
        ("2026-03-29 02:30:00", "Mars/Phobos", datetime(2026, 3, 29, 2, 30, tzinfo=UTC), "not known"),
    ],
)
def test_a_payment_at_the_clock_change(desk: Desk, when: str, zone: str, moment: datetime, warned: str) -> None:
    answer = desk.bring(SOURCES[0], adyen(when=when, zone=zone))
    assert (answer.code, answer["state"], answer["new"]) == (0, "stored", 4)
    assert PspLine.objects.get(psp_reference="PSP1").booked_at == moment
    assert bool(answer["warnings"]) is bool(warned) and warned in " ".join(answer["warnings"])


@pytest.mark.parametrize(
    ("wall", "moment"),
    [
        ("2026-03-29 02:59:59", datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
        ("2026-03-29 04:00:00", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
        ("2026-10-25 03:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("2026-10-25 04:00:00", datetime(2026, 10, 25, 2, 0, tzinfo=UTC)),
    ],
)
def test_a_ticket_at_the_clock_change(desk: Desk, wall: str, moment: datetime) -> None:
    """The dated setting of the connection decides, in the stored moment too."""
    athens = "120;2026-03-29T04:00=180;2026-10-25T04:00=120"
    Connection.objects.filter(name=SOURCES[2].name).update(settings={"utc_offset_minutes": athens})
    answer = desk.bring(SOURCES[2], mt4(OPEN_TIME="2026-03-20 10:00:00", CLOSE_TIME=wall))
    assert (answer.code, answer["state"]) == (0, "stored")
    assert Deal.objects.get(ticket=1002).dealt_at == moment


def test_fills_at_the_clock_change(desk: Desk) -> None:
    source = SOURCES[3]
    Connection.objects.filter(name=source.name).update(settings={"profile": '{"time_zone": "Europe/Amsterdam"}'})
    answer = desk.bring(source, lp(traded_at="2026-03-29T02:30:00"))
    assert (answer.code, answer["state"]) == (1, "held")
    assert [(r["line"], r["field"]) for r in answer["rejected"]] == [(3, "traded_at")]
    assert "does not exist in Europe/Amsterdam" in answer["rejected"][0]["reason"]
    answer = desk.bring(source, lp(traded_at="2026-10-25T02:30:00"), "later.csv")
    assert (answer.code, answer["state"]) == (0, "stored")
    assert Fill.objects.get(exec_id="E1").traded_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert any("happens twice" in warning for warning in answer["warnings"])


# Size


def test_a_file_over_the_limit_is_refused_and_not_kept(
    desk: Desk, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.IMPORT_SIZE_LIMIT = 1024 * 1024
    answer = desk.bring(SOURCES[3], lp() + "x" * 1024 * 1024)
    assert (answer.code, answer["state"]) == (1, "refused")
    assert answer["error"] == "fills.csv is larger than 1 MB. Split it, or raise the limit."
    assert not FileImport.objects.exists()
