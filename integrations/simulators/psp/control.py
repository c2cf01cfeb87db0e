"""The control interface under /sim/: what a test or the demo does to a simulated PSP behind the protocol's back.

Every order is a POST of a JSON object and answers a JSON object; 400 with {"error": sentence} when it cannot be done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from backoffice.kernel import money
from integrations.simulators.psp.book import BadRequest, Payout, Stage
from integrations.simulators.psp.faults import Faults
from integrations.simulators.psp.hooks import Hooks
from integrations.simulators.psp.protocol import PspProtocol

Request = Mapping[str, Any]


class Control:
    """Orders by name."""

    def __init__(self, psp: PspProtocol, faults: Faults, hooks: Hooks, now: Callable[[], datetime]) -> None:
        self._psp = psp
        self._faults = faults
        self._hooks = hooks
        self._now = now
        self._orders: dict[str, Callable[[Request], dict[str, Any]]] = {
            "payment": self._payment,
            "payout": self._payout,
            "settle": self._settle,
            "decline": self._decline,
            "return": self._return,
            "behave": self._behave,
            "fault": self._fault,
            "storm": self._storm,
            "reset": self._reset,
            "deliver": hooks.deliver,
            "report": self._report,
            "state": self._state,
        }

    def run(self, name: str, request: Request) -> dict[str, Any]:
        """Carry out one order. Raises BadRequest."""
        order = self._orders.get(name)
        if order is None:
            raise BadRequest(f"{name!r} is not one of {', '.join(self._orders)}.")
        try:
            return order(request)
        except (KeyError, TypeError, ValueError, money.BadAmount) as error:
            raise BadRequest(f"{name}: {type(error).__name__}: {error}") from error

    def _payment(self, request: Request) -> dict[str, Any]:
        """reference, amount, currency: a client pays in. Answers the number that refunds name."""
        payment = self._psp.book.receive(
            reference=str(request["reference"]),
            amount=money.parse(str(request["amount"])),
            currency=str(request["currency"]),
            at=self._now(),
        )
        self._hooks.add(self._psp.event(payment))
        return {"number": payment.number}

    def _payout(self, request: Request) -> dict[str, Any]:
        """reference, amount, currency, destination (object), original (number of a payment): a payout that the PSP has
        taken before, by another way or in an earlier life. Answers its number."""
        wanted = Payout(
            0,
            str(request["reference"]),
            money.parse(str(request["amount"])),
            str(request["currency"]),
            self._now(),
            original=str(request.get("original", "")),
            destination={str(name): str(value) for name, value in dict(request.get("destination", {})).items()},
        )
        made, _ = self._psp.book.pay(wanted.reference, wanted)
        return {"number": made.number}

    def _settle(self, request: Request) -> dict[str, Any]:
        """reference (default: all that are pending): the money arrived."""
        numbers = self._numbers(request) if "reference" in request else self._psp.book.pending()
        return {"settled": [self._step(number, Stage.PAID, "").reference for number in numbers]}

    def _decline(self, request: Request) -> dict[str, Any]:
        """reference, reason: it was taken and failed on its way."""
        reason = str(request.get("reason", "declined by the issuer"))
        return {"declined": [self._step(number, Stage.DECLINED, reason).reference for number in self._numbers(request)]}

    def _return(self, request: Request) -> dict[str, Any]:
        """reference, reason: what was paid came back."""
        reason = str(request.get("reason", "account closed"))
        return {"returned": [self._step(number, Stage.RETURNED, reason).reference for number in self._numbers(request)]}

    def _behave(self, request: Request) -> dict[str, Any]:
        """forgetful: ignore idempotency keys; late_lookups: so many look-ups of a new payout find nothing."""
        book = self._psp.book
        book.forgetful = bool(request.get("forgetful", book.forgetful))
        book.late_lookups = int(request.get("late_lookups", book.late_lookups))
        return {}

    def _fault(self, request: Request) -> dict[str, Any]:
        self._faults.order(request)
        return {}

    def _storm(self, request: Request) -> dict[str, Any]:
        self._faults.storm(request)
        return {}

    def _reset(self, request: Request) -> dict[str, Any]:
        self._faults.reset()
        return {}

    def _report(self, request: Request) -> dict[str, Any]:
        """day (ISO): the settlement report of that UTC day."""
        return {"csv": self._psp.report(date.fromisoformat(str(request["day"])))}

    def _state(self, request: Request) -> dict[str, Any]:
        payments, payouts = self._psp.book.snapshot()
        return {
            "payments": len(payments),
            "payouts": len(payouts),
            "pending": len(self._psp.book.pending()),
            "webhooks": self._hooks.waiting,
        }

    def _numbers(self, request: Request) -> list[int]:
        found = self._psp.book.numbers_of(str(request["reference"]))
        if not found:
            raise BadRequest(f"There is no payout {request['reference']!r}.")
        return found

    def _step(self, number: int, stage: Stage, reason: str) -> Payout:
        payout = self._psp.book.step(number, stage, at=self._now(), reason=reason)
        self._hooks.add(self._psp.event(payout))
        return payout
