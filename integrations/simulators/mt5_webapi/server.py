"""The HTTP side: one session per TCP connection, answers in the vendor's envelope, misbehaviour where ordered.

Listens on 127.0.0.1 only.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backoffice.kernel import clock as kernel_clock
from integrations.simulators.mt5_webapi import endpoints
from integrations.simulators.mt5_webapi.challenge import Secret, fresh_random
from integrations.simulators.mt5_webapi.clock import ServerClock
from integrations.simulators.mt5_webapi.control import Control
from integrations.simulators.mt5_webapi.errors import BadRequest, Refused, Ret
from integrations.simulators.mt5_webapi.faults import Fault, Faults, disguise
from integrations.simulators.mt5_webapi.store import Store

SIGN_IN_SECONDS = 10.0
_COOKIE = "MT5SESSION"
_BODY_LIMIT = 512 * 1024 * 1024
_OLDEST_CLIENT = 484
_PLAIN_ANSWERS = {
    "missing": (404, "not found"),
    "forbidden": (403, "forbidden"),
    "error_before": (503, "service unavailable"),
}


class Simulator:
    """A running server. `database` is a file (or ":memory:"); port 0 takes any free one."""

    def __init__(
        self,
        database: Path | str,
        *,
        manager_login: str,
        password: str,
        port: int = 0,
        name: str = "Simulated-Server",
        real_now: Callable[[], datetime] = kernel_clock.now,
    ) -> None:
        self.store = Store(database)
        self.clock = ServerClock(get=self.store.get, put=self.store.put, real_now=real_now)
        self.faults = Faults()
        self.control = Control(self.store, self.clock, self.faults)
        self.manager_login = manager_login
        self.secret = Secret(password)
        self.name = name
        # What was asked, newest last: path and parameters, without the answers to challenges.
        self.requests: deque[tuple[str, dict[str, str]]] = deque(maxlen=10_000)
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="mt5-simulator")

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Simulator:
        self._thread.start()
        return self

    def wait_until_idle(self, seconds: float = 30) -> bool:
        """Wait until every client has gone and all that was asked is carried out or given up; whether that is so."""
        return self._http.wait_until_empty(seconds)

    def stop(self) -> None:
        """End every connection, wait for what is being answered, close the file."""
        self.stopping.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.hang_up()
        self._http.server_close()
        self.store.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], simulator: Simulator) -> None:
        self.simulator = simulator
        self._open: set[socket.socket] = set()
        self._working = 0
        self._lock = threading.Condition()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Counted here, in the one thread that takes connections, so that one that was taken is never overlooked.
        self._count(+1)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._working += change
            self._lock.notify_all()

    def wait_until_empty(self, seconds: float) -> bool:
        with self._lock:
            return self._lock.wait_for(lambda: self._working == 0, seconds)

    def connected(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            if self.simulator.stopping.is_set():
                _shut(connection)

    def disconnected(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is not worth a traceback; anything else is."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Already gone, which is what was wanted.
        return


class _Handler(BaseHTTPRequestHandler):
    """One TCP connection, which is one session at most."""

    protocol_version = "HTTP/1.1"
    server_version = "MT5WebApiSimulator"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.cookie = ""
        self.challenge = ""
        self.challenged_at = 0.0
        self.is_manager = False
        self.server.connected(self.connection)

    def finish(self) -> None:
        self.server.disconnected(self.connection)
        super().finish()

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= _BODY_LIMIT:
            self.close_connection = True
            self._send(413, "too large")
            return
        self._serve(self.rfile.read(length))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a request line may hold the answer to a challenge."""

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        if parts.path.startswith("/sim/"):
            self._control(parts.path.removeprefix("/sim/"), body)
            return
        params: dict[str, Any] = {name: values[-1] for name, values in parse_qs(parts.query, True).items()}
        if body:
            try:
                params |= json.loads(body)
            except (ValueError, TypeError):
                self._send(200, _envelope(Ret.PARAMETERS.text))
                return
        shown = {name: str(value) for name, value in params.items() if name != "srv_rand_answer"}
        self.server.simulator.requests.append((parts.path, shown))
        self._api(parts.path, params, self.server.simulator.faults.take(parts.path))

    def _api(self, path: str, params: Mapping[str, Any], faults: Mapping[str, Fault]) -> None:
        if "off" in faults:
            self.close_connection = True
            _shut(self.connection)
            return
        if "slow" in faults:
            self.server.simulator.stopping.wait(faults["slow"].seconds)
        if "lose_session" in faults:
            self.cookie = ""
        plain = next((answer for kind, answer in _PLAIN_ANSWERS.items() if kind in faults), None)
        if plain is not None:
            self._send(*plain)
        elif "hang_before" in faults:
            self._hang(faults["hang_before"].seconds)
        elif "too_frequent" in faults:
            self._send(200, _envelope(Ret.TOO_FREQUENT.text))
        elif "retcode" in faults:
            self._send(200, _envelope(faults["retcode"].retcode))
        elif path == "/api/auth/start":
            self._auth_start(params)
        elif path == "/api/auth/answer":
            self._auth_answer(params, faults)
        elif not self._is_signed_in():
            self._send(403, "forbidden")
        else:
            self._answer(path, params, faults)

    def _auth_start(self, params: Mapping[str, Any]) -> None:
        version, agent = str(params.get("version", "")), str(params.get("agent", ""))
        known = version.isdecimal() and int(version) >= _OLDEST_CLIENT and params.get("type") == "manager"
        if not known or not agent or " " in agent:
            self._send(200, _envelope(Ret.PARAMETERS.text))
            return
        # A wrong login gets a challenge too: it must not learn here that it is wrong.
        self.challenge = fresh_random()
        self.challenged_at = time.monotonic()
        self.is_manager = params.get("login") == self.server.simulator.manager_login
        self._send(200, json.dumps({"retcode": "0 Done", "version_access": "4410", "srv_rand": self.challenge}))

    def _auth_answer(self, params: Mapping[str, Any], faults: Mapping[str, Fault]) -> None:
        secret = self.server.simulator.secret
        challenge, self.challenge = self.challenge, ""
        in_time = time.monotonic() - self.challenged_at <= SIGN_IN_SECONDS
        if not challenge or not in_time or not self.is_manager:
            self._send(403, "forbidden")
            return
        if not secrets.compare_digest(str(params.get("srv_rand_answer", "")), secret.response(challenge)):
            self._send(403, "forbidden")
            return
        try:
            proof = secret.response(str(params.get("cli_rand", "")))
        except ValueError:
            self._send(200, _envelope(Ret.PARAMETERS.text))
            return
        if "wrong_proof" in faults:
            proof = fresh_random()
        self.cookie = secrets.token_hex(16)
        self._send(
            200,
            json.dumps({"retcode": "0 Done", "cli_rand_answer": proof}),
            cookie=f"{_COOKIE}={self.cookie}; Path=/; HttpOnly",
        )

    def _is_signed_in(self) -> bool:
        given: SimpleCookie = SimpleCookie(self.headers.get("Cookie", ""))
        return bool(self.cookie) and _COOKIE in given and given[_COOKIE].value == self.cookie

    def _answer(self, path: str, params: Mapping[str, Any], faults: Mapping[str, Fault]) -> None:
        simulator = self.server.simulator
        forgets = bool(faults.keys() & {"forget_balance", "forget_update"})
        world = endpoints.World(simulator.store, simulator.clock, simulator.name, forgets)
        try:
            found = endpoints.answer(world, path, params)
        except Refused as error:
            self._send(200, _envelope(error.ret.text))
            return
        if found is None:
            self._send(404, "not found")
            return
        if "alter" in faults:
            simulator.store.edit_user(int(params["Login"]), {faults["alter"].field: faults["alter"].value})
        if "book_twice" in faults:
            endpoints.answer(world, path, params)
        if "late" in faults:
            simulator.stopping.wait(faults["late"].seconds)
        if "hang_after" in faults:
            self._hang(faults["hang_after"].seconds)
            return
        if "error_after" in faults:
            self._send(502, "bad gateway")
            return
        text = _envelope("0 Done", disguise(found, faults))
        if "truncated" in faults:
            text = text[: len(text) // 2]
        self._send(200, text, whole="drop" not in faults)

    def _hang(self, seconds: float) -> None:
        """Say nothing until the client has gone, the time is up, or the server stops."""
        self.connection.settimeout(0.05)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.server.simulator.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    break
            except TimeoutError:
                continue
        self.close_connection = True

    def _control(self, name: str, body: bytes) -> None:
        """Only for programs of this machine: a page in a browser cannot send JSON here without asking first."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        is_local = ipaddress.ip_address(self.client_address[0]).is_loopback and host in {"127.0.0.1", "localhost"}
        if not is_local or self.command != "POST" or self.headers.get_content_type() != "application/json":
            self._send(403, json.dumps({"error": "POST application/json from this machine."}))
            return
        try:
            request = json.loads(body or b"{}")
            if not isinstance(request, dict):
                raise BadRequest("Send a JSON object.")
            self._send(200, json.dumps(self.server.simulator.control.run(name, request)))
        except (BadRequest, ValueError) as error:
            self._send(400, json.dumps({"error": str(error)}))

    def _send(self, status: int, text: str, *, cookie: str = "", whole: bool = True) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if text.startswith("{") else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(body if whole else body[: len(body) // 2])
        self.wfile.flush()
        if not whole:
            self.close_connection = True
            _shut(self.connection)


def _envelope(retcode: str, answer: str | None = None) -> str:
    opening = f'{{"retcode":{json.dumps(retcode)}'
    return opening + ("}" if answer is None else f',"answer":{answer}}}')
