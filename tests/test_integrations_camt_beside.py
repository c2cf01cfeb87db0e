"""camt.052 and camt.054: the same money once more, as notices; and payments that come back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from integrations.adapters.camt053 import READER
from integrations.records import BankLine, BankNotice, Unreadable
from tests.camt import (
    balance,
    beside,
    details,
    entry,
    lines,
    message,
    money,
    notices,
    one,
    read,
    refs,
    statement,
    summary,
    tag,
    transaction,
)
from tests.files import parse

TWO = details(
    transaction("70.00", "EUR", refs(AcctSvcrRef="T1", EndToEndId="D-AAAAAAAA")),
    transaction("30.00", "EUR", refs(AcctSvcrRef="T2", EndToEndId="D-BBBBBBBB")),
)


@pytest.mark.parametrize("kind", ["052", "054"])
@pytest.mark.parametrize("version", ["02", "04", "08", "10"])
def test_entries_become_notices_by_the_same_rules(kind: str, version: str) -> None:
    parsed = parse(READER, beside(kind, statement(entry("100.00", "CRDT", TWO)), version=version))
    first, second = notices(parsed)
    (whole,) = {(notice.entry_reference, notice.entry_amount, notice.entry_key) for notice in (first, second)}
    assert whole[:2] == ("REF1", Decimal("100.00"))
    assert isinstance(first, BankNotice) and not isinstance(first, BankLine)
    assert [(n.message, n.amount, n.bank_reference, n.end_to_end_id) for n in (first, second)] == [
        (kind, Decimal("70.00"), "T1", "D-AAAAAAAA"),
        (kind, Decimal("30.00"), "T2", "D-BBBBBBBB"),
    ]
    assert parsed.facts["message"] == f"camt.{kind}.001.{version}"
    assert parsed.facts["split"] == "1"
    assert not parsed.warnings


def test_no_balance_is_asked_of_them_but_a_summary_is_a_control_total() -> None:
    odd = (balance("OPBD", "1.00"), balance("CLBD", "9.99"))
    assert parse(READER, beside("052", statement(*odd, entry()))).balanced is None
    assert read(statement(*odd, entry())).balanced is False
    assert parse(READER, beside("054", statement(summary("1", "100.00"), entry()))).balanced is True
    assert parse(READER, beside("054", statement(summary("2", "100.00"), entry()))).balanced is False


def test_an_intraday_report_without_entries_is_one() -> None:
    parsed = parse(READER, beside("052", statement(balance("ITBD", "5"))))
    assert (len(parsed.records), parsed.balanced, list(parsed.rejected)) == (0, None, [])


def test_what_is_not_booked_is_no_notice_either() -> None:
    parsed = parse(READER, beside("052", statement(entry(Sts=tag("Sts", "PDNG")), entry())))
    assert (len(parsed.records), parsed.facts["skipped:PDNG"]) == (1, "1")


def test_keys_of_the_two_messages_and_of_the_statement_are_never_the_same() -> None:
    inside = statement(entry())
    keys = [
        parse(READER, text).records[0].line_key
        for text in (message(inside), beside("052", inside), beside("054", inside))
    ]  # type: ignore[union-attr]
    assert len(set(keys)) == 3


def test_details_that_do_not_sum_stay_evidence_of_one_notice() -> None:
    (notice,) = notices(parse(READER, beside("054", statement(entry("99.00", "CRDT", TWO)))))
    assert (notice.amount, notice.entry_amount, notice.details["transactions"]) == (Decimal(99), Decimal(99), "2")


def test_two_equal_entries_are_two_with_keys_of_their_own() -> None:
    twins = notices(parse(READER, beside("054", statement(entry("100.00", "CRDT", TWO), entry("100.00", "CRDT", TWO)))))
    assert len({n.line_key for n in twins}) == 4
    assert len({n.entry_key for n in twins}) == 2


def test_the_entry_is_known_by_the_banks_reference_else_by_its_number() -> None:
    by_number = entry(AcctSvcrRef="", NtryRef=tag("NtryRef", "N7"))
    assert notices(parse(READER, beside("054", statement(by_number))))[0].entry_reference == "N7"
    assert lines(read(statement(by_number)))[0].bank_reference == "N7"


def test_two_messages_in_one_file_are_refused() -> None:
    text = message(statement(entry()))
    second = beside("054", statement(entry())).partition("?>")[2].removeprefix("<Document").partition(">")[2]
    with pytest.raises(Unreadable, match=r"camt\.053 and camt\.054 in one file"):
        parse(READER, text.replace("</Document>", second))


# What comes back


def coded(family: str) -> str:
    return tag("BkTxCd", tag("Domn", tag("Cd", "PMNT"), tag("Fmly", tag("Cd", "ICDT"), tag("SubFmlyCd", family))))


def test_a_returned_payment_is_marked_and_keeps_its_sign() -> None:
    reason = tag("RtrInf", tag("Rsn", tag("Cd", "AC04")), tag("AddtlInf", "closed account"))
    payer = tag("RltdPties", tag("Dbtr", tag("Nm", "Us")), tag("Cdtr", tag("Nm", "Client")))
    line = one(details(transaction("100.00", "EUR", refs(EndToEndId="W-CCCCCCCC"), payer, reason)))
    assert (line.amount, line.is_reversal, line.end_to_end_id) == (Decimal("100.00"), True, "W-CCCCCCCC")
    assert line.counterparty == "Client"
    assert (line.details["return_reason"], line.details["return_information"]) == ("AC04", "closed account")


@pytest.mark.parametrize(("family", "marked"), [("RRTN", True), ("UPDD", True), ("RPCR", True), ("ESCT", False)])
def test_the_banks_code_of_a_return_marks_it(family: str, marked: bool) -> None:
    assert one(coded(family)).is_reversal is marked


def test_one_return_in_a_batch_marks_its_own_part_only() -> None:
    back = transaction("30.00", "EUR", tag("RtrInf", tag("Rsn", tag("Cd", "AM04"))))
    parsed = read(statement(entry("100.00", "CRDT", details(transaction("70.00"), back))))
    assert [line.is_reversal for line in lines(parsed)] == [False, True]


def test_exchange_and_charges_of_the_entry_are_evidence() -> None:
    exchange = tag("InstdAmt", money("108.00", "USD"), tag("CcyXchg", tag("XchgRate", "1.08")))
    charges = tag("Chrgs", tag("Rcrd", tag("Amt", "2.50", Ccy="EUR")))
    line = one(tag("AmtDtls", exchange), charges)
    assert line.amount == Decimal("100.00")
    assert line.details == {
        "entry_charges": "2.50 EUR",
        "entry_instructed_amount": "108.00 USD",
        "entry_exchange_rate": "1.08",
    }
