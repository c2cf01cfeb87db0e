"""The plan of the money desk: who has a wallet, what came into it by card or wire, and what has left it by bank."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import Login
from backoffice.demo.days import shifted, utc
from backoffice.demo.plan import Announce, Holder, PayByBank
from backoffice.demo.scene import Scene

# Clients with a wallet by entity, and the methods by which they are known.
_METHODS = {
    "CY": ("BANK",) * 14 + ("CARD",) * 10 + ("CRYPTO",) * 4 + ("EWALLET",),
    "UK": ("BANK",) * 12,
}
_CURRENCIES = ("EUR", "USD", "GBP")
_SIZES = (500, 750, 1_000, 1_500, 2_000, 2_500, 3_000, 5_000)
# More than the amount from which a second approver and typing the amount are asked for.
_LARGE = Decimal(42_000)
_LARGE_ONES = 2
_PAID_BY_BANK = {"CY": 3, "UK": 2}


def happen(scene: Scene) -> None:
    """Choose the clients and let their money come and go."""
    dice = Dice(scene.seed, "wallets")
    for entity, methods in _METHODS.items():
        fitting = [c for c in scene.plan.clients if c.entity == entity and _fits(c.logins[0])]
        for client, method in zip(dice.some(fitting, len(methods)), methods, strict=True):
            scene.keep(client)
            scene.plan.holders.append(Holder(client.logins[0], method))
    for holder in scene.plan.holders:
        _pay_in(scene, dice, holder, _size(scene, dice, holder))
    for entity, count in _PAID_BY_BANK.items():
        by_bank = [h for h in scene.plan.holders if h.client.entity == entity and h.method == "BANK"]
        for holder in by_bank[-count:]:
            _pay_out(scene, dice, holder)


def _fits(login: Login) -> bool:
    return login.currency in _CURRENCIES and not login.reckless


def _size(scene: Scene, dice: Dice, holder: Holder) -> Decimal:
    by_bank = [h for h in scene.plan.holders if h.client.entity == "CY" and h.method == "BANK"]
    return _LARGE if holder in by_bank[:_LARGE_ONES] else Decimal(dice.one(_SIZES))


def _pay_in(scene: Scene, dice: Dice, holder: Holder, amount: Decimal) -> None:
    """A deposit of the history's first weeks, on the way it came."""
    day = dice.one(scene.days.bulk[2:-4])
    reference = scene.reference("D")
    holder.paid_in += amount
    at = utc(day, dice.number(7, 16), dice.number(0, 59)) + timedelta(seconds=dice.number(0, 59))
    scene.act(at, Announce(holder, amount, reference))
    if holder.method == "CARD":
        settled_on = shifted(day, 1)
        row = scene.settled(reference, holder.login.currency, amount, settled_on, holder.login.exponent)
        row.method = dice.one(("visa", "mc"))
        scene.touched.add(reference)
        if scene.disputed is None:
            scene.disputed = row
    else:
        scene.wire(holder.login, amount, day, reference)


def _pay_out(scene: Scene, dice: Dice, holder: Holder) -> None:
    """A withdrawal of the last days that has arrived."""
    reference = scene.reference("W")
    back = dice.number(3, 5)
    amount = Decimal(dice.number(10, 40) * 10)
    row = scene.wire(holder.login, -amount, scene.days.back(back - 1), reference)
    row.remittance = f"Withdrawal {reference}"
    scene.act(utc(scene.days.back(back), dice.number(8, 13), dice.number(0, 50)), PayByBank(holder, amount, reference))
    holder.paid_in -= amount
