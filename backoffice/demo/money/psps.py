"""Two PSPs that pay out: their simulators, their connections, and where their webhooks are taken in.

The simulators keep nothing, so that whoever starts one again has to tell it what it had paid before: that is in its
entry of simulators.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backoffice.demo import simulator
from backoffice.demo.chance import Dice
from backoffice.demo.simulator import Control
from backoffice.kernel.actor import System
from integrations.models import Connection, OrderState, PayoutOrder
from integrations.services import connections, endpoints

CARDS, CRYPTO = "cards-out", "crypto-out"
_ACTOR = System("demo")
# What the crypto PSP says it has paid instead of what was ordered, more by this.
MISTAKE = Decimal(90)


@dataclass(frozen=True, slots=True)
class Psp:
    """One PSP: its simulator, adapter and webhooks. `settings` besides the address."""

    name: str
    module: str
    adapter: str
    webhooks: str
    settings: Mapping[str, str]
    secret_name: str

    def entry(self, port: int, secret: str, orders: Sequence[tuple[str, Mapping[str, Any]]] = ()) -> dict[str, Any]:
        """What the launcher needs to start it again, and what it has to be told then."""
        variable = f"DEMO_{self.module.upper()}_SECRET"
        argv = ["python", "-m", f"integrations.simulators.{self.module}"]
        argv += ["--port", str(port), "--secret-env", variable]
        return {"name": self.name, "argv": argv, "env": {variable: secret}, "port": port, "orders": list(orders)}


PSPS = (
    Psp(CARDS, "psp_card", "checkout_gateway", "checkout", {"source_account": "ca_demo"}, "secret_key"),
    Psp(CRYPTO, "psp_crypto", "coinspaid_gateway", "coinspaid", {"key": "simulated"}, "secret"),
)


def connect(seed: int, entity_id: int) -> dict[str, Connection]:
    """The connections, each on a free port of its own, and their webhooks."""
    found = {}
    for psp in PSPS:
        secret = _secret(seed, psp)
        settings = {**psp.settings, "base_url": f"http://127.0.0.1:{simulator.free_port()}", "timeout_seconds": "5"}
        found[psp.name] = connections.add(
            actor=_ACTOR,
            entity_id=entity_id,
            name=psp.name,
            adapter=psp.adapter,
            settings=settings,
            secret_values={psp.secret_name: secret},
        )
        endpoints.set_up(
            actor=_ACTOR,
            connection_id=found[psp.name].pk,
            provider=psp.webhooks,
            settings={},
            secret_values={"secret": secret},
        )
    return found


@contextmanager
def running(seed: int) -> Iterator[dict[str, Control]]:
    """Both simulators as processes."""
    with ExitStack() as stack:
        yield {
            psp.name: stack.enter_context(simulator.process(psp.entry(_port(psp), _secret(seed, psp)), _port(psp)))
            for psp in PSPS
        }


def entries(seed: int) -> list[dict[str, Any]]:
    """Entries for the launcher, with the payouts that the PSPs have taken by now."""
    return [psp.entry(_port(psp), _secret(seed, psp), _taken(psp)) for psp in PSPS]


def order_of(order: PayoutOrder, amount: Decimal) -> dict[str, Any]:
    """A payout as the simulator is told that it has taken it."""
    return {
        "reference": order.reference,
        "amount": f"{amount.normalize():f}",
        "currency": order.currency,
        "destination": dict(order.destination),
    }


def _taken(psp: Psp) -> list[tuple[str, Mapping[str, Any]]]:
    """In the order in which the PSP has numbered them: the one with the mistake was its first."""
    orders = PayoutOrder.objects.filter(connection__name=psp.name).order_by("sent_at", "pk")
    odd = [order_of(order, order.amount + MISTAKE) for order in orders if order.state == OrderState.OPEN]
    right = [order_of(order, order.amount) for order in orders if order.state in (OrderState.SENT, OrderState.PAID)]
    return [("payout", one) for one in [*odd, *right]]


def _port(psp: Psp) -> int:
    connection = Connection.objects.get(name=psp.name)
    return int(str(connection.settings["base_url"]).rpartition(":")[2])


def _secret(seed: int, psp: Psp) -> str:
    """It guards nothing but a simulator on this machine."""
    return f"Psp-{Dice(seed, f'secret of {psp.name}').text(24)}"
