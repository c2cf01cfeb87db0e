"""What goes wrong in the demo, and which breaks each fault must cause.

On the live day every class of break comes once to three times; a few older ones lie open or have settled by
themselves. Faults are made in the outside world only: no break is ever written here.
"""

from __future__ import annotations

from backoffice.demo.chance import Dice
from backoffice.demo.faults import accounts, balances, cash, ladder, older, payouts, trades
from backoffice.demo.faults.base import Fault
from backoffice.demo.scene import Scene

FAULTS: dict[str, Fault] = {
    **trades.FAULTS,
    **balances.FAULTS,
    **accounts.FAULTS,
    **cash.FAULTS,
    **ladder.FAULTS,
    **payouts.FAULTS,
}


def go_wrong(scene: Scene) -> None:
    """Put all of them into the plan. Payouts come last: they are what all rows of a batch add up to."""
    older.happen(scene)
    for klass, fault in FAULTS.items():
        if klass not in payouts.FAULTS:
            _some(scene, klass, fault)
    payouts.pay(scene)
    for klass, fault in payouts.FAULTS.items():
        _some(scene, klass, fault)
    payouts.arrive(scene)


def _some(scene: Scene, klass: str, fault: Fault) -> None:
    dice = Dice(scene.seed, f"faults/{klass}")
    for _ in range(dice.weighted(((1, 45), (2, 35), (3, 20)))):
        fault(scene, dice)
