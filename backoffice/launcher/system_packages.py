"""What Python packages cannot bring: Pango for PDF files, Chromium for the browser tests.

As root on Debian and its like they are installed, once, and said so; otherwise the one line to run is printed.
Neither is needed to start: without Pango the pages offer the print view, without Chromium the browser tests skip.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backoffice.launcher.console import say
from backoffice.launcher.folders import VAR, make_folder
from backoffice.launcher.processes import Supervisor

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chromium-headless-shell")
MAC_BROWSER = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


@dataclass(frozen=True)
class Need:
    """A piece of the operating system and the Debian packages that bring it."""

    name: str
    purpose: str
    packages: tuple[str, ...]
    brew: str
    present: Callable[[], bool]


def has_pango() -> bool:
    """Whether the libraries that WeasyPrint opens can be opened."""
    for name in ("pango-1.0", "pangoft2-1.0", "harfbuzz-subset"):
        file = f"lib{name}.so.0" if sys.platform.startswith("linux") else ctypes.util.find_library(name)
        try:
            ctypes.CDLL(file or f"lib{name}.dylib")
        except OSError:
            return False
    return True


def has_chromium() -> bool:
    return any(shutil.which(name) for name in BROWSERS) or MAC_BROWSER.exists()


PANGO = Need(
    "Pango",
    "PDF files",
    ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"),
    "brew install pango",
    has_pango,
)
CHROMIUM = Need("Chromium", "the browser tests", ("chromium",), "brew install --cask google-chrome", has_chromium)


def ensure(supervisor: Supervisor, *needs: Need) -> None:
    """Install what is missing where that is allowed, else print how. Never a reason to stop."""
    for need in needs:
        if need.present():
            continue
        tried = VAR / f"apt-{need.name.lower()}.tried"
        if may_install(need) and not tried.exists():
            say(f"installing {need.name} (for {need.purpose}) with apt-get: {' '.join(need.packages)}")
            make_folder(VAR)
            tried.touch()
            _install(supervisor, need)
        if not need.present():
            say(f"{need.name} is missing, so {need.purpose} will be left out. To add it: {how_to(need)}")


def may_install(need: Need) -> bool:
    """Root on a Debian-like system, unless BACKOFFICE_NO_APT says no. Ubuntu's chromium is only a door to snap."""
    if os.geteuid() != 0 or not shutil.which("apt-get") or os.environ.get("BACKOFFICE_NO_APT", "") not in ("", "0"):
        return False
    return not (need is CHROMIUM and "ubuntu" in _distribution())


def how_to(need: Need) -> str:
    if sys.platform == "darwin":
        return need.brew
    if shutil.which("apt-get"):
        return f"sudo apt-get install --no-install-recommends {' '.join(need.packages)}"
    return f"install your system's packages for {' '.join(need.packages)}"


def _distribution() -> str:
    try:
        return Path("/etc/os-release").read_text().lower()
    except OSError:
        return ""


def _install(supervisor: Supervisor, need: Need) -> None:
    """Install from the package lists that are there; if that fails, fetch the lists and try once more."""
    log = make_folder(VAR / "log") / f"apt-{need.name.lower()}.log"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *need.packages]
    for command in (install, ["apt-get", "update", "-q"], install):
        code = supervisor.run("apt-get", command, env=env, log=log)
        if command is install and code == 0:
            return
    say(f"apt-get did not succeed; its output is in {log}")
