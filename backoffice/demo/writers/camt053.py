"""A bank's end-of-day statements: ISO 20022 camt.053.001.08."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

from backoffice.demo.days import utc
from backoffice.demo.finish import statement_id
from backoffice.demo.plan import BankRow

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_BICS = {"bank-cy": "DMOCCY2N", "bank-uk": "DMOCGB2L", "house-cy": "DMOHCY2N", "house-uk": "DMOHGB2L"}
_OWNERS = {bank: "Broker UK Ltd" if bank.endswith("uk") else "Broker CY Ltd" for bank in _BICS}
# What was on an account before the first day; the house's own money is there.
_OPENINGS = {"house-cy": Decimal(3_000_000), "house-uk": Decimal(1_000_000)}
Element = ElementTree.Element


@dataclass(slots=True)
class Statement:
    """One account on one day. `closing` follows from the rest unless the bank has made a mistake."""

    bank: str
    iban: str
    currency: str
    day: date
    sequence: int
    opening: Decimal
    rows: Sequence[BankRow]
    mistake: Decimal = Decimal(0)

    @property
    def closing(self) -> Decimal:
        return self.opening + sum((row.amount for row in self.rows), Decimal(0)) + self.mistake


def statements(
    rows: Iterable[BankRow], bank: str, ibans: Mapping[tuple[str, str], str], days: Sequence[date]
) -> dict[date, list[Statement]]:
    """A statement of each account for each day from its first movement on, each opening with the last one's end."""
    by_account: dict[tuple[str, date], list[BankRow]] = {}
    for row in rows:
        if row.bank == bank:
            by_account.setdefault((row.currency, row.day), []).append(row)
    found: dict[date, list[Statement]] = {day: [] for day in days}
    for (owner, currency), iban in ibans.items():
        if owner != bank:
            continue
        balance, sequence = _OPENINGS.get(bank, Decimal(0)), 0
        for day in days:
            moved = by_account.get((currency, day), [])
            if moved or sequence:
                sequence += 1
                statement = Statement(bank, iban, currency, day, sequence, balance, moved)
                balance = statement.closing
                found[day].append(statement)
    return found


def document(given: Sequence[Statement], message_id: str) -> bytes:
    """A message with statements, as bytes."""
    root = Element("Document", {"xmlns": NAMESPACE})
    message = _under(root, "BkToCstmrStmt")
    header = _under(message, "GrpHdr")
    _text(header, "MsgId", message_id)
    _text(header, "CreDtTm", f"{utc(given[-1].day, 20):%Y-%m-%dT%H:%M:%S}+00:00")
    for statement in given:
        _statement(message, statement)
    ElementTree.indent(root)
    body = str(ElementTree.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()


def _statement(message: Element, given: Statement) -> None:
    statement = _under(message, "Stmt")
    _text(statement, "Id", statement_id(given.day, given.currency))
    _text(statement, "ElctrncSeqNb", str(given.sequence))
    _text(statement, "CreDtTm", f"{utc(given.day, 20):%Y-%m-%dT%H:%M:%S}+00:00")
    account = _under(statement, "Acct")
    _text(account, "Id/IBAN", given.iban)
    _text(account, "Ccy", given.currency)
    _text(account, "Ownr/Nm", _OWNERS[given.bank])
    _text(account, "Svcr/FinInstnId/BICFI", _BICS[given.bank])
    _balance(statement, "OPBD", given.opening, given)
    _balance(statement, "CLBD", given.closing, given)
    _summary(statement, given.rows)
    for row in given.rows:
        _entry(statement, row, given.iban)


def _balance(statement: Element, code: str, amount: Decimal, given: Statement) -> None:
    balance = _under(statement, "Bal")
    _text(balance, "Tp/CdOrPrtry/Cd", code)
    _money(balance, amount, given.currency)
    _text(balance, "CdtDbtInd", "DBIT" if amount < 0 else "CRDT")
    _text(balance, "Dt/Dt", str(given.day))


def _summary(statement: Element, rows: Sequence[BankRow]) -> None:
    if not rows:
        return
    summary = _under(statement, "TxsSummry")
    credits = [row.amount for row in rows if row.amount > 0]
    debits = [-row.amount for row in rows if row.amount < 0]
    _total(summary, "TtlNtries", [*credits, *debits])
    _total(summary, "TtlCdtNtries", credits)
    _total(summary, "TtlDbtNtries", debits)


def _total(summary: Element, name: str, amounts: Sequence[Decimal]) -> None:
    total = _under(summary, name)
    _text(total, "NbOfNtries", str(len(amounts)))
    _text(total, "Sum", f"{sum(amounts, Decimal(0)):f}")


def _entry(statement: Element, row: BankRow, own: str) -> None:
    entry = _under(statement, "Ntry")
    _money(entry, row.amount, row.currency)
    _text(entry, "CdtDbtInd", "DBIT" if row.amount < 0 else "CRDT")
    if row.is_reversal:
        _text(entry, "RvslInd", "true")
    _text(entry, "Sts/Cd", "BOOK")
    _text(entry, "BookgDt/Dt", str(row.day))
    _text(entry, "ValDt/Dt", str(row.day))
    _text(entry, "AcctSvcrRef", row.number)
    code = _under(_under(entry, "BkTxCd"), "Domn")
    _text(code, "Cd", row.code[0])
    family = _under(code, "Fmly")
    _text(family, "Cd", row.code[1])
    _text(family, "SubFmlyCd", row.code[2])
    detail = _under(_under(entry, "NtryDtls"), "TxDtls")
    _text(detail, "Refs/EndToEndId", row.end_to_end or "NOTPROVIDED")
    _money(detail, row.amount, row.currency)
    _text(detail, "CdtDbtInd", "DBIT" if row.amount < 0 else "CRDT")
    _parties(detail, row, own)
    if row.remittance:
        _text(detail, "RmtInf/Ustrd", row.remittance)


def _parties(detail: Element, row: BankRow, own: str) -> None:
    """Who paid whom. A reversal keeps the parties of the payment that it turns back."""
    if not row.name:
        return
    other_paid = (row.amount > 0) != row.is_reversal
    us, them = (_OWNERS[row.bank], own), (row.name, row.account)
    debtor, creditor = (them, us) if other_paid else (us, them)
    parties = _under(detail, "RltdPties")
    for role, (name, account) in (("Dbtr", debtor), ("Cdtr", creditor)):
        _text(parties, f"{role}/Pty/Nm", name)
        if account:
            _text(parties, f"{role}Acct/Id/IBAN", account)


def _under(parent: Element, name: str) -> Element:
    return ElementTree.SubElement(parent, name)


def _text(parent: Element, path: str, text: str) -> None:
    for name in path.split("/"):
        parent = _under(parent, name)
    parent.text = text


def _money(parent: Element, amount: Decimal, currency: str) -> None:
    element = ElementTree.SubElement(parent, "Amt", {"Ccy": currency})
    element.text = f"{abs(amount):f}"
