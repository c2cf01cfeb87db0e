"""The two simulated PSPs, connections to them, and orders to pay, for tests."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.db import connections as databases
from django.db import transaction

from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.outbox import services as outbox
from integrations.models import Connection, PayoutOrder
from integrations.services import connections, payouts
from integrations.simulators.psp.server import Simulator
from integrations.simulators.psp_card import CardPsp
from integrations.simulators.psp_crypto import CryptoPsp
from tests.builders import ROBOT, entity

SECRET = "sk_simulated_1"
ADDRESS = "TSimulatedAddress000000000000000001"
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
# Seconds after which a lost order cannot be paid any more: 1 s time limit, 2 min, and 5 min until it is listed.
LATER = 500


@contextmanager
def running(kind: str) -> Iterator[Simulator]:
    """A simulated PSP ("card" or "crypto") that is stopped again whatever happens."""
    psp = CardPsp(SECRET) if kind == "card" else CryptoPsp(SECRET)
    simulator = Simulator(psp).start()
    try:
        yield simulator
    finally:
        simulator.stop()


def connect(kind: str, simulator: Simulator, **settings: str) -> Connection:
    """A gateway connection to a simulator."""
    adapter, own, secret = {
        "card": ("checkout_gateway", {"source_account": "ca_1"}, "secret_key"),
        "crypto": ("coinspaid_gateway", {"key": "simulated"}, "secret"),
    }[kind]
    return connections.add(
        actor=ROBOT,
        entity_id=entity().pk,
        name=f"{kind} gateway",
        adapter=adapter,
        settings={"base_url": simulator.url, "timeout_seconds": "1", **own, **settings},
        secret_values={secret: SECRET},
    )


class Desk:
    """One PSP and our orders to it."""

    def __init__(self, kind: str, simulator: Simulator, **settings: str) -> None:
        self.kind = kind
        self.simulator = simulator
        self.connection = connect(kind, simulator, **settings)
        self.heard: list[tuple[str, str, str, str]] = []

    @property
    def currency(self) -> str:
        return "USD" if self.kind == "card" else "USDT"

    def order(
        self, number: int = 1, amount: str | Money = "50.00", *, original: str = "", **changes: object
    ) -> PayoutOrder:
        given = {
            "connection_id": self.connection.pk,
            "reference": f"W-{number:08d}",
            "amount": amount if isinstance(amount, Money) else Money(Decimal(amount), self.currency),
            "destination": {"source_id": "src_1"} if self.kind == "card" else {"address": ADDRESS},
            "original_reference": original,
            "key": f"payout:{number}",
        }
        with transaction.atomic():
            return payouts.pay_out(actor=ROBOT, **{**given, **changes})

    def work(self, seconds: float = 0) -> int:
        """The worker's round, some seconds after ten o'clock."""
        with clock.at(NOW + timedelta(seconds=seconds)):
            return outbox.send_due()

    def follow(self, seconds: float) -> int:
        with clock.at(NOW + timedelta(seconds=seconds)):
            return payouts.follow_due()

    def say(self, name: str, **request: object) -> dict:
        return self.simulator.control.run(name, request)

    def row(self, number: int = 1) -> PayoutOrder:
        return PayoutOrder.objects.select_related("message").get(reference=f"W-{number:08d}")

    def state(self, number: int = 1) -> tuple[str, str]:
        row = self.row(number)
        return row.state, row.message.state

    def made(self, number: int = 1) -> int:
        """How often the PSP paid."""
        return len(self.simulator.book.numbers_of(f"W-{number:08d}"))


def is_genuine(kind: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether a webhook has the right signature, by the documents and not by our readers."""
    name, digest = {"card": ("cko-signature", "sha256"), "crypto": ("x-processing-signature", "sha512")}[kind]
    made = hmac.new(SECRET.encode(), body, getattr(hashlib, digest)).hexdigest()
    return hmac.compare_digest(headers.get(name, ""), made)


@contextmanager
def listening(kind: str, take: Callable[[dict], None]) -> Iterator[str]:
    """A small receiver of webhooks: refuses what is not genuine, hands the rest to `take`; its address."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                genuine = is_genuine(kind, headers, body)
                if genuine:
                    take(json.loads(body))
                self.send_response(204 if genuine else 401)
                self.end_headers()
            finally:
                databases.close_all()

        def log_message(self, *given: object) -> None:
            """Nothing to say."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
