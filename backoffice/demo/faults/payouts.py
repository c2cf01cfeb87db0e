"""PSP payouts: what each batch adds up to, when the bank gets it, and when it does not."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.days import shifted
from backoffice.demo.faults.base import Fault
from backoffice.demo.faults.cash import WINDOW
from backoffice.demo.plan import ZERO, Payout
from backoffice.demo.scene import MERCHANT, Scene

TRANSFER = ("PMNT", "RCDT", "ESCT")
PSP_NAME = "Adyen N.V."


def pay(scene: Scene) -> None:
    """Close the batch of every day and currency: what is left is paid out, what is missing is carried over."""
    dice = Dice(scene.seed, "payouts")
    sums: dict[tuple[int, str], Decimal] = {}
    days = list(scene.days.all)
    for row in scene.plan.psp:
        if row.day in days:
            key = (days.index(row.day), row.currency)
            sums[key] = sums.get(key, ZERO) + row.gross - row.fee
    for (index, currency), amount in sorted(sums.items()):
        day = days[index]
        if amount > 0:
            bank_day = shifted(day, dice.number(1, 2))
            token = f"TX{dice.digits(9)}XT"
            scene.plan.payouts.append(Payout(day, currency, amount, token, bank_day, amount))
        elif amount < 0:
            carried = scene.psp("Balancetransfer", "", currency, -amount, day)
            carried.psp_reference, carried.modification = "", f"Balancetransfer to the next batch {dice.digits(8)}"


def arrive(scene: Scene) -> None:
    """Payouts on the bank account."""
    for payout in scene.plan.payouts:
        if payout.bank_day is not None:
            batch = batch_number(scene, payout)
            text = f"{payout.token} batch {batch}, {MERCHANT}"
            scene.bank_line(
                "bank-cy", payout.bank_day, payout.currency, payout.bank_amount, text, code=TRANSFER, name=PSP_NAME
            )


def batch_number(scene: Scene, payout: Payout) -> int:
    return FIRST_BATCH + list(scene.days.all).index(payout.day)


FIRST_BATCH = 380


def missing(scene: Scene, dice: Dice) -> None:
    """A payout of three business days ago never reaches the bank; today its time is up."""
    payout = _one(scene, dice, back=(WINDOW,))
    if payout is None:
        return
    payout.bank_day = None
    scene.plant("PAYOUT_MISSING", "CY", key(payout), "paid out, not at the bank in time", amount=-payout.amount)


def wrong_amount(scene: Scene, dice: Dice) -> None:
    """A payout reaches the bank today, less a correspondent's charge."""
    payout = _one(scene, dice, back=(1, 2))
    if payout is None:
        return
    charge = Decimal(dice.number(2_000, 9_000)) if payout.currency == "JPY" else dice.cents(500, 3_500)
    charge = min(charge, payout.amount - 1)
    payout.bank_day, payout.bank_amount = scene.days.live, payout.amount - charge
    scene.plant("PAYOUT_AMOUNT", "CY", key(payout), "the bank received less than was paid out", amount=-charge)


def unknown(scene: Scene, dice: Dice) -> None:
    """The bank received a payout three business days ago of which the PSP has sent no report."""
    token, amount = f"TX{dice.digits(9)}XT", dice.cents(100_000, 900_000)
    currency = dice.one(("EUR", "USD"))
    text = f"{token} batch {FIRST_BATCH - dice.number(2, 40)}, {MERCHANT}_Cards"
    scene.bank_line("bank-cy", scene.days.back(WINDOW), currency, amount, text, code=TRANSFER, name=PSP_NAME)
    subject = f"payout:{token}:{currency}"
    scene.plant("PAYOUT_UNKNOWN", "CY", subject, "a payout that no report explains", amount=amount)


def key(payout: Payout) -> str:
    return f"payout:{payout.token}:{payout.currency}"


def _one(scene: Scene, dice: Dice, *, back: tuple[int, ...]) -> Payout | None:
    """A payout of one of these days before the live one that is part of no fault; None when all are."""
    days = [scene.days.back(count) for count in back]
    free = [p for p in scene.plan.payouts if p.day in days and p.token not in scene.touched and p.amount > 50]
    if not free:
        return None
    payout = dice.one(free)
    scene.touched.add(payout.token)
    return payout


FAULTS: Mapping[str, Fault] = {
    "PAYOUT_MISSING": missing,
    "PAYOUT_AMOUNT": wrong_amount,
    "PAYOUT_UNKNOWN": unknown,
}
