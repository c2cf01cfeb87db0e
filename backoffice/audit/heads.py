"""Where signed heads go outside the database, so that cutting or replacing it shows.

A target takes lines in order and gives them back. The one that ships appends to a file per month in a folder named by
BACKOFFICE_SEAL_HEADS; put that on another machine, or on storage that only grows. Others are named in SEAL_TARGETS by
dotted path: a class without arguments that has `append` and `read`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Head:
    """One seal as it stands outside."""

    number: int
    head: str
    statement: str
    signature: str
    key: str

    def line(self) -> str:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"


class Target(Protocol):
    """A place outside the database that keeps heads in their order."""

    def append(self, heads: Sequence[Head]) -> None:
        """Keep those whose number follows the last one kept; leave out those already there."""
        ...

    def read(self) -> Iterator[Head]:
        """All of them, oldest first."""
        ...

    def last(self) -> Head | None:
        """The newest."""
        ...


class FileTarget:
    """JSON lines, a file per month of sealing, synced to the disk before it counts as kept."""

    def __init__(self) -> None:
        self.folder = settings.SEAL_HEADS

    def append(self, heads: Sequence[Head]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            # Two sealers may come to publish the same seals; the file takes each once.
            fcntl.flock(lock, fcntl.LOCK_EX)
            newest = self.last()
            for head in heads:
                if newest is None or head.number > newest.number:
                    self._write(head)
                    newest = head

    def read(self) -> Iterator[Head]:
        for path in sorted(self.folder.glob("heads-*.jsonl")):
            with path.open(encoding="utf-8") as file:
                for line in file:
                    head = _parsed(line)
                    if head is not None:
                        yield head

    def last(self) -> Head | None:
        for path in sorted(self.folder.glob("heads-*.jsonl"), reverse=True):
            for line in reversed(_tail(path)):
                head = _parsed(line)
                if head is not None:
                    return head
        return None

    def _write(self, head: Head) -> None:
        month = json.loads(head.statement)["at"][:7]
        path = self.folder / f"heads-{month}.jsonl"
        fresh = not path.exists()
        with path.open("ab") as file:
            # A line that a crash cut short stays as it is and is read over; the head comes again in full.
            start = b"" if fresh or _ends_whole(path) else b"\n"
            file.write(start + head.line().encode())
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)


def targets() -> list[Target]:
    """The targets of this installation."""
    return [cast(Target, import_string(path)()) for path in settings.SEAL_TARGETS]


def _parsed(line: str) -> Head | None:
    try:
        value: dict[str, Any] = json.loads(line)
        return Head(**value)
    except (ValueError, TypeError):
        return None


def _ends_whole(path: Any) -> bool:
    size = path.stat().st_size
    if size == 0:
        return True
    with path.open("rb") as file:
        file.seek(size - 1)
        return bool(file.read(1) == b"\n")


def _tail(path: Any) -> list[str]:
    """The last lines of a file, without reading all of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 16)))
        return cast("list[str]", file.read().decode("utf-8", "replace").splitlines())
