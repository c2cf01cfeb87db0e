"""One `Ntry` of a statement as one or more bank lines.

The entry is the truth: its amount, its currency, and CdtDbtInd for the direction. RvslInd marks a reversal but
turns nothing round, because CdtDbtInd already has the real direction (proved by statements that balance as
they stand and stop balancing when the sign is flipped). Transaction details split an entry only when their
amounts in its currency sum to it exactly; details that differ by charges or exchange stay evidence.

A payment that comes back is no reversal in the bank's words, but turns money back all the same: it is marked like one
where the transaction names a return reason (RtrInf) or the bank's code is one of a return (`_RETURN_FAMILIES`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from integrations.adapters import reading
from integrations.adapters.camt053.walk import Fields
from integrations.adapters.reading import BadField, Occurrences, shown
from integrations.records import BankLine

# Transactions told one by one as evidence on an entry that is not split.
EVIDENCE_MAX = 10
# What banks write into EndToEndId when the payer gave none.
_NO_ID = ("NOTPROVIDED", "NOT PROVIDED", "NONREF")
_AMOUNTS = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")
# Sub-families of BkTxCd for money that comes back (ISO 20022 external code list): payment return, unpaid direct debit,
# reversal due to a payment reversal, reversal due to a cancellation request.
_RETURN_FAMILIES = ("RRTN", "UPDD", "PRDD", "RPCR")
_CHARGES = ("Chrgs/TtlChrgsAndTaxAmt", "Chrgs/Rcrd/Amt", "Chrgs/Amt")
# Evidence: where it stands in TxDtls (the first path that has a text) and what it is called on the line.
_EVIDENCE = {
    "structured_reference": ("RmtInf/Strd/CdtrRefInf/Ref",),
    "transaction_id": ("Refs/TxId",),
    "instruction_id": ("Refs/InstrId",),
    "payment_information_id": ("Refs/PmtInfId",),
    "mandate_id": ("Refs/MndtId",),
    "uetr": ("Refs/UETR",),
    "cheque_number": ("Refs/ChqNb",),
    "additional_remittance": ("RmtInf/Strd/AddtlRmtInf",),
    "additional_transaction_info": ("AddtlTxInf",),
    "purpose": ("Purp/Cd", "Purp/Prtry"),
    "return_reason": ("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry"),
    "return_information": ("RtrInf/AddtlInf",),
    "returned_code": ("RtrInf/OrgnlBkTxCd/Domn/Fmly/SubFmlyCd", "RtrInf/OrgnlBkTxCd/Prtry/Cd"),
    "exchange_rate": (
        "AmtDtls/InstdAmt/CcyXchg/XchgRate",
        "AmtDtls/TxAmt/CcyXchg/XchgRate",
        "AmtDtls/CntrValAmt/CcyXchg/XchgRate",
    ),
    "ultimate_debtor": ("RltdPties/UltmtDbtr/Nm", "RltdPties/UltmtDbtr/Pty/Nm"),
    "ultimate_creditor": ("RltdPties/UltmtCdtr/Nm", "RltdPties/UltmtCdtr/Pty/Nm"),
    "debtor_bic": ("RltdAgts/DbtrAgt/FinInstnId/BICFI", "RltdAgts/DbtrAgt/FinInstnId/BIC"),
    "creditor_bic": ("RltdAgts/CdtrAgt/FinInstnId/BICFI", "RltdAgts/CdtrAgt/FinInstnId/BIC"),
}
_NAMED_AMOUNTS = {
    "transaction_amount": "AmtDtls/TxAmt/Amt",
    "instructed_amount": "AmtDtls/InstdAmt/Amt",
    "counter_value": "AmtDtls/CntrValAmt/Amt",
}


@dataclass(frozen=True, slots=True)
class Place:
    """The statement an entry stands in."""

    account: str
    statement_id: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the entry itself says, checked. `amount` is signed, credit positive."""

    amount: Decimal
    currency: str
    status: str
    is_debit: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """What one TxDtls says, as texts; `parties` are name and account of debtor and creditor."""

    amounts: tuple[tuple[str, str], ...]
    indicator: str
    reference: str
    end_to_end_id: str
    remittance: str
    parties: tuple[tuple[str, str], tuple[str, str]]
    evidence: tuple[tuple[str, str], ...]
    is_return: bool

    def signed(self, entry: Entry) -> Decimal | None:
        """The first amount in the entry's currency, with its own direction, else the entry's; None if unusable."""
        for text, currency in self.amounts:
            if currency != entry.currency:
                continue
            try:
                value = reading.amount(text, field="TxDtls/Amt")
            except BadField:
                return None
            debit = self.indicator == "DBIT" if self.indicator else entry.is_debit
            return -value if debit else value
        return None

    def spelled(self) -> str:
        """One line of evidence."""
        text, currency = self.amounts[0] if self.amounts else ("", "")
        names = " / ".join(name for name, _ in self.parties if name)
        parts = (f"{text} {currency} {self.indicator}", self.reference, self.end_to_end_id, names, self.remittance)
        return "; ".join(part.strip() for part in parts if part.strip())


def detail(fields: Fields) -> Detail:
    """Keep of a TxDtls what a bank line or its evidence needs."""
    evidence = [(name, fields.first(*paths)) for name, paths in _EVIDENCE.items()]
    evidence += [(name, " ".join(fields.money(path))) for name, path in _NAMED_AMOUNTS.items()]
    evidence.append(("charges", _charges(fields)))
    end_to_end = fields.first("Refs/EndToEndId")
    return Detail(
        amounts=tuple(fields.money(path) for path in _AMOUNTS if fields.times(path)),
        indicator=fields.first("CdtDbtInd"),
        reference=fields.first("Refs/AcctSvcrRef"),
        end_to_end_id="" if end_to_end.upper() in _NO_ID else end_to_end,
        remittance=_remittance(fields),
        parties=(_party(fields, "Dbtr"), _party(fields, "Cdtr")),
        evidence=tuple((name, text.strip()) for name, text in evidence if text.strip()),
        is_return=fields.has("RtrInf/") or fields.first("BkTxCd/Domn/Fmly/SubFmlyCd") in _RETURN_FAMILIES,
    )


def read(fields: Fields) -> Entry:
    """Amount, direction and status of an entry. Raises BadField naming the element."""
    for name in ("Amt", "CdtDbtInd"):
        if fields.times(name) != 1:
            raise BadField(f"Ntry/{name}", f"must stand there once, not {fields.times(name)} times.")
    text, currency = fields.money("Amt")
    value = reading.amount(text, field="Ntry/Amt")
    if value < 0:
        raise BadField("Ntry/Amt", f"{text[:40]!r} is negative; CdtDbtInd alone says the direction.")
    if not currency.strip():
        raise BadField("Ntry/Amt/@Ccy", "is missing.")
    indicator = fields.first("CdtDbtInd")
    if indicator not in ("CRDT", "DBIT"):
        raise BadField("Ntry/CdtDbtInd", f"{indicator[:40]!r} is neither CRDT nor DBIT.")
    status = fields.first("Sts/Cd", "Sts/Prtry", "Sts")
    if not status:
        raise BadField("Ntry/Sts", "is missing.")
    is_debit = indicator == "DBIT"
    return Entry(-value if is_debit else value, currency.strip(), status, is_debit)


def lines(
    place: Place, entry: Entry, fields: Fields, details: Sequence[Detail], seen: Occurrences
) -> Iterator[BankLine]:
    """The bank lines of a booked entry; `seen` numbers equal ones. Raises BadField for a missing date."""
    plain = _plain(place, entry, fields)
    if len(details) > 1 and _explained(entry, details):
        whole = f"{shown(entry.amount)} {entry.currency}"
        for number, one in enumerate(details, start=1):
            amount = one.signed(entry)
            assert amount is not None, "the sum was taken over all of them"
            line = _with(plain, one, {"entry_amount": whole, "part": f"{number} of {len(details)}"})
            stem = _stem(plain, fields, one.reference or _mark(one))
            yield replace(line, amount=amount, line_key=f"{stem}|{seen.of(stem)}")
        return
    line = plain
    if len(details) == 1:
        line = _with(plain, details[0], {})
    elif details:
        told = {f"transaction_{number}": one.spelled() for number, one in enumerate(details[:EVIDENCE_MAX], start=1)}
        line = replace(plain, details={**plain.details, **told, "transactions": str(len(details))})
    stem = _stem(line, fields, "")
    yield replace(line, line_key=f"{stem}|{seen.of(stem)}")


def _explained(entry: Entry, details: Iterable[Detail]) -> bool:
    """Whether the details' amounts sum to the entry exactly."""
    total = Decimal(0)
    for one in details:
        amount = one.signed(entry)
        if amount is None:
            return False
        total += amount
    return total == entry.amount


def _plain(place: Place, entry: Entry, fields: Fields) -> BankLine:
    """The line of an entry without what its transactions say."""
    booked, value = _day(fields, "BookgDt"), _day(fields, "ValDt")
    booking_date, value_date = booked or value, value or booked
    if booking_date is None or value_date is None:
        raise BadField("Ntry/BookgDt", "neither BookgDt nor ValDt is there.")
    family = [fields.first(f"BkTxCd/Domn/{path}") for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
    proprietary = fields.first("BkTxCd/Prtry/Cd")
    evidence = {
        "entry_reference": fields.first("NtryRef"),
        "additional_info": " ".join(fields.all("AddtlNtryInf")),
        "proprietary_code": proprietary,
        "entry_charges": _charges(fields),
        "entry_instructed_amount": " ".join(fields.money("AmtDtls/InstdAmt/Amt")).strip(),
        "entry_exchange_rate": fields.first(
            "AmtDtls/InstdAmt/CcyXchg/XchgRate", "AmtDtls/TxAmt/CcyXchg/XchgRate", "AmtDtls/CntrValAmt/CcyXchg/XchgRate"
        ),
        "batch_transactions": fields.first("NtryDtls/Btch/NbOfTxs"),
        "batch_message_id": fields.first("NtryDtls/Btch/MsgId"),
        "batch_payment_information_id": fields.first("NtryDtls/Btch/PmtInfId"),
    }
    return BankLine(
        line_key="",
        account=place.account,
        statement_id=place.statement_id,
        amount=entry.amount,
        currency=entry.currency,
        booking_date=booking_date,
        value_date=value_date,
        bank_reference=fields.first("AcctSvcrRef", "NtryRef"),
        remittance=evidence["additional_info"],
        is_reversal=fields.first("RvslInd").lower() in ("true", "1") or family[-1] in _RETURN_FAMILIES,
        bank_code="/".join(filter(None, family)) or proprietary,
        details={name: text for name, text in evidence.items() if text},
    )


def _with(plain: BankLine, one: Detail, evidence: Mapping[str, str]) -> BankLine:
    """An entry's line with what one of its transactions says."""
    marked = replace(plain, is_reversal=plain.is_reversal or one.is_return)
    name, account = _counterparty(one, marked)
    return replace(
        marked,
        bank_reference=one.reference or plain.bank_reference,
        end_to_end_id=one.end_to_end_id,
        remittance=one.remittance or plain.remittance,
        counterparty=name,
        counterparty_account=account,
        details={**plain.details, **dict(one.evidence), **evidence},
    )


def _counterparty(one: Detail, line: BankLine) -> tuple[str, str]:
    """Who paid a credit, who received a debit; a reversal keeps the parties of what it turns back."""
    debtor_first = (line.amount > 0) != line.is_reversal
    for name, account in one.parties if debtor_first else reversed(one.parties):
        if (name or account) and account != line.account:
            return name, account
    return "", ""


def _stem(line: BankLine, fields: Fields, tail: str) -> str:
    """Account, statement, the bank's reference or else the content, and the transaction within the entry."""
    reference = fields.first("AcctSvcrRef")
    if not reference:
        reference = "#" + reading.fingerprint(
            shown(line.amount),
            line.currency,
            line.booking_date.isoformat(),
            line.value_date.isoformat(),
            line.bank_reference,
            line.bank_code,
            line.end_to_end_id,
            line.remittance,
            line.counterparty_account,
            line.details.get("additional_info", ""),
        )
    return reading.key(line.account, line.statement_id, reference, tail)


def _mark(one: Detail) -> str:
    amounts = ["".join(pair) for pair in one.amounts]
    parties = ["|".join(pair) for pair in one.parties]
    evidence = ["=".join(pair) for pair in one.evidence]
    parts = (*amounts, one.indicator, one.end_to_end_id, one.remittance, *parties, *evidence)
    return "#" + reading.fingerprint(*parts)


def _party(fields: Fields, role: str) -> tuple[str, str]:
    """Name and account of a party; .08 and later put a Pty between."""
    stem = f"RltdPties/{role}"
    account = fields.first(f"{stem}Acct/Id/IBAN", f"{stem}Acct/Id/Othr/Id")
    return fields.first(f"{stem}/Nm", f"{stem}/Pty/Nm"), "".join(account.split())


def _remittance(fields: Fields) -> str:
    """What the payer wrote: free text, else structured references, else what the bank adds."""
    for paths in (("RmtInf/Ustrd",), ("RmtInf/Strd/CdtrRefInf/Ref",), ("RmtInf/Strd/AddtlRmtInf",), ("AddtlTxInf",)):
        if texts := fields.all(*paths):
            return " ".join(texts)
    return ""


def _charges(fields: Fields) -> str:
    """The charges an entry or transaction names: their total, else each."""
    for path in _CHARGES:
        if fields.times(path):
            _, currency = fields.money(path)
            return f"{' + '.join(fields.all(path))} {currency}".strip()
    return ""


def _day(fields: Fields, name: str) -> date | None:
    """A date or the local date of a moment, as printed; None where there is none."""
    text = fields.first(f"{name}/Dt", f"{name}/DtTm")
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadField(f"Ntry/{name}", f"{text[:40]!r} is not a date.") from None
