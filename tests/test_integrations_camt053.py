"""camt.053: what a statement says, and whether it proves itself."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import pytest

from integrations.adapters.camt053 import READER
from integrations.records import BankLine, Unreadable
from tests.camt import (
    balance,
    balanced,
    details,
    entry,
    lines,
    message,
    money,
    one,
    read,
    refs,
    statement,
    summary,
    tag,
    transaction,
)
from tests.files import parse


def test_a_statement_that_proves_itself() -> None:
    parsed = read(balanced("10.00", "85.50", entry("100.00"), entry("24.50", "DBIT", AcctSvcrRef="")))
    assert parsed.balanced is True
    assert [(total.expected, total.found) for total in parsed.control_totals] == [("85.50 EUR", "85.50 EUR")]
    first, second = lines(parsed)
    assert first == BankLine(
        line_key="NL02TEST0123456789|S1|REF1||1",
        account="NL02TEST0123456789",
        statement_id="S1",
        amount=Decimal("100.00"),
        currency="EUR",
        booking_date=date(2026, 11, 19),
        value_date=date(2026, 11, 20),
        bank_reference="REF1",
    )
    assert second.amount == Decimal("-24.50")
    assert re.fullmatch(r"NL02TEST0123456789\|S1\|#[0-9a-f]{32}\|\|1", second.line_key)
    assert list(parsed.lines) == [1, 2]
    assert parsed.facts["message"] == "camt.053.001.08"
    assert parsed.facts["net:EUR"] == "75.50"
    assert not parsed.warnings


@pytest.mark.parametrize(
    ("opening", "closing", "holds"),
    [
        (balance("OPBD", "10.00"), balance("CLBD", "110.00"), True),
        (balance("OPBD", "10.00"), balance("CLBD", "110.01"), False),
        (balance("PRCD", "10.00"), balance("CLBD", "110.00"), True),
        (balance("PRCD", "99.00") + balance("OPBD", "10.00"), balance("CLBD", "110.00"), True),
        (balance("OPBD", "10.00", indicator="DBIT"), balance("CLBD", "90.00"), True),
        (balance("OPBD", "150.00", indicator="DBIT"), balance("CLBD", "50.00", indicator="DBIT"), True),
        # Many real files leave the indicator out of every balance.
        (balance("OPBD", "-150.00", indicator=""), balance("CLBD", "-50.00", indicator=""), True),
        (balance("OPBD", "10.0000000000000"), balance("CLBD", "110"), True),
        (balance("OPBD", "10.00"), balance("CLBD", "110.00", "SEK"), False),
        (balance("OPBD", "10.00"), balance("CLBD", "NaN"), False),
        (balance("OPBD", "1e1"), balance("CLBD", "110.00"), False),
        (balance("OPBD", "-10.00", indicator="DBIT"), balance("CLBD", "110.00"), False),
    ],
)
def test_the_balance_proof(opening: str, closing: str, holds: bool) -> None:
    parsed = read(statement(opening, closing, entry()))
    assert parsed.balanced is holds
    assert len(parsed.records) == 1


@pytest.mark.parametrize("there", [balance("OPBD", "10.00"), balance("CLBD", "10.00"), balance("ITBD", "10.00"), ""])
def test_without_both_balances_the_proof_does_not_apply(there: str) -> None:
    parsed = read(statement(there, entry()))
    assert parsed.balanced is None
    assert "does not apply" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("stated", "holds"),
    [
        (summary("2", "150.00"), True),
        (summary("02", "150"), True),
        (summary("3", "150.00"), False),
        (summary("2", "50.00"), False),
        (summary("1", "100.00", "TtlCdtNtries"), True),
        (summary("1", "50.00", "TtlDbtNtries"), True),
        (summary("1", "-50.00", "TtlDbtNtries"), False),
        (summary("2", "many"), False),
    ],
)
def test_the_summary_is_a_control_total_too(stated: str, holds: bool) -> None:
    inside = (entry("100.00"), entry("50.00", "DBIT"))
    assert read(statement(stated, *inside)).balanced is holds
    assert read(statement(balance("OPBD", "0"), balance("CLBD", "50"), stated, *inside)).balanced is holds


def test_only_booked_entries_become_lines_and_a_summary_may_count_either_way() -> None:
    pending = entry("7.00", Sts=tag("Sts", tag("Cd", "PDNG")))
    for stated in (summary("1", "100"), summary("3", "114")):
        inside = (balance("OPBD", "0"), balance("CLBD", "100"), stated, entry(), pending, pending)
        parsed = read(statement(*inside))
        assert parsed.balanced is True
        assert len(parsed.records) == 1
        assert parsed.facts["skipped:PDNG"] == "2"
        assert "2 entries with status 'PDNG'" in parsed.warnings[0]


@pytest.mark.parametrize("version", [f"{number:02}" for number in range(2, 11)])
def test_every_version_and_spelling_of_status_party_and_date(version: str) -> None:
    agent, party, status = ("BIC", tag("Nm", "Ann"), "BOOK")
    if version >= "03":
        agent = "BICFI"
    if version >= "07":
        party, status = tag("Pty", party), tag("Cd", "BOOK")
    parties = tag("RltdPties", tag("Dbtr", party), tag("DbtrAcct", tag("Id", tag("Othr", tag("Id", "12 34")))))
    agents = tag("RltdAgts", tag("DbtrAgt", tag("FinInstnId", tag(agent, "TESTNL2A"))))
    booked = tag("BookgDt", tag("DtTm", "2026-11-19T23:30:00-05:00"))
    inside = entry("5", "CRDT", details(transaction("", "", parties, agents)), Sts=tag("Sts", status), BookgDt=booked)
    parsed = read(statement(inside), version=version)
    line = lines(parsed)[0]
    assert parsed.facts["message"] == f"camt.053.001.{version}"
    assert (line.counterparty, line.counterparty_account) == ("Ann", "1234")
    assert line.details["debtor_bic"] == "TESTNL2A"
    assert line.booking_date == date(2026, 11, 19)
    assert not [warning for warning in parsed.warnings if "none of" in warning]


def test_a_version_not_tried_is_read_and_said() -> None:
    assert "none of camt.053.001.02" in read(statement(entry()), version="13").warnings[0]


def test_without_a_namespace_with_a_prefix_and_with_a_lower_case_root() -> None:
    plain = message(balanced("0", "100", entry()))
    expected = list(parse(READER, plain).records)
    bare = re.sub(r' xmlns="[^"]*"', "", plain)
    prefixed = re.sub(r"<(/?)(?=[A-Za-z])", r"<\1n:", plain).replace("xmlns=", "xmlns:n=")
    lower = bare.replace("Document>", "document>")
    for variant in (bare, prefixed, lower):
        assert variant != plain
        assert list(parse(READER, variant).records) == expected


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "windows-1252", "UTF-16", "UTF-8"])
def test_encodings_that_the_file_declares(encoding: str) -> None:
    text = message(statement(entry("1", "CRDT", tag("AddtlNtryInf", "Gebühr für März"))))
    parsed = parse(READER, text.replace("UTF-8", encoding).encode(encoding))
    assert lines(parsed)[0].remittance == "Gebühr für März"
    assert parsed.facts["encoding"] == encoding.lower()
    with pytest.raises(Unreadable, match="well-formed"):
        parse(READER, text.encode("windows-1252"))


def test_crlf_and_byte_order_mark_change_nothing() -> None:
    text = message(balanced("0", "100", entry())).replace("><", ">\n<")
    first = list(parse(READER, text).records)
    assert list(parse(READER, text.replace("\n", "\r\n")).records) == first
    assert list(parse(READER, b"\xef\xbb\xbf" + text.encode()).records) == first


def test_a_reversal_keeps_its_real_sign() -> None:
    back = entry("30.00", "DBIT", RvslInd=tag("RvslInd", "true"))
    parsed = read(balanced("0", "70", entry(), back))
    assert parsed.balanced is True
    assert [(line.amount, line.is_reversal) for line in lines(parsed)] == [(Decimal(100), False), (Decimal(-30), True)]
    assert parsed.facts["reversals"] == "1"


def test_details_that_sum_exactly_split_the_entry() -> None:
    inside = details(
        transaction("70.00", "EUR", refs(AcctSvcrRef="T1", EndToEndId="E1"), tag("RmtInf", tag("Ustrd", "one"))),
        transaction("50.00", "EUR", refs(EndToEndId="NOTPROVIDED")),
        transaction("20.00", "EUR", tag("CdtDbtInd", "DBIT")),
    )
    parsed = read(balanced("0", "100", entry("100.00", "CRDT", inside)))
    first, second, third = lines(parsed)
    assert [line.amount for line in (first, second, third)] == [Decimal(70), Decimal(50), Decimal(-20)]
    assert (first.bank_reference, first.end_to_end_id, first.remittance) == ("T1", "E1", "one")
    assert (second.bank_reference, second.end_to_end_id) == ("REF1", "")
    assert first.details == {"entry_amount": "100.00 EUR", "part": "1 of 3"}
    assert first.line_key == "NL02TEST0123456789|S1|REF1|T1|1"
    assert len({line.line_key for line in lines(parsed)}) == 3
    assert list(parsed.lines) == [1, 1, 1]
    assert (parsed.facts["split"], parsed.facts["rows"]) == ("1", "1")
    assert parsed.balanced is True


@pytest.mark.parametrize(
    "pair",
    [
        (transaction("70.00"), transaction("29.99")),
        (transaction("70.00"), transaction("30.00", "USD")),
        (transaction("70.00"), transaction()),
        (transaction("70.00"), transaction("NaN")),
        (transaction("70.00"), transaction("30.00", "EUR", tag("CdtDbtInd", "DBIT"))),
    ],
)
def test_details_that_do_not_stay_evidence(pair: tuple[str, str]) -> None:
    line = one(details(*pair), AcctSvcrRef=tag("AcctSvcrRef", "REF1"))
    assert line.amount == Decimal(100)
    assert line.details["transactions"] == "2"
    assert line.details["transaction_1"] == "70.00 EUR"


@pytest.mark.parametrize("where", ["TxAmt", "CntrValAmt", "InstdAmt"])
def test_the_first_amount_in_the_entrys_currency_counts(where: str) -> None:
    def part(amount: str) -> str:
        return transaction("9.99", "USD", tag("AmtDtls", tag(where, money(amount))))

    line, _ = lines(read(statement(entry("100.00", "CRDT", details(part("60"), part("40"))))))
    assert line.amount == Decimal(60)


def test_a_single_transaction_gives_its_references_whatever_its_amount() -> None:
    # A returned debit of 50.00 with 3.00 charges is booked as 53.00: the entry is the truth.
    charges = tag("Chrgs", tag("TtlChrgsAndTaxAmt", "3.00", Ccy="EUR"))
    told = transaction("50.00", "EUR", refs(EndToEndId="E7"), charges, tag("RtrInf", tag("Rsn", tag("Cd", "AC04"))))
    (line,) = lines(read(statement(entry("53.00", "DBIT", details(told)))))
    assert (line.amount, line.end_to_end_id) == (Decimal("-53.00"), "E7")
    assert line.details == {"charges": "3.00 EUR", "return_reason": "AC04"}


def test_evidence_of_exchange_and_structured_reference() -> None:
    amounts = tag("AmtDtls", tag("InstdAmt", money("108.00", "USD"), tag("CcyXchg", tag("XchgRate", "1.08"))))
    remittance = tag("RmtInf", tag("Strd", tag("CdtrRefInf", tag("Ref", "RF18539007547034"))))
    info = tag("AddtlNtryInf", "incoming payment")
    line = one(details(transaction("", "", amounts, remittance, refs(UETR="u-1"))), info)
    assert line.remittance == "RF18539007547034"
    assert line.details == {
        "structured_reference": "RF18539007547034",
        "uetr": "u-1",
        "exchange_rate": "1.08",
        "instructed_amount": "108.00 USD",
        "additional_info": "incoming payment",
    }


def parties(debtor: str, creditor: str, account: str = "") -> str:
    own = tag("CdtrAcct", tag("Id", tag("IBAN", account))) if account else ""
    return details(
        transaction("", "", tag("RltdPties", tag("Dbtr", tag("Nm", debtor)), tag("Cdtr", tag("Nm", creditor)), own))
    )


def test_the_counterparty_is_the_other_side() -> None:
    told = parties("Payer", "Payee")
    credit, debit = lines(read(statement(entry("1", "CRDT", told), entry("1", "DBIT", told))))
    assert (credit.counterparty, debit.counterparty) == ("Payer", "Payee")
    back = lines(read(statement(entry("1", "DBIT", told, RvslInd=tag("RvslInd", "true")))))[0]
    assert back.counterparty == "Payer"
    own = details(transaction("", "", tag("RltdPties", tag("CdtrAcct", tag("Id", tag("IBAN", "NL02TEST0123456789"))))))
    assert one(own).counterparty_account == ""


def test_two_true_equal_payments_stay_two_and_a_second_reading_finds_both() -> None:
    text = message(statement(entry(AcctSvcrRef=""), entry(AcctSvcrRef=""), entry(), entry()))
    first, second = parse(READER, text), parse(READER, text)
    keys = [line.line_key for line in lines(first)]
    assert len(set(keys)) == 4
    assert [key[-2:] for key in keys] == ["|1", "|2", "|1", "|2"]
    assert list(first.records) == list(second.records)


def test_a_statement_that_stands_there_twice_is_held() -> None:
    page = balanced("0", "100", entry())
    parsed = read(page, page)
    assert parsed.balanced is False
    assert [total.name for total in parsed.control_totals if not total.holds] == [
        "NL02TEST0123456789, statement S1: stated once"
    ]
    assert read(page, page.replace("<Id>S1", "<Id>S2")).balanced is True


def test_several_statements_prove_themselves_apart() -> None:
    second = statement(balance("OPBD", "0"), balance("CLBD", "1"), entry("2"), number="S2", account="NL99TEST1")
    parsed = read(balanced("0", "100", entry()), second)
    assert [total.holds for total in parsed.control_totals] == [True, False]
    assert {line.account for line in lines(parsed)} == {"NL02TEST0123456789", "NL99TEST1"}
    assert list(parsed.lines) == [1, 2]
