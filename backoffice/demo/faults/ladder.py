"""Faults that the upper rungs of the match ladder tell apart: a direction, a move inside, a line that fits twice."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.days import utc
from backoffice.demo.faults.base import Fault
from backoffice.demo.faults.cash import credited_before, deposit_of, some_login
from backoffice.demo.names import iban
from backoffice.demo.scene import Scene


def direction(scene: Scene, dice: Dice) -> None:
    """A client was credited, and the bank shows the same reference as money that left."""
    login = some_login(scene, dice)
    reference, credited = scene.reference("D"), deposit_of(dice, login)
    credited_before(scene, dice, login, credited, reference, back=1)
    row = scene.wire(login, -credited, scene.days.live, reference)
    row.remittance = f"{reference} {login.number}"
    why = "credited, and the bank shows it as money that left"
    scene.plant("DIRECTION", login.entity, f"ref:{reference}", why, amount=-2 * row.amount.copy_abs())


def internal(scene: Scene, dice: Dice) -> None:
    """A transfer between logins that was taken from one and never given to the other; today its time is up."""
    login = some_login(scene, dice)
    reference = scene.reference("T")
    unit = 150 if login.currency == "JPY" else 1
    at = utc(scene.days.back(1), dice.number(8, 16), dice.number(0, 59))
    amount = Decimal(dice.number(2, 9) * unit)
    scene.operation(login, -amount, at, f"{reference} transfer")
    subject = f"ref:{reference}:{login.currency}"
    scene.plant("INTERNAL", login.entity, subject, "taken from one login, given to none", amount=amount)


def ambiguous(scene: Scene, dice: Dice) -> None:
    """Two clients were credited the same odd amount, and one receipt names neither."""
    amount = Decimal(dice.number(20, 90) * 10) + Decimal(dice.number(11, 98)).scaleb(-2)
    for back in (0, 1):
        login = scene.take_login(dice, "mt5-live", currency="EUR")
        credited_before(scene, dice, login, amount, f"{scene.reference('D')} wire", back=back)
    row = scene.bank_line(
        "bank-cy", scene.days.live, "EUR", amount, "funds for trading", code=("PMNT", "RCDT", "XBCT"), name="Payer Ltd"
    )
    row.account = iban(dice, "DE")
    scene.plant("AMBIGUOUS", "CY", row, "two deposits of this amount wait, and nothing says which", amount=amount)


FAULTS: Mapping[str, Fault] = {
    "DIRECTION": direction,
    "INTERNAL": internal,
    "AMBIGUOUS": ambiguous,
}
