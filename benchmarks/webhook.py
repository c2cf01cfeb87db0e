"""webhook: signed webhooks through a real web server, each verified, stored and committed before it is answered.

Beside it: a view that does nothing, posted the same bytes through the same server and every middleware. Both in
turns, from the same senders over connections that stay open; bodies and signatures are made before the clock starts.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from backoffice.kernel.actor import System
from benchmarks import broker, measure
from integrations.models import Verdict, Webhook
from integrations.services import endpoints

SENDERS = 16
ROUNDS = 5
AIM = 1 / 3
_SECRET = "a secret of the benchmark"


def run(*, small: bool) -> measure.Table:
    source = broker.connection("adyen_settlement", "psp")
    where = endpoints.set_up(
        actor=System("bench"),
        connection_id=source.pk,
        provider="stripe",
        settings={},
        secret_values={"secret": _SECRET},
    )
    table = measure.Table(
        ("body", "accepted and stored", "empty view", "of it", "aim", "the same again", "of the empty view")
    )
    with Web(f"/hooks/{where.token}/") as web:
        for size in (600, 6000):
            figures = _measured(web, size, each=20 if small else 50, rounds=2 if small else ROUNDS)
            table.add(f"{size:,} bytes", *figures)
    assert not Webhook.objects.exclude(verdict=Verdict.VERIFIED).exists()
    table.notes.append(
        f"{SENDERS} senders, gunicorn with 2 workers of 8 threads as in the demo; every webhook is in the database and "
        "its commit on disk before the answer."
    )
    return table


def _measured(web: Web, size: int, *, each: int, rounds: int) -> tuple[str, ...]:
    known, numbers = Webhook.objects.count(), itertools.count()

    def fresh() -> float:
        return web.send(web.hook, each, size, lambda: f"evt_{size}_{next(numbers)}")

    def empty() -> float:
        return web.send("/empty/", each, size, lambda: "evt_0")

    def again() -> float:
        return web.send(web.hook, each, size, lambda: f"evt_{size}_0")

    for warm_up in (fresh, empty):
        warm_up()
    times = measure.in_turns([fresh, empty, again], rounds=rounds)
    stored = Webhook.objects.filter(verdict=Verdict.VERIFIED).count() - known
    assert stored == (rounds + 1) * each * SENDERS, f"{stored} stored"
    took, nothing, same = (SENDERS * each / measure.median(taken) for taken in times)
    ratio, met = measure.against(took, nothing, round(AIM, 3))
    return f"{took:,.0f}/s", f"{nothing:,.0f}/s", ratio, met, f"{same:,.0f}/s", f"{same / nothing:.2f}"


class Web:
    """The web server as the demo starts it, on this benchmark's database. `hook` is the address of the webhooks."""

    def __init__(self, hook: str) -> None:
        self.hook = hook

    def __enter__(self) -> Web:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {**os.environ, "BACKOFFICE_LOG_LEVEL": "ERROR"}
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "backoffice.wsgi:application", "--preload", "--no-control-socket"),
                *("--worker-class", "gthread", "--workers", "2", "--threads", "8", "--keep-alive", "60"),
                *("--bind", f"127.0.0.1:{self.port}", "--log-level", "error"),
            ],
            env=environment,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert time.monotonic() < deadline and self._process.poll() is None, "the web server did not start"
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def send(self, path: str, each: int, size: int, name: Callable[[], str]) -> float:
        """Seconds until every sender has its last answer."""
        piles = [[_request(path, size, name()) for _ in range(each)] for _ in range(SENDERS)]
        links = [socket.create_connection(("127.0.0.1", self.port), 30) for _ in piles]
        barrier, wrong = threading.Barrier(SENDERS + 1), []

        def sender(link: socket.socket, pile: list[bytes]) -> None:
            barrier.wait()
            for request in pile:
                link.sendall(request)
                answer = _answer(link)
                if not answer.startswith(b"HTTP/1.1 200"):
                    wrong.append(answer[:200])

        threads = [threading.Thread(target=sender, args=pair) for pair in zip(links, piles, strict=True)]
        for thread in threads:
            thread.start()
        barrier.wait()
        start = time.perf_counter()
        for thread in threads:
            thread.join()
        taken = time.perf_counter() - start
        for link in links:
            link.close()
        assert not wrong, wrong[0]
        return taken


def _request(path: str, size: int, event_id: str) -> bytes:
    thing = {"id": f"ch_{event_id}", "amount": 12345, "currency": "usd", "metadata": {"reference": "D-0000000A"}}
    said = {
        "id": event_id,
        "type": "charge.succeeded",
        "created": 1795176000,
        "data": {"object": thing},
        "padding": "",
    }
    said["padding"] = "x" * (size - len(json.dumps(said)))
    body, stamp = json.dumps(said).encode(), int(datetime.now(UTC).timestamp())
    signature = hmac.new(_SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"User-Agent: bench\r\nStripe-Signature: t={stamp},v1={signature}\r\n\r\n"
    )
    return head.encode() + body


def _answer(link: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        more = link.recv(65536)
        assert more, "the connection was closed"
        found += more
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))[15:])
    while len(body) < length:
        body += link.recv(65536)
    return head
