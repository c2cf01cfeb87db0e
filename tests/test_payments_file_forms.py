"""Payment files as bytes: valid whatever people are called, exact in every currency; reports read in distrust."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from lxml import etree

from payments.adapters import pain001, pain001_sepa, pain002
from payments.adapters.letters import NAMESPACE, plain
from payments.records import BadFile, Order, Party, Transfer

D = Decimal
HOUSE = Party(
    "Example Markets (CY) Ltd", "CY21002001950000357001234567", "", "BCYPCY2N", "Limassol", "CY", ["Main St 1"]
)
AWKWARD = [
    "Jürgen Müßig-Größe",
    "Анна Каренина",
    "Łukasz Żółć",
    "Smith & Sons <Ltd> \"quoted\" 'x'",
    "O'Brien; DROP TABLE--",
    "王小明",
    "محمد",
    "ﬁ ﬂ Ǆ … – “x”",
    "N" * 140,
    "Ñandú\u0000\u0007 tab\tnew\nline".replace("\u0000", ""),
    "]]><!ENTITY x>",
]


def payee(name: str = "Ada Lovelace", **more: Any) -> Party:
    values: dict[str, Any] = {
        "name": name, "iban": "DE89370400440532013000", "number": "", "bic": "COBADEFFXXX", "town": "Berlin",
        "country": "DE", **more,
    }  # fmt: skip
    return Party(**values)


def order(*transfers: Transfer, currency: str = "EUR", exponent: int = 2, payer: Party = HOUSE) -> Order:
    return Order(
        message_id="CY-20261120-7K3M9QPX", batch_id="CY-20261120-7K3M9QPX-1",
        created_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC), execution_date=date(2026, 11, 20), currency=currency,
        exponent=exponent, payer=payer, charges="SHAR", transfers=transfers,
    )  # fmt: skip


def transfer(amount: str = "400.00", to: Party | None = None, number: int = 0) -> Transfer:
    reference = f"W-7K3M9QP{number}"
    return Transfer(reference, D(amount), to or payee(), f"{reference} Example")


def said(content: bytes, path: str) -> list[str]:
    root = etree.fromstring(content)
    return [
        found.text or "" for found in root.iterfind(".//" + "/".join(f"{{{NAMESPACE}}}{n}" for n in path.split("/")))
    ]


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("build", [pain001.build, pain001_sepa.build], ids=["own", "sepa"])
def test_a_file_is_valid_whatever_somebody_is_called(build: Any, name: str) -> None:
    content = build(order(transfer(to=payee(name, town=name))))
    (shown,) = said(content, "Cdtr/Nm")
    assert shown and shown == plain(name, 140)[: len(shown)]
    assert shown.isascii() and not set(shown) & set('&<>;"\n\t')


def test_letters() -> None:
    assert plain("Jürgen Müßig & Söhne", 70) == "Jurgen Mussig + Sohne"
    assert plain("Анна", 70) == "Anna"
    assert plain("N" * 200, 70) == "N" * 70


@pytest.mark.parametrize("build", [pain001.build, pain001_sepa.build], ids=["own", "sepa"])
def test_a_name_that_no_bank_could_read_is_refused(build: Any) -> None:
    with pytest.raises(BadFile, match="no letters"):
        build(order(transfer(to=payee("\u200b\u2603\ue000"))))


@pytest.mark.parametrize("build", [pain001.build, pain001_sepa.build], ids=["own", "sepa"])
def test_ids_sums_and_bytes(build: Any) -> None:
    wanted = order(transfer("0.01", number=1), transfer("1234567.89", number=2), transfer("10", number=3))
    content = build(wanted)
    assert content == build(wanted), "the same order gives the same bytes"
    assert said(content, "GrpHdr/MsgId") == ["CY-20261120-7K3M9QPX"]
    assert said(content, "PmtInfId") == ["CY-20261120-7K3M9QPX-1"]
    assert said(content, "EndToEndId") == ["W-7K3M9QP1", "W-7K3M9QP2", "W-7K3M9QP3"]
    assert said(content, "InstdAmt") == ["0.01", "1234567.89", "10.00"]
    assert said(content, "CtrlSum") == ["1234577.90"] * 2 and said(content, "NbOfTxs") == ["3", "3"]
    assert said(content, "GrpHdr/CreDtTm") == ["2026-11-20T09:30:00"]
    assert said(content, "Cdtr/PstlAdr/TwnNm") == ["Berlin"] * 3 and said(content, "Cdtr/PstlAdr/Ctry") == ["DE"] * 3
    assert said(content, "Dbtr/PstlAdr/AdrLine") == ["Main St 1"]


@pytest.mark.parametrize(
    ("currency", "exponent", "amount", "shown"),
    [("JPY", 0, "1000", "1000"), ("KWD", 3, "1.234", "1.234"), ("USD", 2, "5", "5.00"), ("CLF", 4, "1.0001", "1.0001")],
)
def test_currencies_of_other_places(currency: str, exponent: int, amount: str, shown: str) -> None:
    content = pain001.build(order(transfer(amount), currency=currency, exponent=exponent))
    assert said(content, "InstdAmt") == [shown] and said(content, "GrpHdr/CtrlSum") == [shown]


@pytest.mark.parametrize(
    ("currency", "exponent", "amount"),
    [("JPY", 0, "0.5"), ("USD", 2, "1.005"), ("USD", 2, "0"), ("USD", 2, "-1"), ("BTC", 8, "0.00000001")],
)
def test_amounts_that_cannot_be_paid(currency: str, exponent: int, amount: str) -> None:
    with pytest.raises(BadFile):
        pain001.build(order(transfer(amount), currency=currency, exponent=exponent))


@pytest.mark.parametrize("amount", ["0", "-1", "1.005", "0.001"])
def test_sepa_refuses_what_cents_cannot_say(amount: str) -> None:
    with pytest.raises(BadFile, match="cents"):
        pain001_sepa.build(order(transfer(amount)))


def test_sepa_is_euro_to_accounts_in_sepa() -> None:
    abroad = payee(iban="SA0380000000608010167519", bic="", country="SA")
    number = payee(iban="", number="12345678", bic="CHASUS33")
    for bad in (order(transfer(), currency="USD"), order(transfer(to=abroad)), order(transfer(to=number))):
        with pytest.raises(BadFile, match="SEPA"):
            pain001_sepa.build(bad)
    content = pain001.build(order(transfer(to=number), currency="USD"))
    assert said(content, "CdtrAcct/Id/Othr/Id") == ["12345678"] and said(content, "CdtrAgt/FinInstnId/BICFI") == [
        "CHASUS33"
    ]
    assert said(content, "ChrgBr") == ["SHAR"]


def test_an_account_needs_its_bank() -> None:
    with pytest.raises(BadFile, match="BIC"):
        pain001.build(order(transfer(to=payee(iban="", number="12345678", bic="")), currency="USD"))
    clearing = replace(HOUSE, iban="", number="12345678", bic="", clearing_system="GBDSC", clearing_member="200415")
    content = pain001.build(order(transfer(), currency="GBP", payer=clearing))
    assert said(content, "DbtrAgt/FinInstnId/ClrSysMmbId/MmbId") == ["200415"]


@pytest.mark.parametrize(
    "change",
    [{"country": "Germany"}, {"bic": "NOBIC"}, {"iban": "DE89 3704"}, {"iban": "x" * 40}],
    ids=["country", "bic", "iban", "long"],
)
def test_what_the_schema_refuses_is_not_made(change: dict[str, str]) -> None:
    with pytest.raises(BadFile, match=r"pain\.001\.001\.09|IBAN"):
        pain001.build(order(transfer(to=payee(**change)), currency="USD"))


REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}"><CstmrPmtStsRpt>
<GrpHdr><MsgId>{id}</MsgId><CreDtTm>2026-11-20T10:00:00</CreDtTm></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>{order}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>
<OrgnlPmtInfAndSts><OrgnlPmtInfId>{order}-1</OrgnlPmtInfId>{batch}{rows}</OrgnlPmtInfAndSts>
</CstmrPmtStsRpt></Document>"""
ROW = """<TxInfAndSts><OrgnlEndToEndId>{id}</OrgnlEndToEndId><TxSts>{status}</TxSts>{reason}{amount}</TxInfAndSts>"""
REASON = "<StsRsnInf><Rsn><Cd>{}</Cd></Rsn><AddtlInf>says the bank</AddtlInf></StsRsnInf>"
AMOUNT = '<OrgnlTxRef><Amt><InstdAmt Ccy="{}">{}</InstdAmt></Amt></OrgnlTxRef>'


def row(reference: str, status: str, reason: str = "", amount: str = "", currency: str = "USD") -> str:
    return ROW.format(
        id=reference, status=status, reason=REASON.format(reason) if reason else "",
        amount=AMOUNT.format(currency, amount) if amount else "",
    )  # fmt: skip


def report(
    *rows: str, order: str = "M-1", group: str = "", batch: str = "", version: str = "10", name: str = "R-1"
) -> bytes:
    said_of_group = f"<GrpSts>{group}</GrpSts>" if group and not group.startswith("<") else group
    said_of_batch = f"<PmtInfSts>{batch}</PmtInfSts>" if batch else ""
    text = REPORT.format(
        version=version, id=name, order=order, group=said_of_group, batch=said_of_batch, rows="".join(rows)
    )
    return text.encode()


def read(content: bytes) -> Any:
    return pain002.read(BytesIO(content))


@pytest.mark.parametrize("version", ["03", "10", "12", "15"])
def test_a_report_is_read(version: str) -> None:
    found = read(report(row("W-1", "RJCT", "AC04", "400.00"), row("W-2", "ACSC"), group="PART", version=version))
    first, second = found.transfers
    assert (found.order_id, found.status) == ("M-1", "PART")
    assert (first.end_to_end_id, first.status, first.reasons, first.amount, first.currency) == (
        "W-1", "RJCT", ("AC04",), D("400.00"), "USD",
    )  # fmt: skip
    assert (first.text, second.status, second.amount) == ("says the bank", "ACSC", None)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
GOOD = report(row("W-1", "RJCT", "AC01"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not xml",
        GOOD[:-40],
        GOOD.replace(b"<Document", BOMB + b"<Document"),
        GOOD.decode().replace('encoding="UTF-8"', 'encoding="UTF-16"').replace("<Document", BOMB.decode() + "<Document")
        .encode("utf-16"),
        GOOD.replace(b"<Document", b'<!DOCTYPE Document SYSTEM "file:///etc/passwd"><Document'),
        GOOD.replace(b"pain.002.001.10", b"pain.001.001.09"),
        GOOD.replace(b"pain.002.001.10", b"pain.002.001.99"),
        GOOD.replace(b"RJCT", b"MAYB"),
        GOOD.replace(b"OrgnlGrpInfAndSts", b"Other"),
        report(row("W-1", "RJCT", amount="1e9")),
        report(row("W-1", "RJCT", amount="NaN")),
        GOOD + b" " * pain002.MOST,
        b"<?xml version='1.0'?>" + b"<a>" * 5000,
    ],
    ids=[
        "empty", "no xml", "cut", "entities", "utf-16 doctype", "system", "another message", "another version",
        "another status", "no group", "exponent", "nan", "huge", "deep",
    ],
)  # fmt: skip
def test_a_hostile_report_is_refused_whole(content: bytes) -> None:
    with pytest.raises(BadFile):
        read(content)


def test_what_stands_somewhere_else_is_not_read() -> None:
    hidden = GOOD.replace(
        b"</CstmrPmtStsRpt>", b"<SplmtryData>" + row("W-9", "RJCT").encode() + b"</SplmtryData></CstmrPmtStsRpt>"
    )
    assert [found.end_to_end_id for found in read(hidden).transfers] == ["W-1"]
    foreign = GOOD.replace(b"<TxInfAndSts>", b'<TxInfAndSts xmlns="urn:other">')
    assert read(foreign).transfers == []
