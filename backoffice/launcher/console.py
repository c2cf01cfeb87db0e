"""What `bo` says: progress on standard error, refusals as one sentence, and the machines it knows."""

from __future__ import annotations

import errno
import platform
import sys
import time
from pathlib import Path

OLDEST_PYTHON = (3, 11)


class Refusal(Exception):
    """`bo` cannot go on; the message tells the person what to do, the code is the exit status."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.code = code


class Stopped(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM; everything started is being stopped."""


_begun = time.monotonic()


def say(text: str) -> None:
    """One line of progress, with the seconds since the start. Standard output stays free for results."""
    sys.stderr.write(f"bo {time.monotonic() - _begun:6.1f} s  {text}\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """Lines of another program's output, shown indented."""
    sys.stderr.write("".join(f"    {line}\n" for line in text.splitlines()))
    sys.stderr.flush()


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log, or a sentence that says there are none."""
    try:
        text = path.read_bytes()[-20_000:].decode(errors="replace")
    except OSError:
        text = ""
    return "\n".join(text.splitlines()[-lines:]) or f"({path} is empty)"


def explain(error: OSError) -> str:
    """A sentence for the errors of the machine that a person can do something about."""
    place = error.filename or "the disk"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"No space left while writing {place}. Free some and start again; nothing needs repairing first."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{place} may not be written by this user. Run bo as the folder's owner, or change its owner or rights."
    return f"{place}: {error.strerror or error}"


def require_platform(system: str = sys.platform, machine: str | None = None, libc: str | None = None) -> None:
    """Refuse machines for which the locked packages have no binaries, before anything is downloaded."""
    machine = (machine or platform.machine()).lower()
    if system == "win32":
        raise Refusal("Windows itself is not supported: run bo inside WSL, or use docker-compose.yml.")
    if not (system.startswith("linux") or system == "darwin") or machine not in {"x86_64", "amd64", "aarch64", "arm64"}:
        raise Refusal(
            f"{system} on {machine} is not supported: the demo's servers exist for Linux and macOS on x86_64 and "
            "arm64. docker-compose.yml runs wherever its images do."
        )
    if system.startswith("linux") and not (libc if libc is not None else platform.libc_ver()[0]):
        raise Refusal("This Linux has no glibc (Alpine?), and the locked packages need it. Use docker-compose.yml.")
