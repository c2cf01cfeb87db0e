"""Reads a PSP's or a bank's file by a profile (profile.py) and proves what the file lets be proved.

- PSP: where gross, fee and net are all there, net = gross - fee on every row; a payout is what its lines add up to.
- Bank: where a running balance is there, each row's balance follows from its neighbour's, whichever way the file runs.
- A file of which half of the rows stand there twice was doubled.

Without any of these the file proves nothing, and the import says so.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO

from integrations.adapters import payouts, reading
from integrations.adapters.csv_profile import profile as profiles
from integrations.adapters.csv_profile.mapping import Mapped, MappedRows
from integrations.adapters.csv_profile.profile import Profile
from integrations.adapters.packed import Packed
from integrations.adapters.reading import BadField, Findings, Occurrences, shown
from integrations.ports import FileReader, Setting
from integrations.records import BankLine, ControlTotal, Parsed, PspKind, PspLine, Unreadable

_ZERO = Decimal(0)
_ACCOUNTS_MAX = 1_000


class CsvProfile:
    """Reads files whose layout a profile describes; the setting `profile` is the profile itself, as JSON."""

    name = "csv_profile"
    title = "Any PSP or bank (CSV or JSON by mapping profile)"
    settings: Sequence[Setting] = (
        Setting("file_profile", "Mapping profile", "which profile, and which version of it"),
        Setting("account", "Account", "of a bank whose files do not name it", required=False),
    )

    def parse(self, stream: IO[bytes], *, filename: str, settings: Mapping[str, str]) -> Parsed:
        profile = profiles.read(settings.get("profile", ""))
        if profile.kind == "ledger":
            raise Unreadable(f"{filename}: the profile is of a ledger; such files are loaded by `manage reconcile`.")
        return _Reading(stream, filename, profile).parsed()


READER: FileReader = CsvProfile()


class _Reading:
    """One file while it is read."""

    def __init__(self, stream: IO[bytes], filename: str, profile: Profile) -> None:
        self._profile = profile
        self._findings = Findings()
        self._rows = MappedRows(stream, filename=filename, profile=profile, findings=self._findings)
        self._records: Packed[PspLine | BankLine] = Packed()
        self._lines = array("L")
        self._seen = Occurrences()
        self._read = 0
        self._repeated = 0
        self._wrong = 0
        self._kinds: Counter[str] = Counter()
        self._nets: dict[str, Decimal] = {}
        self._balances: dict[tuple[str, str], _Running] = {}
        self._payouts = payouts.PayoutSums(filename=filename)

    def parsed(self) -> Parsed:
        for row in self._rows:
            try:
                lines = [self._psp(row)] if self._profile.kind == "psp" else self._bank(row)
            except BadField as error:
                self._findings.reject(row.line, error, row.raw)
                continue
            self._read += 1
            for line in lines:
                self._records.append(line)
                self._lines.append(row.line)
        if not self._rows.data_rows:
            self._findings.warn("The file has no rows.")
        facts = {"encoding": self._rows.encoding(), "rows": str(self._rows.data_rows)}
        if self._rows.passed_over:
            facts["rows_in_other_states"] = str(self._rows.passed_over)
        facts.update({f"rows:{kind}": str(count) for kind, count in sorted(self._kinds.items())})
        facts.update({f"net:{currency}": shown(net) for currency, net in sorted(self._nets.items())})
        return Parsed(
            records=self._records,
            lines=self._lines,
            rejected=self._findings.rejected(),
            control_totals=self._control_totals(),
            warnings=self._findings.warnings(),
            facts=facts,
        )

    def _psp(self, row: Mapped) -> PspLine:
        gross, fee, net = self._amounts(row)
        booked_at = row.values.get("booked_at")
        if not isinstance(booked_at, datetime):
            raise BadField(self._profile.header("booked_at"), "is empty.")
        kind = self._profile.kind_of(row.text("type"))
        currency = row.text("currency")
        original = row.money("gross_original")
        line = PspLine(
            line_key=self._key(row),
            kind=kind,
            provider_type=row.text("type"),
            psp_reference=row.text("psp_reference") or row.text("id"),
            merchant_reference=row.text("merchant_reference"),
            modification_reference=row.text("modification_reference"),
            gross=gross,
            fee=fee,
            net=net,
            currency=currency,
            gross_original=gross if original is None else original,
            currency_original=row.text("currency_original").upper() or currency,
            exchange_rate=row.text("exchange_rate"),
            payout_key=row.text("payout_key"),
            bank_reference=row.text("bank_reference"),
            booked_at=booked_at.astimezone(UTC),
            booked_zone=self._profile.time_zone,
            method=row.text("method"),
            available_on=_day(row, "available_on"),
        )
        if kind is PspKind.UNKNOWN:
            self._findings.warn(f"line {row.line}: type {row.text('type')[:60]!r} is not in the profile; not booked.")
        self._kinds[kind.value] += 1
        self._nets[currency] = self._nets.get(currency, _ZERO) + net
        self._payouts.add_line(line)
        return line

    def _amounts(self, row: Mapped) -> tuple[Decimal, Decimal, Decimal]:
        """Gross, fee and net; the one that the file does not have follows from the others."""
        gross, fee, net = row.money("gross"), row.money("fee"), row.money("net")
        if gross is None and net is None:
            name = "net" if self._profile.has("net") else "gross"
            raise BadField(self._profile.header(name), "is empty.")
        if fee is None:
            fee = gross - net if gross is not None and net is not None else _ZERO
        if gross is None:
            assert net is not None, "one of the two is there"
            gross = net + fee
        if net is None:
            net = gross - fee
        if net != gross - fee:
            self._wrong += 1
            self._findings.warn(f"line {row.line}: gross {shown(gross)} less fee {shown(fee)} is not net {shown(net)}.")
        return gross, fee, net

    def _bank(self, row: Mapped) -> list[BankLine]:
        """An entry; a fee that stands beside its amount is an entry of its own, as a charge."""
        amount, booked = row.money("amount"), _day(row, "booking_date")
        for name, value in (("amount", amount), ("booking_date", booked)):
            if value is None:
                raise BadField(self._profile.header(name), "is empty.")
        assert amount is not None and booked is not None, "both were looked at"
        account, currency = row.text("account"), row.text("currency")
        if not account:
            raise BadField(self._profile.header("account"), "is empty; name the account in the connection's settings.")
        fee = row.money("fee") or _ZERO
        line = BankLine(
            line_key=self._key(row),
            account=account,
            statement_id=row.text("statement_id"),
            amount=amount,
            currency=currency,
            booking_date=booked,
            value_date=_day(row, "value_date") or booked,
            bank_reference=row.text("bank_reference") or row.text("id"),
            end_to_end_id=row.text("end_to_end_id"),
            remittance=row.text("remittance"),
            counterparty=row.text("counterparty"),
            counterparty_account=row.text("counterparty_account"),
            bank_code=row.text("bank_code"),
        )
        self._nets[currency] = self._nets.get(currency, _ZERO) + amount - fee
        self._balanced(account, currency, amount - fee, row.money("balance"))
        if not fee:
            return [line]
        charge = BankLine(
            line_key=f"{line.line_key}|fee",
            account=account,
            statement_id=line.statement_id,
            amount=-fee,
            currency=currency,
            booking_date=booked,
            value_date=line.value_date,
            bank_reference=line.bank_reference,
            remittance=f"Fee of {line.bank_reference}",
            bank_code="CHRG",
        )
        return [line, charge]

    def _balanced(self, account: str, currency: str, moved: Decimal, balance: Decimal | None) -> None:
        if balance is None:
            return
        self._balances.setdefault((account, currency), _Running()).add(moved, balance)
        if len(self._balances) > _ACCOUNTS_MAX:
            raise Unreadable(f"{self._rows.filename}: more than {_ACCOUNTS_MAX:,} accounts. Is the column right?")

    def _key(self, row: Mapped) -> str:
        fields = self._profile.key or (("id",) if row.text("id") else ())
        parts = [row.text(field) for field in fields] or [reading.fingerprint(row.raw)]
        stem = reading.key(row.text("account"), row.text("currency"), *parts)
        number = self._seen.of(stem)
        if number > 1:
            self._repeated += 1
            self._findings.warn(f"line {row.line}: the same row as before, kept as number {number}.")
        return f"{stem}|{number}"

    def _control_totals(self) -> list[ControlTotal]:
        profile, totals = self._profile, []
        if self._read and profile.kind == "psp" and all(map(profile.has, ("gross", "fee", "net"))):
            totals.append(payouts.count_of("net is gross less fee", self._read, self._wrong))
        for (account, currency), running in self._balances.items():
            totals.append(running.total(f"{account} {currency}: balances follow from the amounts"))
        if self._repeated and self._repeated * 2 >= self._read:
            totals.append(payouts.stated_once(self._read, self._repeated))
        totals += self._payouts.totals()
        if not totals and self._findings.rejections and not self._read:
            rows = self._rows.data_rows
            totals.append(payouts.count_of("rows that can be read", rows, rows))
        return totals


class _Running:
    """The balances of one account, each beside what moved it; files run forwards or backwards in time."""

    def __init__(self) -> None:
        self._steps = self._forwards = self._backwards = 0
        self._before: tuple[Decimal, Decimal] | None = None

    def add(self, moved: Decimal, balance: Decimal) -> None:
        if self._before is not None:
            earlier_moved, earlier = self._before
            self._steps += 1
            self._forwards += balance == earlier + moved
            self._backwards += earlier == balance + earlier_moved
        self._before = (moved, balance)

    def total(self, name: str) -> ControlTotal:
        return ControlTotal(name, f"{self._steps} steps", f"{max(self._forwards, self._backwards)} steps")


def _day(row: Mapped, field: str) -> date | None:
    value = row.values.get(field)
    return value if isinstance(value, date) and not isinstance(value, datetime) else None
