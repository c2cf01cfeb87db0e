"""The product's own commands: run here, run as processes of their own, and killed at a moment that chance picks."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import psycopg2
from django.conf import settings
from django.core.management import call_command
from django.db import connection

# What a process of the product does not get: the other roles' addresses.
NOT_OURS = ("DATABASE_OWNER_URL", "DATABASE_ADMIN_URL")
PATIENCE = 240.0


@dataclass(frozen=True)
class Answer:
    """How a command ended and the JSON object it printed."""

    code: int
    value: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.value[name]


def here(name: str, *arguments: str) -> Answer:
    """Run a command in this process, on the test's own database connection."""
    out = io.StringIO()
    code = 0
    try:
        call_command(name, *arguments, "--json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Answer(code, json.loads(out.getvalue()))


def address(application: str) -> str:
    """The test's database as the application's role reaches it, for a connection of this name."""
    given = connection.settings_dict
    login = f"{quote(given['USER'], safe='')}:{quote(given['PASSWORD'], safe='')}"
    host = f"?host={quote(given['HOST'], safe='/')}&application_name={application}"
    port = f"&port={given['PORT']}" if given["PORT"] else ""
    return f"postgresql://{login}@/{quote(given['NAME'])}{host}{port}"


def environment(application: str = "backoffice", **more: str) -> dict[str, str]:
    """The environment of a process of the product on the test's database."""
    ours = {
        "DATABASE_URL": address(application),
        "DJANGO_SETTINGS_MODULE": "backoffice.settings.test",
        "BACKOFFICE_SEAL_HEADS": str(settings.SEAL_HEADS),
    }
    return {**{name: value for name, value in os.environ.items() if name not in NOT_OURS}, **ours, **more}


def start(*arguments: str, application: str = "backoffice", **more: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments, "--json"],
        cwd=settings.BASE,
        env=environment(application, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Answer:
    """Wait for a command that was started."""
    out, errors = process.communicate(timeout=PATIENCE)
    assert out, errors
    return Answer(process.returncode, json.loads(out))


def run(*arguments: str, **more: str) -> Answer:
    """Run a command as a process of its own, to its end."""
    return end(start(*arguments, **more))


# Killing


@dataclass(frozen=True)
class Death:
    """What a killed process was at: its last statement, and whether it had written something uncommitted."""

    seconds: float
    statement: str
    was_writing: bool

    def __str__(self) -> str:
        return f"{self.seconds:.3f} s{' (writing)' if self.was_writing else ''}: {self.statement}"


class Watch:
    """Sees what processes do in the database, through a connection beside the test's own."""

    def __init__(self, url: str | None = None) -> None:
        self._link = psycopg2.connect(url or address("watch"))
        self._link.autocommit = True

    def close(self) -> None:
        self._link.close()

    def rows(self, statement: str, values: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        with self._link.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()

    def at(self, application: str) -> tuple[str, bool] | None:
        """The statement a process is at and whether its transaction has written; None without a connection."""
        found = self.rows(
            "SELECT query, backend_xid IS NOT NULL FROM pg_stat_activity WHERE application_name = %s"
            " ORDER BY backend_xid IS NULL LIMIT 1",
            [application],
        )
        return (" ".join(found[0][0].split())[:100], found[0][1]) if found else None

    def arrives(self, application: str, process: subprocess.Popen[str]) -> bool:
        """Wait until the process has connected; False if it ended before it was seen."""
        while self.at(application) is None:
            if process.poll() is not None:
                return False
            time.sleep(0.002)
        return True

    def writes(self, application: str, process: subprocess.Popen[str]) -> None:
        """Wait until the process has written something and goes on, or has ended."""
        seen = 0
        while seen < 2 and process.poll() is None:
            found = self.at(application)
            seen = seen + 1 if found is not None and found[1] else 0
            time.sleep(0.003)

    def is_gone(self, application: str) -> None:
        """Wait until the server has noticed that a process is dead."""
        deadline = time.monotonic() + PATIENCE
        while self.at(application) is not None:
            assert time.monotonic() < deadline, f"{application} is still connected"
            time.sleep(0.01)


def duration(watch: Watch, *arguments: str) -> float:
    """Seconds that a command works, from its first connection to its end, undisturbed."""
    process = start(*arguments, application="measured")
    watch.arrives("measured", process)
    begun = time.monotonic()
    ended = end(process)
    assert ended.code == 0, ended
    return time.monotonic() - begun


def kill(watch: Watch, delay: float, *arguments: str, while_writing: bool) -> Death | None:
    """Start a command and kill it with SIGKILL, some seconds after its first connection or, `while_writing`, after it
    was seen with something written and not committed. None if it had finished before."""
    application = f"victim-{time.time_ns()}"
    process = start(*arguments, application=application)
    try:
        if not watch.arrives(application, process):
            return None
        begun = time.monotonic()
        if while_writing:
            watch.writes(application, process)
        time.sleep(delay)
        seconds, at = time.monotonic() - begun, watch.at(application)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    watch.is_gone(application)
    return None if process.returncode != -signal.SIGKILL else Death(seconds, *(at or ("between two", False)))


def kill_often(
    watch: Watch, rng: random.Random, span: float, *arguments: str, after: Callable[[], None], times: int = 3
) -> None:
    """Kill a command several times over and look at what it left each time; says where it died.

    By turns it is killed as soon as it is seen writing, at random within `span` seconds of its first connection, and at
    random soon after it was seen writing. So at least one death is in the middle of a transaction.
    """
    deaths: list[Death] = []
    for number in range(times):
        delay = (0.0, rng.uniform(0, span), rng.uniform(0, span / 4))[number % 3]
        death = kill(watch, delay, *arguments, while_writing=number % 3 != 1)
        if death is not None:
            say(f"killed {arguments[0]} after {death}")
            deaths.append(death)
            after()
    assert any(death.was_writing for death in deaths), f"{arguments[0]} was never caught writing"


def chance() -> random.Random:
    """Chance with a seed that is printed; FAULT_SEED repeats a run."""
    seed = int(os.environ.get("FAULT_SEED") or time.time_ns() % 10**9)
    say(f"FAULT_SEED={seed}")
    return random.Random(seed)


def say(text: str) -> None:
    """On standard output, which pytest shows when a test fails (and -s always)."""
    sys.stdout.write(f"{text}\n")


def only(values: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(values[name] for name in names)
