"""The whole product on servers of its own, which a test may crash: PostgreSQL that means to keep its data, Valkey,
the web server and the worker, each started as `bo` starts it."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
from celery import Celery
from django.conf import settings
from django.db import connections
from django.test import Client, override_settings

from backoffice.launcher import binaries, database, valkey
from backoffice.launcher.database import Addresses
from backoffice.launcher.demo import free_port, healthy
from backoffice.launcher.django import Django
from backoffice.launcher.environment import site_packages
from backoffice.launcher.folders import State
from backoffice.launcher.identity import server_folder, server_identity, socket_folder
from backoffice.launcher.postgres import APP, OWNER, SUPERUSER, Postgres
from backoffice.launcher.processes import Child, Supervisor, hold
from backoffice.launcher.valkey import Valkey
from backoffice.organisation.models import User
from ledger.services import journal

PYTHON = Path(sys.prefix) / "bin/python"
PATIENCE = 180.0


def until(done: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until a condition holds and return its value; what is waited for names the failure."""
    deadline = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.02)
    return found


@dataclass
class House:
    """The running servers. Programs are started by the tests that need them and stopped by `still`."""

    state: State
    supervisor: Supervisor
    postgres: Postgres
    valkey: Valkey
    sockets: Path
    programs: list[Child] = field(default_factory=list)
    port: int = 0

    # Servers

    def up(self) -> None:
        """Start what a test has left dead."""
        if self.postgres.child is None or not self.postgres.child.alive:
            self.start_postgres()
        if self.valkey.child is None or not self.valkey.child.alive:
            self.start_valkey()

    def start_postgres(self) -> None:
        self.postgres.start(self.supervisor, self.state.log("postgres"))

    def crash_postgres(self) -> None:
        """Immediate mode: every session ends at once, nothing is written out, the next start recovers from the log."""
        assert self.postgres.child is not None
        self.postgres.child.send(signal.SIGQUIT)
        self.postgres.child.process.wait(30)
        self.supervisor.stop(self.postgres.child)
        connections.close_all()

    def start_valkey(self) -> None:
        self.valkey.start(self.supervisor, self.state.log("valkey"))

    def kill_valkey(self) -> None:
        """SIGKILL, and what it kept on disk is gone as well: whatever was queued is lost."""
        assert self.valkey.child is not None
        self.valkey.child.process.kill()
        self.supervisor.stop(self.valkey.child)
        shutil.rmtree(self.valkey.folder)

    # Programs

    @property
    def django(self) -> Django:
        name = "backoffice"
        addresses = Addresses(
            app=f"{self.postgres.url(APP, name)}&application_name=program",
            owner=self.postgres.url(OWNER, name),
            admin=self.postgres.url(SUPERUSER, name),
            redis=self.valkey.url,
        )
        return Django(PYTHON, self.state, addresses)

    def start_web(self) -> None:
        self.port = free_port(18_000 + os.getpid() % 1000)
        argv: list[str | Path] = [
            *(PYTHON, "-m", "gunicorn", "backoffice.wsgi:application", "--no-control-socket"),
            *("--worker-class", "gthread", "--threads", "4", "--bind", f"127.0.0.1:{self.port}"),
        ]
        child = self._program("web", argv)
        self.supervisor.wait_for(child, lambda: healthy(self.port), seconds=PATIENCE)

    def start_worker(self, *, beat: bool = False) -> Child:
        """A worker with one process for tasks; with `beat` the schedule as well."""
        argv: list[str | Path] = [
            *(PYTHON, "-m", "celery", "-A", "backoffice.celery", "worker", "--concurrency", "1"),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
            *(("-B", "-s", self.state.folder / "celerybeat-schedule") if beat else ()),
        ]
        child = self._program("worker", argv)
        self.supervisor.wait_for(child, lambda: " ready." in log_of(child), seconds=PATIENCE)
        return child

    def _program(self, name: str, argv: list[str | Path]) -> Child:
        env = {**self.django.environment(), **{n: os.environ[n] for n in os.environ if n.startswith("BACKOFFICE_")}}
        env |= {"BACKOFFICE_STATE": str(self.state.folder), "BACKOFFICE_SEAL_KEY": settings.SEAL_KEY}
        child = self.supervisor.start(name, argv, env=env, log=self.state.log(name), grace=15)
        self.programs.append(child)
        return child

    def kill(self, child: Child) -> None:
        """SIGKILL for a program and everything it has started."""
        child.end()
        child.process.wait(10)
        self.supervisor.stop(child)
        self.programs.remove(child)

    def still(self) -> None:
        """Stop the programs; the servers go on."""
        for child in reversed(self.programs):
            self.supervisor.stop(child)
        self.programs.clear()

    def wake(self, task: str, **arguments: Any) -> None:
        """Send a wake-up, as the schedule does."""
        with Celery(broker=self.valkey.url, set_as_current=False) as app:
            app.send_task(task, kwargs=arguments)

    def page(self, path: str, *, cookie: str = "", body: str = "") -> tuple[int, str]:
        """Ask the web server; a body is posted."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            token = "a" * 32
            headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}; {settings.CSRF_COOKIE_NAME}={token}"}
            if body:
                headers |= {"Content-Type": "application/x-www-form-urlencoded", "X-CSRFToken": token}
            link.request("POST" if body else "GET", path, body or None, headers)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def statement(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser."""
        link = psycopg2.connect(self.postgres.url(SUPERUSER, "backoffice"))
        link.autocommit = True
        try:
            with link.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            link.close()


def log_of(child: Child) -> str:
    return child.log.read_text(errors="replace") if child.log and child.log.exists() else ""


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def signed_in(user: User) -> str:
    """The session cookie of somebody who has signed in."""
    client = Client()
    client.force_login(user)
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@contextmanager
def opened() -> Iterator[House]:
    """A house with an empty database, and this process's own connection to it."""
    folder = Path(tempfile.mkdtemp(prefix="bo-house-"))
    folder.chmod(0o711)
    state = State(folder / "demo")
    identity = server_identity()
    home = server_folder(state, identity)
    sockets = identity.own_folder(socket_folder(home, identity))
    packages = site_packages(Path(sys.prefix))
    postgres = Postgres(
        home=home / "postgres",
        sockets=sockets,
        binaries=binaries.choose(binaries.usable(binaries.candidates(packages), identity), home / "postgres/data"),
        identity=identity,
    )
    broker = Valkey(folder=home / "valkey", sockets=sockets, program=valkey.program(packages), identity=identity)
    try:
        with hold(state) as supervisor:
            house = House(state, supervisor, postgres, broker, sockets)
            house.up()
            passwords = postgres.passwords()
            database.make_roles_and_database(PYTHON, postgres.url(SUPERUSER), passwords, "backoffice")
            house.django.migrate(supervisor)
            heads = override_settings(SEAL_HEADS=state.folder / "heads")
            with heads, connected_to(postgres.url(APP, "backoffice")):
                yield house
    finally:
        for place in {sockets, home, folder}:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """This process's database connection, for the time being, goes there."""
    parts = urlsplit(url)
    place = {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.query.removeprefix("host=")),
        "PORT": "",
    }
    link = connections["default"]
    before = {name: link.settings_dict[name] for name in place}
    try:
        _reconnect(place)
        yield
    finally:
        _reconnect(before)


def _reconnect(place: dict[str, str]) -> None:
    connections.close_all()
    connections["default"].settings_dict.update(place)
    journal._months_open.clear()  # what it remembers of a database goes with it
