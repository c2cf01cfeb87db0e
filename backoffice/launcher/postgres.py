"""Our own PostgreSQL server: made, started, recovered and stopped as a child of `bo`.

It listens on a socket in a private folder and nowhere else. Every role has a random password (scram-sha-256), made
with the data folder and kept beside it, readable by the person who runs `bo` only.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from backoffice.launcher import processes
from backoffice.launcher.binaries import Binaries
from backoffice.launcher.console import Refusal, note, say, tail
from backoffice.launcher.folders import make_folder, read_json, require_space, write_json
from backoffice.launcher.identity import Identity, bare_environment
from backoffice.launcher.processes import Child, Supervisor

SUPERUSER, OWNER, APP = "postgres", "backoffice_owner", "backoffice_app"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "synchronous_commit": "on",
}
# Tests make their databases anew, so nothing of theirs has to survive a crash.
DISPOSABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
READY_SECONDS = 120
SMALL_SHARED_MEMORY = 512 * 2**20


class Postgres:
    """One data folder and the server on it. `home` holds data, passwords; `durable` says whether data must last."""

    def __init__(
        self, *, home: Path, sockets: Path, binaries: Binaries, identity: Identity, durable: bool = True
    ) -> None:
        self.home = home
        self.socket = sockets
        self.data = home / "data"
        self.binaries = binaries
        self.identity = identity
        self.durable = durable
        self.child: Child | None = None

    @property
    def prepared(self) -> Path:
        """Names the databases that have been made on this data folder."""
        return self.home / "prepared.json"

    @property
    def _passwords_path(self) -> Path:
        return self.home / "passwords.json"

    def passwords(self) -> dict[str, str]:
        kept = read_json(self._passwords_path)
        if kept is None:
            raise Refusal(f"{self._passwords_path} is missing, so nobody can log in to {self.data}. Use --fresh.")
        return dict(kept)

    def url(self, role: str, database: str = "postgres") -> str:
        """The address of a database for one of the three roles."""
        return database_url(role, self.passwords()[role], self.socket, database)

    def ready(self) -> bool:
        """Whether the server takes connections; asked of the server, since `pg_ctl status` believes zombies."""
        argv: list[str | Path] = [self.binaries.folder / "pg_isready", "-q", "-h", self.socket, "-p", "5432"]
        return self.identity.run(argv).returncode == 0

    def start(self, supervisor: Supervisor, log: Path) -> None:
        """Make the data folder if there is none, clear what a killed server left, start and wait."""
        make_folder(self.home)
        if not self._clear_left_behind() and not self.durable:
            shutil.rmtree(self.data, ignore_errors=True)
        if not self.data.exists():
            self._initialise()
        for attempt in range(1, 6):
            self.child = self._launch(supervisor, log)
            if self._wait(supervisor, self.child):
                return
            # Backends of a killed server hold its shared memory for a moment longer.
            if "still in use" not in tail(log) or attempt == 5:
                break
            supervisor.pause(1)
        note(tail(log))
        raise Refusal(f"PostgreSQL {self.binaries.version} did not start on {self.data}; its log is {log}")

    def _launch(self, supervisor: Supervisor, log: Path) -> Child:
        settings = {**SETTINGS, **({} if self.durable else DISPOSABLE)}
        shared = Path("/dev/shm")  # noqa: S108 - only measured
        if shared.is_dir() and shutil.disk_usage(shared).total < SMALL_SHARED_MEMORY:
            settings["dynamic_shared_memory_type"] = "mmap"
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return supervisor.start(
            "PostgreSQL",
            [self.binaries.folder / "postgres", "-D", self.data, "-k", self.socket, "-p", "5432", *options],
            env=bare_environment(),
            log=log,
            stop_signal=signal.SIGINT,  # PostgreSQL's "fast": end the sessions, write all out
            grace=60,
            identity=self.identity,
            cwd=Path("/"),
        )

    def _wait(self, supervisor: Supervisor, child: Child) -> bool:
        end = time.monotonic() + READY_SECONDS
        while not self.ready():
            supervisor.pause(0.05)
            if not child.alive or time.monotonic() > end:
                supervisor.stop(child)
                return False
        return True

    def _initialise(self) -> None:
        """initdb into a folder of another name, so that an interrupted one is never taken for data."""
        require_space(self.home, 300)
        fresh, secret = self.home / "data.new", self.home / "superuser-password"
        shutil.rmtree(fresh, ignore_errors=True)
        passwords = {role: secrets.token_hex(24) for role in (SUPERUSER, OWNER, APP)}
        self.identity.own_folder(fresh)
        secret.unlink(missing_ok=True)
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(passwords[SUPERUSER])
        os.chown(secret, self.identity.uid, self.identity.gid)
        try:
            done = self._initdb(fresh, secret)
        finally:
            secret.unlink()
        if done.returncode != 0:
            note((done.stdout + done.stderr)[-2000:])
            raise Refusal(f"PostgreSQL could not make its data folder {self.data}; its own words are above.")
        write_json(self._passwords_path, passwords)
        self.prepared.unlink(missing_ok=True)
        fresh.rename(self.data)

    def _initdb(self, folder: Path, secret: Path) -> subprocess.CompletedProcess[str]:
        """Unicode order without ICU: the built-in C.UTF-8 from 17 on, the system's before, else plain C."""
        if self.binaries.major >= 17:
            locales = [["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]]
        else:
            locales = [["--locale=C.UTF-8"], ["--locale=C"]]
        for locale in locales:
            done = self.identity.run(
                [
                    *(self.binaries.folder / "initdb", "-D", folder, "-U", SUPERUSER, "-E", "UTF8"),
                    *("-A", "scram-sha-256", f"--pwfile={secret}", "--no-instructions", *locale),
                    *([] if self.durable else ["--no-sync"]),
                ]
            )
            if done.returncode == 0:
                break
        return done

    def _clear_left_behind(self) -> bool:
        """Stop a server still running on our data, or remove the pid file of a dead one. True if all was tidy.

        We hold the lock on the folder, so whatever runs there is a leftover. The pid in the file may by now belong
        to a zombie or to another program; PostgreSQL itself would refuse to start for either.
        """
        path = self.data / "postmaster.pid"
        try:
            pid = int(path.read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            path.unlink(missing_ok=True)
            return True
        if processes.started(pid) and str(self.data) in processes.command_line(pid):
            say(f"stopping a PostgreSQL (process {pid}) left behind on {self.data}")
            processes.stop_pid(pid, signal.SIGINT, 30)
        path.unlink(missing_ok=True)
        return False


def database_url(role: str, password: str, sockets: Path, database: str) -> str:
    """The address of a database behind a socket folder, in libpq's spelling."""
    return f"postgresql://{role}:{quote(password, safe='')}@/{quote(database)}?host={quote(str(sockets), safe='/')}"
