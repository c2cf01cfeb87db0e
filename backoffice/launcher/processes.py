"""Child processes: started in sessions of their own, watched, stopped in reverse order, never left behind.

Every child leads its own session, so that Ctrl-C reaches only `bo`, which then stops them in order. On Linux the
kernel signals them when `bo` itself is killed; elsewhere, and if that fails, the next start finds them by the lock
file (pid and start time, so that a reused pid is never hit).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from backoffice.launcher.console import Refusal, Stopped, note, say, tail
from backoffice.launcher.folders import PRIVATE_FILE, ROOT, FolderLock, State
from backoffice.launcher.identity import Identity

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1


def started(pid: int) -> str | None:
    """When the process was started, in the system's own spelling; None if it is gone or a zombie."""
    proc = Path("/proc")
    if (proc / "self/stat").exists():
        try:
            fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    out = subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout.split()
    return None if not out or out[0].startswith("Z") else " ".join(out[1:])


def command_line(pid: int) -> str:
    """The process's command line, or nothing if it is gone."""
    path = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self/cmdline").exists():
        try:
            return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(  # noqa: S603
        ["/bin/ps", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True
    ).stdout


def stop_pid(pid: int, first: signal.Signals, grace: float) -> None:
    """Ask a process that is not our child to end, then end it."""
    begun = started(pid)
    for which, patience in ((first, grace), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, which)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if begun is None or started(pid) != begun:
                return
            time.sleep(POLL_SECONDS)


def stop_left_behind(children: list[dict[str, Any]]) -> None:
    """Stop what a killed `bo` left running: last started, first stopped; then what they themselves had started."""
    for child in reversed(children):
        if child.get("started") and started(child["pid"]) == child["started"]:
            say(f"stopping {child['name']} (process {child['pid']}), left behind by an earlier start")
            stop_pid(child["pid"], signal.Signals(child["signal"]), 15.0)
        if child.get("group") and started(child["pid"]) is None:
            kill_group(child["pid"])


def kill_group(pid: int) -> None:
    """End what is left of the session that this process led."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _die_with_parent(which: signal.Signals) -> Callable[[], None] | None:
    """For Linux: have the kernel send this signal to the child when `bo` dies. Set after the change of user."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(which), 0, 0, 0)

    return ask


@dataclass
class Child:
    """A running program of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    own_session: bool = True

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, which: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(which)

    def end(self) -> None:
        """End whatever of the child's session is still there, also after the child itself has ended."""
        if self.own_session:
            kill_group(self.process.pid)
        elif self.alive:
            self.process.kill()

    def describe_end(self) -> str:
        code = self.process.returncode
        how = f"with exit code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
        return f"{self.name} ended by itself {how}."


@dataclass
class Supervisor:
    """Starts programs, notices Ctrl-C and SIGTERM, and stops everything it started, last first.

    `afterwards` is called when all have ended.
    """

    locks: list[FolderLock] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    asked: signal.Signals | None = None
    _impatient: bool = False
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Supervisor:
        for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._before[which] = signal.signal(which, self._notice)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop_all()
            for tidy in reversed(self.afterwards):
                tidy()
        finally:
            for which, handler in self._before.items():
                signal.signal(which, handler)

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        """Only note it: stopping happens where the state of every child is known."""
        self._impatient = self.asked is not None and number == signal.SIGINT
        self.asked = signal.Signals(number)

    def check(self) -> None:
        if self.asked is not None:
            raise Stopped

    def pause(self, seconds: float = POLL_SECONDS) -> None:
        self.check()
        time.sleep(seconds)
        self.check()

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 10.0,
        identity: Identity | None = None,
        cwd: Path = ROOT,
    ) -> Child:
        """Start a program that stays; its output goes to the log."""
        self.check()
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "wb") as output:
            child = self._popen(name, argv, env=env, output=output, stop_signal=stop_signal, identity=identity, cwd=cwd)
        child.log, child.grace = log, grace
        self.children.append(child)
        self._record()
        return child

    def _popen(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        output: Any,
        errors: Any = subprocess.STDOUT,
        stop_signal: signal.Signals = signal.SIGTERM,
        identity: Identity | None = None,
        cwd: Path = ROOT,
        own_session: bool = True,
        stdin: Any = subprocess.DEVNULL,
    ) -> Child:
        process = subprocess.Popen(  # noqa: S603 - our own programs, never a shell
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=errors,
            start_new_session=own_session,
            preexec_fn=_die_with_parent(stop_signal),  # noqa: PLW1509 - bo has one thread
            **(identity.popen_options() if identity else {}),
        )
        return Child(name, process, None, stop_signal, own_session=own_session)

    def run(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log: Path | None = None,
        output: Any = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        terminal: bool = False,
    ) -> int:
        """Run a program to its end and return its exit status; Ctrl-C and SIGTERM are passed on to it.

        With a log, both of its outputs go there. Otherwise standard output goes to `output` (ours by default).
        `terminal` gives it our standard input; if that is a terminal, Ctrl-C is the program's own business.
        """
        self.check()
        foreground = terminal and sys.stdin is not None and sys.stdin.isatty()
        with self._output(log, output) as (out, errors):
            child = self._popen(
                name,
                argv,
                env=env,
                output=out,
                errors=errors,
                stop_signal=stop_signal,
                own_session=not foreground,
                stdin=None if terminal else subprocess.DEVNULL,
            )
        child.log, child.grace = log, 20.0
        self.children.append(child)
        self._record()
        try:
            while child.alive:
                if self.asked is not None and not (foreground and self.asked == signal.SIGINT):
                    break
                if foreground:
                    self.asked = None
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(POLL_SECONDS)
        finally:
            self.stop(child)
        if foreground and self.asked == signal.SIGINT:
            self.asked = None
        self.check()
        return child.process.returncode

    @contextmanager
    def _output(self, log: Path | None, output: Any) -> Iterator[tuple[Any, Any]]:
        if log is None:
            yield output, None
            return
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE), "wb") as file:
            yield file, subprocess.STDOUT

    def must(self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str], log: Path) -> None:
        """Run a program that has to succeed; if it does not, its last lines are shown."""
        code = self.run(name, argv, env=env, log=log)
        if code != 0:
            note(tail(log))
            raise Refusal(f"{name} failed with exit code {code}; the whole log is {log}")

    def wait_for(self, child: Child, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until a started program says it is ready; refuse with its log if it ends or takes too long."""
        end = time.monotonic() + seconds
        while not ready():
            self.pause()
            if not child.alive or time.monotonic() > end:
                what = child.describe_end() if not child.alive else f"{child.name} was not ready after {seconds:.0f} s."
                if child.log is not None:
                    note(tail(child.log))
                raise Refusal(f"{what} Its log is {child.log}")

    def watch(self) -> Child:
        """Wait until one of the children ends, and return it; Ctrl-C and SIGTERM raise Stopped."""
        while True:
            for child in self.children:
                if not child.alive:
                    return child
            self.pause(0.3)

    def stop(self, child: Child) -> None:
        """Ask, wait, then end the child and all that is left of its session."""
        if child.alive:
            child.send(child.stop_signal)
            end = time.monotonic() + child.grace
            while child.alive and time.monotonic() < end and not self._impatient:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(POLL_SECONDS)
        child.end()
        child.process.wait()
        if child in self.children:
            self.children.remove(child)
            self._record()

    def stop_all(self) -> None:
        while self.children:
            self.stop(self.children[-1])

    def _record(self) -> None:
        """Write into the locks we hold what would be left behind if we were killed now."""
        rows = [
            {
                "name": child.name,
                "pid": child.process.pid,
                "started": started(child.process.pid),
                "signal": int(child.stop_signal),
                "group": child.own_session,
            }
            for child in self.children
        ]
        for lock in self.locks:
            lock.record(rows)


@contextmanager
def hold(state: State) -> Iterator[Supervisor]:
    """The lock on a state folder and a supervisor for what runs in it; afterwards nothing of it is left."""
    lock = FolderLock(state.lock_path)
    left = lock.acquire()
    try:
        with Supervisor([lock]) as supervisor:
            stop_left_behind(left)
            yield supervisor
    finally:
        lock.release()
