"""One `:61:` with its `:86:`, as the library reads them, as a bank entry.

The mark gives the sign: D is money out, C money in, and a reversal has the real direction (RC -, RD +). The texts of
`:86:` are either structured by the German sub-fields (?20, EREF+, read by the library), by words between slashes
(/EREF/, /NAME/), or free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from integrations.adapters import reading
from integrations.adapters.reading import BadField
from integrations.records import BankLine

_NO_ID = ("NONREF", "NOTPROVIDED", "NOT PROVIDED", "NOREF")
# A line of :86: that is full goes on without a blank.
_FULL = 65
_WORD = re.compile(r"/([A-Z]{4})/")
# Transaction types that say by themselves that money came back (SWIFT: returned item), and the German banks' codes for
# returned direct debits and credit transfers (Geschäftsvorfallcodes).
_RETURNED = ("RTI",)
_RETURNED_GVC = ("108", "109", "159", "181", "184")
_CHARGE = "CHG"
_EVIDENCE = (
    "customer_reference", "extra_details", "posting_text", "transaction_code", "prima_nota", "applicant_bin",
    "recipient_name", "debitor_identifier", "applicant_creditor_id", "additional_purpose", "compensation_amount",
    "original_amount", "return_debit_notes", "purpose_code", "deviate_applicant", "deviate_recipient",
    "additional_position_reference", "non_swift_text",
)  # fmt: skip


def line(said: Mapping[str, Any], *, account: str, statement_id: str, currency: str, raw: bytes) -> BankLine:
    """A transaction of the library's as a line without its number. Raises BadField.

    The line's key is made of the raw `:61:`, so that another encoding or a better reading of the details does not make
    it another line.
    """
    amount = reading.amount(f"{_decimal(said):f}", field=":61:")
    value = _day(said, "date")
    words = _words(_text(said, "transaction_details"))
    swift, gvc = _text(said, "id"), _text(said, "transaction_code")
    reference = _id(_text(said, "end_to_end_reference") or words.get("EREF", "")) or _id(
        _text(said, "customer_reference").partition("\n")[0]
    )
    remittance = _text(said, "purpose") or words.get("REMI", "") or _joined(_text(said, "transaction_details"))
    details = {name: _joined(_text(said, name)) for name in _EVIDENCE}
    if words:
        details["information"] = _joined(_text(said, "transaction_details"))
    return BankLine(
        line_key=reading.key(account, statement_id, "#" + reading.fingerprint(raw.decode("latin-1").strip())),
        account=account,
        statement_id=statement_id,
        amount=amount,
        currency=currency,
        booking_date=_day(said, "entry_date") if said.get("entry_date") else value,
        value_date=value,
        bank_reference=_text(said, "bank_reference"),
        end_to_end_id=reference,
        remittance=remittance or _text(said, "extra_details"),
        counterparty=_joined(_text(said, "applicant_name")) or words.get("NAME", ""),
        counterparty_account="".join((_text(said, "applicant_iban") or words.get("IBAN", "")).split()),
        is_reversal=_text(said, "status").upper() in ("RC", "RD") or swift[1:] in _RETURNED or gvc in _RETURNED_GVC,
        bank_code="/".join(filter(None, (swift, gvc, "CHRG" if swift[1:] == _CHARGE else ""))),
        details={name: text for name, text in details.items() if text},
    )


def _decimal(said: Mapping[str, Any]) -> Decimal:
    amount = getattr(said.get("amount"), "amount", None)
    if not isinstance(amount, Decimal) or not amount.is_finite():
        raise BadField(":61:", "has no amount.")
    return amount


def _day(said: Mapping[str, Any], name: str) -> date:
    found = said.get(name)
    if not isinstance(found, date):
        raise BadField(":61:", "has no date.")
    return date(found.year, found.month, found.day)


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    return found.strip() if isinstance(found, str) else ""


def _id(text: str) -> str:
    return "" if text.upper() in _NO_ID else text


def _joined(text: str) -> str:
    """Lines as one text: after a full line without a blank, because the bank cut it in the middle of a word."""
    lines = text.split("\n")
    return "".join(part if len(part) >= _FULL else f"{part} " for part in lines).strip()


def _words(text: str) -> dict[str, str]:
    """The texts of a `:86:` with words between slashes: "/EREF/W-1/REMI/USTD//rent/NAME/Ann"; empty of another kind."""
    joined = _joined(text)
    marks = list(_WORD.finditer(joined))
    if not marks or marks[0].start() > 0:
        return {}
    ends = [mark.start() for mark in marks[1:]] + [len(joined)]
    found = {mark[1]: joined[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)}
    if "REMI" in found:
        found["REMI"] = found["REMI"].removeprefix("USTD//").strip("/ ")
    elif "USTD" in found:
        found["REMI"] = found["USTD"].strip("/ ")
    return found
