"""How the simulator says no: to the protocol with a retcode, to its control interface with a sentence."""

from __future__ import annotations

from enum import Enum


class Ret(Enum):
    """Return codes the simulated server gives: the number and the words a real one puts after it."""

    PARAMETERS = (3, "Invalid parameters")
    NOT_FOUND = (13, "Not found")
    TOO_FREQUENT = (12, "Too frequent")
    OTHER_CURRENCY = (3010, "Different group currency")
    MONEY_LIMIT = (4005, "Money limit reached")
    NO_MONEY = (10019, "Not enough money")

    @property
    def text(self) -> str:
        return f"{self.value[0]} {self.value[1]}"


class Refused(Exception):
    """The server does not do what a call asks."""

    def __init__(self, ret: Ret) -> None:
        super().__init__(ret.text)
        self.ret = ret


class BadRequest(Exception):
    """The control interface was asked for something impossible."""
