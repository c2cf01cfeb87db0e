"""PostgreSQL and Valkey for one state folder: ours, or those that DATABASE_URL and REDIS_URL name."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from backoffice.launcher import binaries as programs
from backoffice.launcher import database as databases
from backoffice.launcher import valkey as valkeys
from backoffice.launcher.console import Refusal, say
from backoffice.launcher.database import Addresses, External
from backoffice.launcher.environment import site_packages
from backoffice.launcher.folders import State, read_json, write_json
from backoffice.launcher.identity import Identity, server_folder, server_identity, socket_folder
from backoffice.launcher.postgres import APP, OWNER, SUPERUSER, Postgres
from backoffice.launcher.processes import Supervisor
from backoffice.launcher.valkey import Valkey

DATABASE_NAMES = {"demo": "backoffice"}


@dataclass(frozen=True)
class Servers:
    """The servers of one purpose. `python` is the virtual environment's."""

    state: State
    python: Path
    durable: bool = True

    @property
    def database(self) -> str:
        return DATABASE_NAMES.get(self.state.name, f"backoffice_{self.state.name}")

    def _places(self) -> tuple[Identity, Path, Path]:
        """The servers' user, their data folder and their socket folder."""
        outside = databases.is_external() and bool(os.environ.get("REDIS_URL"))
        identity = Identity(os.geteuid(), os.getegid(), switch=False) if outside else server_identity()
        folder = server_folder(self.state, identity)
        return identity, folder, socket_folder(folder, identity)

    def start(self, supervisor: Supervisor) -> Addresses:
        """Start what is ours to start. Stopping is the supervisor's, PostgreSQL last because it is started first."""
        identity, folder, sockets = self._places()
        remove_sockets(sockets, identity)
        identity.own_folder(sockets)
        supervisor.afterwards.append(lambda: remove_sockets(sockets, identity))
        postgres = None if databases.is_external() else self._start_postgres(supervisor, identity, folder, sockets)
        redis = os.environ.get("REDIS_URL") or self._start_valkey(supervisor, identity, folder, sockets)
        if postgres is None:
            return External(self.python, self.database).addresses(redis)
        self._prepare(postgres)
        return self._addresses(postgres, redis)

    def attach(self) -> Addresses:
        """The addresses of servers that another `bo` on the same folder has started."""
        identity, folder, sockets = self._places()
        valkey = Valkey(folder=folder / "valkey", sockets=sockets, program=Path(), identity=identity)
        if not os.environ.get("REDIS_URL") and not valkey.ready():
            raise Refusal("Another bo is about to start or stop its servers here. Try again in a moment.")
        redis = os.environ.get("REDIS_URL") or valkey.url
        if databases.is_external():
            return External(self.python, self.database).addresses(redis)
        postgres = self._postgres(identity, folder, sockets)
        if not postgres.ready() or self.database not in (read_json(postgres.prepared) or []):
            raise Refusal("Another bo is about to start or stop its servers here. Try again in a moment.")
        return self._addresses(postgres, redis)

    def wipe(self) -> None:
        """Remove all data of this state; the caller holds its lock, so no server of ours runs on it."""
        if databases.is_external():
            External(self.python, self.database).drop()
        identity, folder, sockets = self._places()
        remove_sockets(sockets, identity)
        shutil.rmtree(folder)
        if self.state.folder.exists():
            shutil.rmtree(self.state.folder)

    def _postgres(self, identity: Identity, folder: Path, sockets: Path) -> Postgres:
        home = folder / "postgres"
        if folder != self.state.folder and (self.state.folder / "postgres").exists():
            raise Refusal(
                f"The data in {self.state.folder} cannot be reached any more by user {identity.uid}, as whom "
                "PostgreSQL runs. Let others pass through its parent folders (chmod o+x), or start over with --fresh."
            )
        found = programs.usable(programs.candidates(site_packages(self.python.parent.parent)), identity)
        binaries = programs.choose(found, home / "data")
        return Postgres(home=home, sockets=sockets, binaries=binaries, identity=identity, durable=self.durable)

    def _start_postgres(self, supervisor: Supervisor, identity: Identity, folder: Path, sockets: Path) -> Postgres:
        begun = time.monotonic()
        postgres = self._postgres(identity, folder, sockets)
        postgres.start(supervisor, self.state.log("postgres"))
        say(
            f"PostgreSQL {postgres.binaries.version} from {postgres.binaries.origin} is up "
            f"({time.monotonic() - begun:.1f} s)"
        )
        return postgres

    def _start_valkey(self, supervisor: Supervisor, identity: Identity, folder: Path, sockets: Path) -> str:
        program = valkeys.program(site_packages(self.python.parent.parent))
        valkey = Valkey(folder=folder / "valkey", sockets=sockets, program=program, identity=identity)
        valkey.start(supervisor, self.state.log("valkey"))
        say("Valkey is up")
        return valkey.url

    def _prepare(self, postgres: Postgres) -> None:
        """Make the roles and the database, once per data folder."""
        names = read_json(postgres.prepared) or []
        if self.database not in names:
            admin = postgres.url(SUPERUSER)
            databases.make_roles_and_database(self.python, admin, postgres.passwords(), self.database)
            write_json(postgres.prepared, [*names, self.database])

    def _addresses(self, postgres: Postgres, redis: str) -> Addresses:
        return Addresses(
            app=postgres.url(APP, self.database),
            owner=postgres.url(OWNER, self.database),
            admin=postgres.url(SUPERUSER, self.database),
            redis=redis,
            programs=postgres.binaries.folder,
        )


def remove_sockets(sockets: Path, identity: Identity) -> None:
    """Remove the socket folder if it is the servers' own; a foreign one is left for own_folder to refuse."""
    try:
        owner = sockets.lstat().st_uid
    except FileNotFoundError:
        return
    if owner == identity.uid and not sockets.is_symlink():
        shutil.rmtree(sockets)
