"""Bank statements for tests, one element at a time."""

from __future__ import annotations

from typing import cast

from integrations.adapters.camt053 import READER
from integrations.records import BankLine, BankNotice, Parsed
from tests.files import parse

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


# The elements that stand for BkToCstmrStmt and Stmt in the messages beside the statement.
BESIDE = {"052": ("BkToCstmrAcctRpt", "Rpt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}


def beside(kind: str, *statements: str, version: str = "08") -> str:
    """The same entries as a camt.052 or camt.054."""
    outer, inner = BESIDE[kind]
    text = message(*statements, version=version).replace("camt.053.", f"camt.{kind}.")
    return text.replace("BkToCstmrStmt>", f"{outer}>").replace("Stmt>", f"{inner}>")


def notices(parsed: Parsed) -> list[BankNotice]:
    return [cast(BankNotice, record) for record in parsed.records]


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


def summary(count: str, total: str, part: str = "TtlNtries") -> str:
    return tag("TxsSummry", tag(part, tag("NbOfNtries", count), tag("Sum", total)))


def refs(**given: str) -> str:
    return tag("Refs", *(tag(name, value) for name, value in given.items()))
