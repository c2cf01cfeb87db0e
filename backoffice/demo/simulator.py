"""The MT5 server of the demo: a process of its own that speaks the Web API, and the orders it takes from us."""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from backoffice.demo.chance import Dice
from backoffice.kernel.errors import DomainError

NAME = "mt5-live"
MANAGER = "1000"
PASSWORD_VARIABLE = "DEMO_MT5_PASSWORD"  # noqa: S105 - the variable's name
_READY_SECONDS = 30


class SimulatorFailed(DomainError):
    """The simulated trade server did not start, or refused an order of the demo's."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the simulated server keeps its data, where it listens and what its manager's password is."""

    database: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def entry(self) -> dict[str, Any]:
        """What the launcher needs to start it again, on the same port and file."""
        argv = [
            *("python", "-m", "integrations.simulators.mt5_webapi", "--db", str(self.database)),
            *("--port", str(self.port), "--manager-login", MANAGER, "--password-env", PASSWORD_VARIABLE),
        ]
        return {"name": NAME, "argv": argv, "env": {PASSWORD_VARIABLE: self.password}}


def password(seed: int) -> str:
    """The manager's password. It guards nothing but a simulator on this machine."""
    return f"Mgr-{Dice(seed, 'manager').text(16)}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: Server) -> Iterator[Control]:
    """The trade server as a process."""
    with process(server.entry, server.port) as control:
        yield control


@contextmanager
def process(entry: Mapping[str, Any], port: int) -> Iterator[Control]:
    """A simulator as a process, from its first line on; stopped again by its own handle, whatever happens."""
    argv = [sys.executable, *entry["argv"][1:]]
    environment = {**os.environ, **entry["env"]}
    with subprocess.Popen(  # noqa: S603 - our own module
        argv, cwd=settings.BASE, env=environment, stdout=subprocess.PIPE
    ) as child:
        try:
            assert child.stdout is not None, "it was asked for"
            ready, _, _ = select.select([child.stdout], [], [], _READY_SECONDS)
            if not ready or not child.stdout.readline():
                raise SimulatorFailed(f"The simulator {entry['name']} did not start on port {port}. Try again.")
            yield Control(port)
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


class Control:
    """Orders to a simulator behind the protocol's back: what brokers' clients and dealers do to a real server."""

    def __init__(self, port: int) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def order(self, name: str, **request: Any) -> dict[str, Any]:
        """Carry out one order of the control interface (integrations/simulators/mt5_webapi/control.py)."""
        return self.send(name, request)

    def send(self, name: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self._link.request("POST", f"/sim/{name}", json.dumps(request), {"Content-Type": "application/json"})
        reply = self._link.getresponse()
        body: dict[str, Any] = json.loads(reply.read())
        if reply.status != http.client.OK:
            raise SimulatorFailed(f"The simulated trade server refused {name}: {body.get('error', reply.status)}")
        return body
