"""One `Stmt`: whose it is, and whether it proves itself.

The balance proof is opening (OPBD, else PRCD) plus the signed booked entries = closing (CLBD). A statement without
one of the two is "not applicable" (a warning), not failed; of reports and notifications no balance is asked.
`TxsSummry`, where the bank sends one, is a control total as well: in the real files tried it holds wherever the
balances do, and a wrong count means a cut file even where no balance is given. It may count the booked entries or all
of them; either is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from integrations.adapters import reading
from integrations.adapters.camt053.entry import Entry, Place
from integrations.adapters.camt053.walk import Fields
from integrations.adapters.reading import BadField, Findings, shown
from integrations.records import ControlTotal

BOOKED = "BOOK"
_ZERO = Decimal(0)
# Which entries a part of TxsSummry is about: all, credits, debits.
_SUMMARY = {"TtlNtries": (True, True), "TtlCdtNtries": (True, False), "TtlDbtNtries": (False, True)}


@dataclass(slots=True)
class _Tally:
    """Number and unsigned sums of entries."""

    credits: int = 0
    debits: int = 0
    credit: Decimal = _ZERO
    debit: Decimal = _ZERO

    def add(self, amount: Decimal, is_debit: bool) -> None:
        if is_debit:
            self.debits += 1
            self.debit -= amount
        else:
            self.credits += 1
            self.credit += amount

    def of(self, credit: bool, debit: bool) -> tuple[int, Decimal]:
        count = self.credits * credit + self.debits * debit
        return count, self.credit * credit + self.debit * debit


@dataclass(frozen=True, slots=True)
class _Balance:
    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{shown(self.amount)} {self.currency}"


class Statement:
    """A statement while it is read."""

    def __init__(self, fields: Fields, *, proves: bool) -> None:
        self._fields = fields
        self._proves = proves
        self._balances: dict[str, _Balance] = {}
        self._unreadable: list[ControlTotal] = []
        self._booked = _Tally()
        self._all = _Tally()
        self._currency = ""
        self.net = _ZERO
        self.skipped: Counter[str] = Counter()

    def place(self) -> Place:
        """Account and statement id; raises BadField where there is no account."""
        return Place(self._account(), self._id())

    def name(self) -> str:
        account = self._account(needed=False) or "no account"
        return f"{account}, statement {self._id() or 'without id'}"

    def identity(self) -> tuple[str, ...]:
        """What makes a statement the same one; pages of one share its id."""
        page = self._fields.first("StmtPgntn/PgNb", "MsgPgntn/PgNb")
        return (self._account(needed=False), self._id(), page, self._fields.first("ElctrncSeqNb"))

    def balance(self, fields: Fields, findings: Findings, entry_number: int) -> None:
        code = fields.first("Tp/CdOrPrtry/Cd", "Tp/Cd")
        if not self._proves or code not in ("OPBD", "PRCD", "CLBD"):
            return
        text, currency = fields.money("Amt")
        try:
            amount = reading.amount(text, field=f"Bal/{code}/Amt")
            indicator = fields.first("CdtDbtInd")
            # Some banks leave the indicator out of all balances; then the number has its own sign.
            if indicator not in ("CRDT", "DBIT", "") or (indicator and amount < 0):
                raise BadField(f"Bal/{code}/CdtDbtInd", f"{indicator[:40]!r} with {text[:40]!r} says no direction.")
        except BadField as error:
            findings.reject(entry_number, error, fields.spelled())
            self._unreadable.append(ControlTotal(f"{self.name()}: {code}", "a balance", text[:40]))
            return
        balance = _Balance(-amount if indicator == "DBIT" else amount, currency.strip())
        if code == "CLBD" or code not in self._balances:
            self._balances[code] = balance

    def takes(self, entry: Entry) -> bool:
        """Count an entry; False when it is not booked. Raises BadField for another currency than the account's."""
        currency = self._settled_currency(entry)
        if entry.currency != currency:
            raise BadField("Ntry/Amt/@Ccy", f"{entry.currency!r} on an account in {currency}.")
        self._all.add(entry.amount, entry.is_debit)
        if entry.status != BOOKED:
            self.skipped[entry.status] += 1
            return False
        return True

    def booked(self, entry: Entry) -> None:
        self._booked.add(entry.amount, entry.is_debit)
        self.net += entry.amount

    def control_totals(self, findings: Findings) -> Iterator[ControlTotal]:
        yield from self._unreadable
        opening = self._balances.get("OPBD") or self._balances.get("PRCD")
        closing = self._balances.get("CLBD")
        if opening and closing:
            found = _Balance(opening.amount + self.net, opening.currency)
            yield ControlTotal(f"{self.name()}: opening plus entries is closing", str(closing), str(found))
        elif self._proves and not self._unreadable:
            which = "closing balance (CLBD)" if opening else "opening balance (OPBD or PRCD)"
            findings.warn(f"{self.name()}: no {which}, so the balance proof does not apply.")
        for part, which_entries in _SUMMARY.items():
            yield from self._summary(part, *which_entries)

    def currency(self) -> str:
        return self._currency

    def _summary(self, part: str, credit: bool, debit: bool) -> Iterator[ControlTotal]:
        count_text = self._fields.first(f"TxsSummry/{part}/NbOfNtries")
        sum_text = self._fields.first(f"TxsSummry/{part}/Sum")
        for label, text in (("NbOfNtries", count_text), ("Sum", sum_text)):
            if not text:
                continue
            place = 0 if label == "NbOfNtries" else 1
            stated = _spelled(text, place)
            figures = [_spelled(str(tally.of(credit, debit)[place]), place) for tally in (self._booked, self._all)]
            found = figures[1] if figures[1] == stated else figures[0]
            yield ControlTotal(f"{self.name()}: {part}/{label}", stated, found)

    def _settled_currency(self, entry: Entry) -> str:
        """The account's currency; where it is not said, the opening balance's, else the first entry's."""
        if not self._currency:
            opening = self._balances.get("OPBD") or self._balances.get("PRCD")
            self._currency = self._fields.first("Acct/Ccy") or (opening.currency if opening else "") or entry.currency
        return self._currency

    def _account(self, *, needed: bool = True) -> str:
        account = "".join(self._fields.first("Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id").split())
        if needed and not account:
            raise BadField("Stmt/Acct/Id", "the statement names no account before this entry.")
        return account

    def _id(self) -> str:
        return self._fields.first("Id", "ElctrncSeqNb")


def _spelled(text: str, place: int) -> str:
    """A count or a sum in one spelling; a text that is no number stays as it is and will not match."""
    if place == 0:
        return text.lstrip("0") or "0"
    try:
        return shown(reading.amount(text, field="Sum"))
    except BadField:
        return text[:40]
