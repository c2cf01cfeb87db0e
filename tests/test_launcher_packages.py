"""System packages: installed as root on Debian, once; asked for in one line otherwise; never a reason to stop."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backoffice.launcher import system_packages
from backoffice.launcher.processes import Supervisor
from backoffice.launcher.system_packages import Need

APT = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in
  "update -q") touch {lists} ;;
  install*) test -e {lists} && touch {installed} ;;
esac
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that installs only after an update, and writes down how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    names = {name: tmp_path / name for name in ("calls", "lists", "installed")}
    (folder / "apt-get").write_text(APT.format(**names))
    (folder / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("BACKOFFICE_NO_APT", raising=False)
    monkeypatch.setattr(system_packages, "VAR", tmp_path / "var")
    return tmp_path


def need(folder: Path) -> Need:
    return Need("Pango", "PDF files", ("libone", "libtwo"), "brew install pango", (folder / "installed").exists)


def ensure(folder: Path) -> list[str]:
    with Supervisor() as supervisor:
        system_packages.ensure(supervisor, need(folder))
    calls = folder / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def test_root_gets_them_installed_and_is_told(
    apt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    install = "install -q -y --no-install-recommends libone libtwo"
    assert ensure(apt) == [install, "update -q", install]
    assert "installing Pango (for PDF files) with apt-get: libone libtwo" in capsys.readouterr().err
    assert ensure(apt) == [install, "update -q", install], "what is there is not asked for again"


def test_a_failed_attempt_is_not_repeated_at_every_start(
    apt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (apt / "bin/apt-get").write_text(f"#!/bin/sh\necho called >> {apt / 'calls'}\nexit 100\n")
    assert len(ensure(apt)) == 3
    assert len(ensure(apt)) == 3
    said = capsys.readouterr().err
    assert said.count("apt-get did not succeed") == 1
    assert said.count("sudo apt-get install --no-install-recommends libone libtwo") == 2


@pytest.mark.parametrize(("user", "variable"), [(1000, ""), (0, "1")])
def test_others_are_told_the_line_to_run(
    apt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user: int, variable: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("BACKOFFICE_NO_APT", variable)
    assert ensure(apt) == []
    assert "sudo apt-get install --no-install-recommends libone libtwo" in capsys.readouterr().err
