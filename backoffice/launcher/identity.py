"""As whom the server programs run.

PostgreSQL refuses root. As root its programs run as a user that exists already (`postgres`, else `nobody`): none is
created, and no folder of anybody is opened up. What that user cannot reach is kept in a system folder instead.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backoffice.launcher.console import Refusal
from backoffice.launcher.folders import State, make_folder

SYSTEM_FOLDER = Path("/var/lib/backoffice" if sys.platform.startswith("linux") else "/usr/local/var/backoffice")
# sun_path is 108 bytes on Linux and 104 on macOS, with a final zero.
LONGEST_SOCKET_PATH = 103


@dataclass(frozen=True)
class Identity:
    """The user of the server programs; `switch` is false where that is simply the user who runs `bo`."""

    uid: int
    gid: int
    switch: bool

    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def run(self, argv: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a short program as this user in a bare environment; its exit status is the caller's to judge."""
        return subprocess.run(  # noqa: S603 - our own programs, never a shell
            [str(part) for part in argv],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=bare_environment(),
            **options,
            **self.popen_options(),
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether the user can pass through every parent of the folder; asked of the kernel, as that user."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", folder]).returncode == 0

    def own_folder(self, path: Path) -> Path:
        """Make a 0700 folder of this user, or take the one that is there if it is his."""
        try:
            path.mkdir(mode=0o700)
            os.chown(path, self.uid, self.gid)
        except FileExistsError:
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != self.uid or stat.S_IMODE(found.st_mode) & 0o077:
                raise Refusal(
                    f"{path} is not a private folder of user {self.uid}, so somebody else may be behind it. "
                    "Look at it, remove it and start again."
                ) from None
        return path


def bare_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What server programs get: no secrets, no library paths, one language, one time zone."""
    path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    return {"PATH": path, "LC_ALL": "C", "LANG": "C", "TZ": "UTC", "HOME": "/", **(more or {})}


def server_identity() -> Identity:
    """The current user; for root, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), switch=False)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        found = Identity(entry.pw_uid, entry.pw_gid, switch=True)
        try:
            found.run(["/bin/sh", "-c", "exit 0"])
        except OSError:  # PermissionError, or EINVAL where a user namespace maps one user only
            break
        return found
    raise Refusal(
        "PostgreSQL refuses to run as root, and here no program can change to the user postgres or nobody. "
        "Run bo as a normal user, or set DATABASE_URL."
    )


def short_hash(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def server_folder(state: State, identity: Identity) -> Path:
    """Where the servers' data of this state lives: inside it, unless the server's user cannot get there.

    Data that was once put into the system folder is used there, also when the state's own has become reachable.
    """
    make_folder(state.folder)
    elsewhere = SYSTEM_FOLDER / f"{state.name}-{short_hash(state.folder)}"
    if not identity.switch or (identity.can_enter(state.folder) and not elsewhere.exists()):
        return state.folder
    make_folder(SYSTEM_FOLDER)
    return make_folder(elsewhere)


def socket_folder(folder: Path, identity: Identity) -> Path:
    """The short private folder for the sockets of the servers with this data; the same one every time.

    It is not made here. The first of /tmp and $TMPDIR that is short enough and open to the servers' user holds it.
    """
    name = f"bo-{short_hash(folder)}"
    for parent in (Path("/tmp"), Path(tempfile.gettempdir())):  # noqa: S108 - the folder itself is private and checked
        fits = len(str(parent / name / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH
        if fits and parent.is_dir() and os.access(parent, os.W_OK) and identity.can_enter(parent):
            return parent / name
    raise Refusal("Neither /tmp nor $TMPDIR can hold the servers' sockets: a short, writable folder is needed.")
