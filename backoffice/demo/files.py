"""The files of the demo: each is written to the state folder first and handed in from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from backoffice.demo import finish
from backoffice.demo.faults.payouts import FIRST_BATCH
from backoffice.demo.scene import Scene
from backoffice.demo.writers import adyen, camt053, lp, mt4


class Files:
    """Makes the files of days; each method returns the path of what it wrote."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._scene = scene
        self._folder = folder
        self._ibans = finish.accounts(scene.seed)

    def psp(self, days: Sequence[date]) -> Path:
        batches = {day: FIRST_BATCH + list(self._scene.days.all).index(day) for day in days}
        numbers = [str(number) for number in batches.values()]
        span = numbers[0] if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"
        body = adyen.report(self._scene.plan.psp, self._scene.plan.payouts, batches)
        return self._write(f"settlement_detail_report_batch_{span}.csv", body)

    def bank(self, bank: str, days: Sequence[date]) -> Path:
        return self._write(f"camt053_{bank}_{_span(days)}.xml", self._document(bank, days))

    def has_statements(self, bank: str, days: Sequence[date]) -> bool:
        """Whether a bank has anything to state: it begins with an account's first movement."""
        return any(self._statements(bank)[day] for day in days)

    def wrong_bank(self, bank: str, day: date) -> Path:
        """The day's statements with a closing balance that its entries do not lead to."""
        first, *others = self._statements(bank)[day]
        wrong = [replace(first, mistake=Decimal(90)), *others]
        return self._write(f"camt053_{bank}_{day}_draft.xml", camt053.document(wrong, f"{bank}-{day}-1"))

    def fills(self, days: Sequence[date]) -> Path:
        fills = [fill for fill in self._scene.plan.fills if fill.file_day in days]
        return self._write(f"lp-prime_fills_{_span(days)}.csv", lp.executions(fills))

    def trades(self, at: datetime, *, broken: bool = False) -> Path:
        body = mt4.extract(self._scene.plan.mt4, at, self._scene.market, broken=broken)
        return self._write(f"mt4_trades_{at:%Y-%m-%d}.csv", body)

    def _document(self, bank: str, days: Sequence[date]) -> bytes:
        statements = self._statements(bank)
        given = [statement for day in days for statement in statements[day]]
        return camt053.document(given, f"{bank}-{days[-1]}")

    def _statements(self, bank: str) -> dict[date, list[camt053.Statement]]:
        """As the bank has it by now: what the house pays goes on while the month is played."""
        return camt053.statements(self._scene.plan.bank, bank, self._ibans, self._scene.days.all)

    def _write(self, name: str, body: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(body)
        return path


def _span(days: Sequence[date]) -> str:
    return str(days[0]) if len(days) == 1 else f"{days[0]}_{days[-1]}"
