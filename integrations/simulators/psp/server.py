"""The HTTP side of a simulated PSP: the protocol's answers, spoiled where ordered. Listens on 127.0.0.1 only."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backoffice.kernel import clock as kernel_clock
from integrations.simulators.psp.book import BadRequest, Book
from integrations.simulators.psp.control import Control
from integrations.simulators.psp.faults import Faults
from integrations.simulators.psp.hooks import Hooks
from integrations.simulators.psp.protocol import PspProtocol, Reply, Request

_BODY_LIMIT = 1024 * 1024


class Simulator:
    """A running PSP. Port 0 takes any free one."""

    def __init__(self, psp: PspProtocol, *, port: int = 0, now: Callable[[], datetime] = kernel_clock.now) -> None:
        self.psp = psp
        self.faults = Faults()
        self.hooks = Hooks()
        self.control = Control(psp, self.faults, self.hooks, now)
        self.stopping = threading.Event()
        # What was asked, in order: method and path.
        self.requests: list[tuple[str, str]] = []
        self._connections = 0
        self._lock = threading.Condition()
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name=f"{psp.name}-simulator")

    @property
    def book(self) -> Book:
        return self.psp.book

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> Simulator:
        self._thread.start()
        return self

    def count(self, change: int) -> None:
        """One connection more or less is being worked on."""
        with self._lock:
            self._connections += change
            self._lock.notify_all()

    def wait_until_idle(self, seconds: float = 30) -> bool:
        """Wait until everything that was asked has been carried out or given up; whether that is so."""
        with self._lock:
            return self._lock.wait_for(lambda: self._connections == 0, seconds)

    def stop(self) -> None:
        """Answer nobody any more and wait for what is being answered."""
        self.stopping.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Counted here, in the one thread that takes connections, so that one that was taken is never overlooked.
        self.simulator.count(+1)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.simulator.count(-1)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is not worth a traceback; anything else is."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection; after each answer it is closed."""

    protocol_version = "HTTP/1.1"
    server_version = "PspSimulator"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a header holds the key."""

    def _serve(self) -> None:
        self.close_connection = True
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _BODY_LIMIT:
            self._send(Reply(413, {}))
            return
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        if parts.path.startswith("/sim/"):
            self._control(parts.path.removeprefix("/sim/"), body)
            return
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, query, headers, body)
        simulator = self.server.simulator
        simulator.requests.append((self.command, parts.path))
        self._api(request, simulator.faults.take(parts.path, pays=simulator.psp.pays(request)))

    def _api(self, request: Request, fault: str) -> None:
        psp = self.server.simulator.psp
        before = {"error_before": Reply(503, {}), "busy": Reply(429, {})}
        if fault == "off":
            _shut(self.connection)
        elif fault == "hang_before":
            self._hang()
        elif fault in before:
            self._send(before[fault])
        elif fault == "reject":
            self._send(psp.rejection(request))
        else:
            self._done(psp.answer(request), fault)

    def _done(self, reply: Reply, fault: str) -> None:
        """It was carried out: now the answer, or what becomes of it."""
        if fault == "error_after":
            self._send(Reply(502, {}))
        elif fault == "hang_after":
            self._hang()
        else:
            self._send(reply, fault)

    def _hang(self) -> None:
        """Say nothing until the client has gone, the time is up, or the server stops."""
        simulator = self.server.simulator
        self.connection.settimeout(0.05)
        until = time.monotonic() + simulator.faults.seconds
        while time.monotonic() < until and not simulator.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    def _control(self, name: str, body: bytes) -> None:
        """Only for programs of this machine: a page in a browser cannot send JSON here without asking first."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        is_local = ipaddress.ip_address(self.client_address[0]).is_loopback and host in {"127.0.0.1", "localhost"}
        if not is_local or self.command != "POST" or self.headers.get_content_type() != "application/json":
            self._send(Reply(403, {"error": "POST application/json from this machine."}))
            return
        try:
            request = json.loads(body or b"{}")
            if not isinstance(request, Mapping):
                raise BadRequest("Send a JSON object.")
            self._send(Reply(200, self.server.simulator.control.run(name, request)))
        except (BadRequest, ValueError) as error:
            self._send(Reply(400, {"error": str(error)}))

    def _send(self, reply: Reply, fault: str = "") -> None:
        body = json.dumps(reply.data).encode()
        if fault == "truncated":
            body = body[: len(body) // 2]
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "drop" else body)
        self.wfile.flush()
        if fault == "drop":
            _shut(self.connection)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Already gone, which is what was wanted.
        return
