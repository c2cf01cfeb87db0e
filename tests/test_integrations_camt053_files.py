"""camt.053: what must not get in, bombs, the outside samples, and a file of 130 MB."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest
from django.conf import settings

from integrations.adapters.camt053 import READER, walk
from integrations.records import Unreadable
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
    tag,
    transaction,
)
from tests.files import Pieces, parse, parse_sample


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
        # The statement of another message is none of this one.
        (message(statement()).replace("BkToCstmrStmt", "BkToCstmrAcctRpt"), "no statement"),
        (message(statement()).replace("BkToCstmrStmt", "BkToCstmrDbtCdtNtfctn"), "no statement"),
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
