"""camt.053: what a statement says, whether it proves itself, and what must not get in."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import cast

import pytest
from django.conf import settings

from integrations.adapters.camt053 import READER, walk
from integrations.records import BankLine, Parsed, Unreadable
from tests.files import Pieces, parse, parse_sample

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001."


def tag(name: str, *inside: str, **attributes: str) -> str:
    given = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{given}>{''.join(inside)}</{name}>"


def money(amount: str, currency: str = "EUR") -> str:
    return tag("Amt", amount, Ccy=currency)


def balance(code: str, amount: str, currency: str = "EUR", indicator: str = "CRDT") -> str:
    kind = tag("Tp", tag("CdOrPrtry", tag("Cd", code)))
    return tag("Bal", kind, money(amount, currency), tag("CdtDbtInd", indicator) if indicator else "")


def entry(amount: str = "100.00", indicator: str = "CRDT", *more: str, **given: str) -> str:
    """A booked entry; keywords replace one element (empty leaves it out), `more` comes after them."""
    parts = {
        "Amt": money(amount),
        "CdtDbtInd": tag("CdtDbtInd", indicator),
        "Sts": tag("Sts", "BOOK"),
        "BookgDt": tag("BookgDt", tag("Dt", "2026-11-19")),
        "ValDt": tag("ValDt", tag("Dt", "2026-11-20")),
        "AcctSvcrRef": tag("AcctSvcrRef", "REF1"),
    }
    return tag("Ntry", *(parts | given).values(), *more)


def details(*transactions: str) -> str:
    return tag("NtryDtls", *transactions)


def transaction(amount: str = "", currency: str = "EUR", *more: str) -> str:
    return tag("TxDtls", money(amount, currency) if amount else "", *more)


def statement(*inside: str, number: str = "S1", account: str = "NL02TEST0123456789", currency: str = "EUR") -> str:
    named = tag("Id", tag("IBAN", account)) if account else ""
    return tag("Stmt", tag("Id", number), tag("Acct", named, tag("Ccy", currency) if currency else ""), *inside)


def balanced(opening: str, closing: str, *entries: str) -> str:
    return statement(balance("OPBD", opening), balance("CLBD", closing), *entries)


def message(*statements: str, version: str = "08", header: str = "") -> str:
    inside = tag("BkToCstmrStmt", header or tag("GrpHdr", tag("MsgId", "M1")), *statements)
    return '<?xml version="1.0" encoding="UTF-8"?>' + tag("Document", inside, xmlns=NAMESPACE + version)


def read(*statements: str, version: str = "08") -> Parsed:
    return parse(READER, message(*statements, version=version), name="day.xml")


def lines(parsed: Parsed) -> list[BankLine]:
    return [cast(BankLine, record) for record in parsed.records]


def one(*more: str, **given: str) -> BankLine:
    (line,) = lines(read(statement(entry("100.00", "CRDT", *more, **given))))
    return line


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


def summary(count: str, total: str, part: str = "TtlNtries") -> str:
    return tag("TxsSummry", tag(part, tag("NbOfNtries", count), tag("Sum", total)))


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


def refs(**given: str) -> str:
    return tag("Refs", *(tag(name, value) for name, value in given.items()))


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


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (entry("NaN"), "Ntry/Amt"),
        (entry("1e5"), "Ntry/Amt"),
        (entry("1,234.50"), "Ntry/Amt"),
        (entry("-5.00"), "Ntry/Amt"),
        (entry(Amt=""), "Ntry/Amt"),
        (entry(Amt=money("1") + money("2")), "Ntry/Amt"),
        (entry(Amt="<Amt>5.00</Amt>"), "Ntry/Amt/@Ccy"),
        (entry(Amt=money("5.00", "USD")), "Ntry/Amt/@Ccy"),
        (entry("5", "CREDIT"), "Ntry/CdtDbtInd"),
        (entry(CdtDbtInd=""), "Ntry/CdtDbtInd"),
        (entry(Sts=""), "Ntry/Sts"),
        (entry(BookgDt=tag("BookgDt", tag("Dt", "2026-02-30"))), "Ntry/BookgDt"),
        (entry(BookgDt="", ValDt=""), "Ntry/BookgDt"),
        (entry(ValDt=tag("ValDt", tag("Dt", "soon"))), "Ntry/ValDt"),
    ],
)
def test_a_bad_entry_is_rejected_alone_and_holds_the_file(bad: str, field: str) -> None:
    parsed = read(balanced("0", "200", entry(), bad, entry()))
    assert [(found.line, found.field) for found in parsed.rejected] == [(2, field)]
    assert len(parsed.records) == 2
    assert parsed.balanced is False


def test_one_date_stands_for_the_other() -> None:
    assert one(ValDt="").value_date == date(2026, 11, 19)
    assert one(BookgDt="").booking_date == date(2026, 11, 20)


def test_a_statement_without_account_has_no_lines() -> None:
    parsed = read(statement(entry(), account=""))
    assert [bad.field for bad in parsed.rejected] == ["Stmt/Acct/Id"]


def test_the_currency_comes_from_the_account_else_the_balance_else_the_first_entry() -> None:
    other = entry(Amt=money("1", "USD"))
    assert not read(statement(balance("OPBD", "0", "USD"), other, currency="")).rejected
    assert read(statement(balance("OPBD", "0", "EUR"), other, currency="")).rejected
    assert [bad.line for bad in read(statement(other, entry(), currency="")).rejected] == [2]
    assert lines(read(statement(entry(Amt=money("1", "xQ9")), currency="")))[0].currency == "xQ9"


def test_entries_elsewhere_are_no_entries() -> None:
    text = message(statement(tag("SplmtryData", entry(), statement(entry()))), tag("SplmtryData", statement(entry())))
    assert len(parse(READER, text).records) == 0


def test_a_statement_without_entries_is_one() -> None:
    parsed = read(balanced("5.00", "5.00"))
    assert (len(parsed.records), parsed.balanced) == (0, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (message(), "no statement"),
        ("<html><body>Sign in</body></html>", "not a camt.053"),
        ("<Document/>", "not a camt.053"),
        (message(statement()).replace("BkToCstmrStmt", "BkToCstmrAcctRpt"), "camt.052"),
        (message(statement()).replace("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn"), "camt.054"),
        ("exec_id,price\n1,2\n", "well-formed"),
        (message(statement(entry()))[:-30], "well-formed"),
        (message(statement(entry()))[:300], "well-formed"),
        (message(statement(entry())) + "<again/>", "well-formed"),
        (message(statement(entry("1&foo;"))), "well-formed"),
        (message(statement(entry("1\x00"))), "well-formed"),
    ],
)
def test_what_is_no_whole_statement_is_refused(text: str, says: str) -> None:
    with pytest.raises(Unreadable, match=rf"day\.xml: .*{re.escape(says)}"):
        parse(READER, text, name="day.xml")


DOCTYPES = {
    "plain": "<!DOCTYPE Document>",
    "entity": '<!DOCTYPE Document [<!ENTITY a "1000000.00">]>',
    "local file": '<!DOCTYPE Document [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    "network": '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/evil.dtd">',
    "parameter": '<!DOCTYPE Document [<!ENTITY % p SYSTEM "file:///etc/hostname"> %p;]>',
    "laughs": "<!DOCTYPE Document [<!ENTITY a0 'ha'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
    + "]>",
}


@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES.keys())
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
def test_a_doctype_refuses_the_whole_file(doctype: str, encoding: str) -> None:
    inside = "&a11;" if "a11" in doctype else "1"
    text = message(statement(entry(inside))).replace("?>", "?>" + doctype, 1).replace("UTF-8", encoding)
    with pytest.raises(Unreadable, match="DOCTYPE"):
        parse(READER, text.encode(encoding))


def test_the_word_doctype_in_a_remittance_is_only_a_word() -> None:
    assert one(tag("AddtlNtryInf", "<![CDATA[<!DOCTYPE x>]]>")).remittance == "<!DOCTYPE x>"


def refused(pieces: object, most: int = 4_000_000) -> str:
    stream = Pieces(pieces)  # type: ignore[arg-type]
    with pytest.raises(Unreadable) as found:
        READER.parse(stream, filename="f", settings={})  # type: ignore[arg-type]
    assert stream.taken < most
    return str(found.value)


def test_bombs_end_early() -> None:
    opening = message(statement("@")).split("@")[0].encode()
    attributes = (
        " ".join(f'a{number}="1"' for number in range(n, n + 5000)).encode() + b" " for n in range(0, 10**7, 5000)
    )
    names = ("".join(f"<n{number}/>" for number in range(n, n + 500)).encode() for n in range(0, 10**7, 500))
    assert "deep" in refused(itertools.chain([opening], itertools.repeat(b"<a>" * 1000)))
    assert "end of a tag" in refused(itertools.chain([opening, b"<a "], attributes))
    assert "end of a tag" in refused(itertools.chain([opening, b'<a b="'], itertools.repeat(b">" * 65536)))
    assert "end of a tag" in refused(itertools.chain([opening, b"<!--"], itertools.repeat(b"x" * 65536)))
    assert "kinds of elements" in refused(itertools.chain([opening], names))
    assert "longer than" in refused(itertools.chain([opening, b"<Ntry><Amt>"], itertools.repeat(b"1" * 65536)))
    assert "more text" in refused(itertools.chain([opening, b"<Ntry>"], itertools.repeat(b"<Amt>1</Amt>" * 1000)))
    assert "statements" in refused(itertools.chain([opening, b"</Stmt>"], itertools.repeat(b"<Stmt></Stmt>" * 1000)))


def test_junk_outside_the_pieces_takes_no_memory() -> None:
    handler_free = itertools.chain([b"<a>"], itertools.repeat(b"<b><c>x</c></b>" * 4000, 100), [b"</a>"])
    assert "not a camt.053" in refused(handler_free, most=10_000_000)


def test_a_text_of_the_limit_is_still_read() -> None:
    assert len(one(tag("AddtlNtryInf", "x" * walk.TEXT_MAX)).remittance) == walk.TEXT_MAX


def test_a_batch_of_many_transactions_is_split_whole() -> None:
    many = details(*(transaction("0.01", "EUR", refs(EndToEndId=f"E{number}")) for number in range(2500)))
    parsed = read(balanced("0", "25", entry("25.00", "CRDT", many)))
    assert len(parsed.records) == 2500
    assert len({line.line_key for line in lines(parsed)}) == 2500
    assert sum(line.amount for line in lines(parsed)) == 25


def test_sample_example_a_has_two_balanced_statements() -> None:
    parsed = parse_sample(READER, "bank/camt053_example_a.xml")
    assert (parsed.balanced, len(parsed.control_totals), len(parsed.records)) == (True, 2, 11)
    assert lines(parsed)[0].bank_reference == "20260125-137113"


def test_sample_small_holds_by_balance_and_summary() -> None:
    parsed = parse_sample(READER, "bank/camt053_small.xml")
    assert (parsed.balanced, len(parsed.control_totals)) == (True, 7)
    assert [line.amount for line in lines(parsed)] == [Decimal("-100.00"), Decimal("50.00")]


def test_sample_multi_statement() -> None:
    parsed = parse_sample(READER, "bank/camt053_v02_multi_statement.xml")
    assert (parsed.balanced, parsed.facts["statements"]) == (True, "2")
    assert [line.amount for line in lines(parsed)] == [Decimal("8.85"), Decimal("-7.00")]


def test_sample_two_reversals_balance_with_their_real_sign() -> None:
    parsed = parse_sample(READER, "bank/camt053_v04_two_reversals.xml")
    assert parsed.balanced is True
    assert (parsed.facts["rows"], parsed.facts["reversals"], parsed.facts["net:CHF"]) == ("13", "2", "537.61")
    assert sum(line.amount for line in lines(parsed)) == Decimal("537.61")
    assert len(parsed.records) == 32
    assert len({line.line_key for line in lines(parsed)}) == 32


@pytest.mark.parametrize(
    ("name", "expected", "found"),
    [
        ("camt053_v02_batch.xml", "23038.20 EUR", "10264.06 EUR"),
        ("camt053_v08.xml", "-27.00 SEK", "27.00 EUR"),
    ],
)
def test_samples_that_must_be_held(name: str, expected: str, found: str) -> None:
    parsed = parse_sample(READER, f"bank/{name}")
    assert parsed.balanced is False
    assert (parsed.control_totals[0].expected, parsed.control_totals[0].found) == (expected, found)
    assert len(parsed.records) > 0


def test_sample_wrong_is_refused() -> None:
    with pytest.raises(Unreadable, match="no statement"):
        parse_sample(READER, "bank/camt053_v02_wrong.xml")


LARGE = r'''
import itertools, sys, time
from integrations.adapters.camt053 import READER
from tests.files import Pieces



def resident(name):
    """Kilobytes from the kernel: VmRSS now, VmHWM at most. (ru_maxrss would begin with the parent's.)"""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))


batched = sys.argv[1] == "batched"
parties = "<RltdPties><Dbtr><Nm>Payer %d</Nm></Dbtr><DbtrAcct><Id><IBAN>NL%020d</IBAN></Id></DbtrAcct></RltdPties>"
remittance = "<RmtInf><Ustrd>Deposit D-%09d of client %09d, thank you</Ustrd></RmtInf>"
detail = "<TxDtls><Refs><EndToEndId>E%012d</EndToEndId></Refs><Amt Ccy='EUR'>1.25</Amt>"
detail += parties + remittance + "</TxDtls>"
head = "<Ntry><Amt Ccy='EUR'>%s</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-11-19</Dt></BookgDt>"
head += "<ValDt><Dt>2026-11-19</Dt></ValDt>%s<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
head += "<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls>"
tail = "</NtryDtls><AddtlNtryInf>SEPA CREDIT TRANSFER AND SOME MORE WORDS THAT BANKS LIKE TO ADD</AddtlNtryInf></Ntry>"
count = 450_000 if batched else 200_000


def inside():
    if batched:
        yield (head % (count * 5 // 4, "")).encode()
    for number in range(count):
        told = detail % (number, number % 5000, number, number, number % 5000)
        if batched:
            yield told.encode()
        else:
            reference = "<AcctSvcrRef>REF%015d</AcctSvcrRef>" % number
            yield (head % ("1.25", reference) + told + tail).encode()
    if batched:
        yield tail.encode()


def balance(code, amount):
    kind = "<Tp><CdOrPrtry><Cd>%s</Cd></CdOrPrtry></Tp>" % code
    return "<Bal>%s<Amt Ccy='EUR'>%s</Amt><CdtDbtInd>CRDT</CdtDbtInd></Bal>" % (kind, amount)


opening = "<Document><BkToCstmrStmt><Stmt><Id>S1</Id><Acct><Id><IBAN>NL02TEST0123456789</IBAN></Id></Acct>"
opening += balance("OPBD", "0") + balance("CLBD", count * 5 // 4)
stream = Pieces(itertools.chain([opening.encode()], inside(), [b"</Stmt></BkToCstmrStmt></Document>"]))
before = resident("VmRSS")
began = time.perf_counter()
parsed = READER.parse(stream, filename="large.xml", settings={})
seconds = time.perf_counter() - began
total = sum(line.amount for line in parsed.records)
grown = resident("VmHWM") - before
print(stream.taken, len(parsed.records), parsed.balanced, total, grown // 1024, round(seconds, 1))
'''


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["single", "batched"])
def test_130_megabytes_stay_below_60_megabytes_of_memory(shape: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LARGE, shape],
        cwd=settings.BASE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    taken, records, proof, total, grown, seconds = ran.stdout.split()
    print(f"{shape}: {taken} bytes, {records} lines, {grown} MB more, {seconds} s")  # noqa: T201 - the measured figure
    assert int(taken) > 115_000_000
    assert int(records) in (200_000, 450_000)
    assert (proof, Decimal(total)) == ("True", Decimal(records) * Decimal("1.25"))
    assert int(grown) < 60
