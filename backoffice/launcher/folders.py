"""Where `bo` keeps things: one folder of state per purpose under var/, small private files, and the folder's lock."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backoffice.launcher.console import Refusal

ROOT = Path(__file__).resolve().parent.parent.parent
VAR = ROOT / "var"
PRIVATE_FILE = 0o600


@dataclass(frozen=True)
class State:
    """The folder of one purpose: demo, check, test or bench."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def lock_path(self) -> Path:
        """Beside the folder, so that the folder can be removed while the lock is held."""
        return self.folder.with_name(f"{self.folder.name}.lock")

    @property
    def logs(self) -> Path:
        return self.folder / "log"

    def log(self, name: str) -> Path:
        """A new log; the one of the last start is kept as NAME.log.1."""
        make_folder(self.logs)
        path = self.logs / f"{name}.log"
        if path.exists():
            path.replace(path.with_suffix(".log.1"))
        return path


def state(name: str) -> State:
    return State(VAR / name)


def make_folder(path: Path) -> Path:
    """Make a folder that others may pass through but not read; an existing one keeps its rights.

    As root the server programs run as another user, who has to reach his own folders below it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise Refusal(f"The folder {path} may not be written by this user. Run bo as its owner or change its rights.")
    return path


def require_space(path: Path, needed_mb: int) -> None:
    """Refuse early and in one sentence instead of halfway through an installation."""
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free // 2**20
    if free < needed_mb:
        raise Refusal(
            f"Only {free} MB are free on the disk of {path}; about {needed_mb} MB are needed. Free some first."
        )


def read_json(path: Path) -> Any:
    """The file's value, or None where there is no whole file."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Write a private file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
    fresh.replace(path)


def application_keys(folder: Path) -> dict[str, str]:
    """Django's secret key, the key of encrypted fields and the key of the audit log's seals, each made once per state
    folder; the environment's own win."""
    path = folder / "keys.json"
    kept = read_json(path) or {}
    fresh = {
        "BACKOFFICE_SECRET_KEY": secrets.token_urlsafe(48),
        "BACKOFFICE_FIELD_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "BACKOFFICE_SEAL_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    if fresh.keys() - kept.keys():
        kept = {**fresh, **kept}
        write_json(path, kept)
    return {name: os.environ.get(name) or value for name, value in kept.items()}


class FolderLock:
    """One `bo` per state folder. The kernel gives the lock back when its holder dies, however it dies.

    The file says who holds it and which processes belong to it, so that the next start can stop what a killed
    one left behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, wait: bool = False) -> list[dict[str, Any]]:
        """Take the lock; return the processes recorded by a holder who died without tidying up."""
        make_folder(self.path.parent)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(fd)
            raise Held(self.holder()) from None
        self._fd = fd
        left = (read_json(self.path) or {}).get("children", [])
        self.record([])
        return list(left)

    def record(self, children: list[dict[str, Any]]) -> None:
        assert self._fd is not None, "record() needs the lock"
        text = json.dumps({"pid": os.getpid(), "children": children}).encode()
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, text, 0)

    def holder(self) -> int | None:
        """The pid written in the file, for messages."""
        return (read_json(self.path) or {}).get("pid")

    def release(self) -> None:
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = None


class Held(Refusal):
    """Another `bo` works in this folder."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"Another bo (process {pid or 'unknown'}) is using this folder. Stop it first.")
        self.pid = pid
