"""The virtual environments, made from the hashed locks in requirements/.

`.venv` holds base.txt (demo, manage) or dev.txt (test, check) on top of it; `.venv-bench` holds bench.txt. A stamp,
written last, says which locks are installed for which Python; a marker, removed last, says that an installation was
begun. So an interrupted one is thrown away, a finished one is trusted without asking the network, and an environment
somebody made by hand is completed in its place.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backoffice.launcher.console import Refusal, note, say, tail
from backoffice.launcher.folders import ROOT, VAR, FolderLock, make_folder, read_json, require_space, write_json
from backoffice.launcher.pip_wheel import pinned_pip
from backoffice.launcher.processes import Supervisor, stop_left_behind

OLDEST_PIP = (22, 3)  # the first that installs into another Python's environment (--python)
SPACE_MB = {"base": 600, "dev": 1000, "bench": 900}


@dataclass(frozen=True)
class Lock:
    """One lock file and the environment it belongs in."""

    name: str
    path: Path
    folder: Path

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def pins(self) -> set[str]:
        return set(re.findall(r"^([A-Za-z0-9_.-]+==[^\s\\;]+)", self.path.read_text(), re.MULTILINE))


def lock_named(name: str, root: Path = ROOT) -> Lock:
    return Lock(name, root / "requirements" / f"{name}.txt", root / (".venv-bench" if name == "bench" else ".venv"))


def base_python() -> str:
    """The interpreter behind the one that runs us, also when that one is in a virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


def site_packages(folder: Path) -> Path:
    return folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


class Stamp:
    """What is installed in an environment: a hash per lock, and the Python it was made for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / ".bo-stamp.json"
        self.marker = folder / ".bo-installing"
        self.value: dict[str, str] = read_json(self.path) or {}

    @staticmethod
    def python() -> str:
        return f"{sys.implementation.name} {platform.python_version()} {platform.machine()}"

    def holds(self, lock: Lock) -> bool:
        """Whether exactly this lock, or a larger one with the same pins, is installed and whole."""
        if self.marker.exists() or self.value.get("python") != self.python() or not self.is_environment():
            return False
        if self.value.get(lock.name) == lock.sha256:
            return True
        larger = lock_named("dev", lock.path.parent.parent)
        return lock.name == "base" and self.value.get("dev") == larger.sha256 and lock.pins() <= larger.pins()

    def outdated(self, lock: Lock) -> str | None:
        """Why the environment has to be made anew before this lock is installed; None if it may stay."""
        if not self.folder.exists():
            return None
        if self.marker.exists():
            return "the last installation was interrupted"
        if self.value and self.value.get("python") != self.python():
            return f"it was made for {self.value.get('python')}"
        root = lock.path.parent.parent
        for name in self.value.keys() - {"python"}:
            if lock_named(name, root).sha256 != self.value[name]:
                return f"requirements/{name}.txt has changed"
        if self.value and not self.is_environment():
            return "its Python is gone"
        return None

    def is_environment(self) -> bool:
        """Without pyvenv.cfg the Python in it would be the system's, and so would what is installed."""
        return python_of(self.folder).exists() and (self.folder / "pyvenv.cfg").exists()

    def begin(self) -> None:
        self.path.unlink(missing_ok=True)
        self.marker.touch()

    def finish(self, lock: Lock) -> None:
        self.value = {**self.value, "python": self.python(), lock.name: lock.sha256}
        write_json(self.path, self.value)
        self.marker.unlink()


def ensure(supervisor: Supervisor, name: str) -> Path:
    """Make sure the lock's packages are installed; return the environment's Python."""
    lock = lock_named(name)
    if Stamp(lock.folder).holds(lock):
        return python_of(lock.folder)
    guard = FolderLock(VAR / "environment.lock")
    stop_left_behind(guard.acquire(wait=True))
    supervisor.locks.append(guard)
    try:
        stamp = Stamp(lock.folder)
        if not stamp.holds(lock):
            _install(supervisor, lock, stamp)
    finally:
        supervisor.locks.remove(guard)
        guard.release()
    return python_of(lock.folder)


def _install(supervisor: Supervisor, lock: Lock, stamp: Stamp) -> None:
    require_space(lock.folder, SPACE_MB[lock.name])
    reason = stamp.outdated(lock)
    if reason is not None:
        say(f"making {lock.folder.name} anew: {reason}")
        _remove(lock.folder)
        stamp = Stamp(lock.folder)
    if not lock.folder.exists():
        say(f"making {lock.folder.name} for Python {platform.python_version()}")
        _make_environment(lock.folder)
    if not stamp.is_environment() or not site_packages(lock.folder).is_dir():
        raise Refusal(
            f"{lock.folder} is no virtual environment of this Python ({platform.python_version()}) and was not made by "
            "bo. Move it away and start again."
        )
    stamp.begin()
    log = make_folder(VAR / "log") / "install.log"
    log.unlink(missing_ok=True)
    tried = []
    for how, argv, env in installers(lock):
        say(f"installing {lock.path.relative_to(ROOT)} with {how}")
        tried.append(how)
        if supervisor.run("installer", argv(), env=env, log=log) == 0:
            stamp.finish(lock)
            return
        say(f"{how} did not succeed")
    note(tail(log))
    raise Refusal(
        f"The packages of {lock.path.name} could not be installed (tried: {', '.join(tried)}). The last lines are "
        f"above, all of them in {log}. The first installation needs the package index to be reachable."
    )


def _remove(folder: Path) -> None:
    """Move the folder away first, so that a removal cut short leaves no half environment in its place."""
    trash = make_folder(VAR / "trash") / folder.name
    shutil.rmtree(trash, ignore_errors=True)
    try:
        folder.rename(trash)
    except OSError:  # a mount, or another disk
        trash = folder
    shutil.rmtree(trash)


def _make_environment(folder: Path) -> None:
    """An environment without pip: that works where ensurepip is missing (Debian without python3-venv), too."""
    builder = venv.EnvBuilder(with_pip=False, symlinks=True)
    builder.create(folder)
    if not python_of(folder).exists():
        raise Refusal(f"{base_python()} could not make a virtual environment in {folder}.")


def installers(lock: Lock) -> Iterator[tuple[str, Callable[[], list[str]], dict[str, str]]]:
    """The ways to install, best first: uv, a pip that is there, the bundled pip of ensurepip, a downloaded pip."""
    env = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0", "UV_PYTHON_DOWNLOADS": "never"}
    if "PIP_INDEX_URL" in env:
        env.setdefault("UV_DEFAULT_INDEX", env["PIP_INDEX_URL"])
    target = str(python_of(lock.folder))
    wanted = ["--require-hashes", "--no-deps", "-r", str(lock.path)]
    if lock.name != "bench":  # one of the references is published as source only; the product never is
        wanted.append("--only-binary=:all:")
    uv = shutil.which("uv")
    if uv and _answer([uv, "--version"]):
        yield "uv", lambda: [uv, "pip", "install", "--quiet", "--python", target, *wanted], env
    rest = ["install", "--quiet", "--progress-bar=off", *wanted]
    found = re.match(r"pip (\d+)\.(\d+)", _answer([base_python(), "-m", "pip", "--version"]))
    if found and (int(found[1]), int(found[2])) >= OLDEST_PIP:
        yield "pip", lambda: [base_python(), "-m", "pip", "--python", target, *rest], env
    elif _answer([target, "-c", "import ensurepip; print(ensurepip.version())"]):
        script = f"import ensurepip, runpy, sys; ensurepip.bootstrap(); sys.argv[0] = 'pip'; {_RUN_PIP}"
        yield "the pip that comes with Python", lambda: [target, "-c", script, *rest], env
    yield "a downloaded pip", lambda: [base_python(), f"{pinned_pip()}/pip", "--python", target, *rest], env


_RUN_PIP = "runpy.run_module('pip', run_name='__main__')"
# Settings of the person's shell that would send packages elsewhere.
_MISLEADING = {
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PYTHONHOME",
    "PYTHONPATH",
    "VIRTUAL_ENV",
}


def _answer(argv: list[str]) -> str:
    """What a short program prints, or nothing if it is missing or fails."""
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
