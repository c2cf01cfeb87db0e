"""`bo` before anything runs: options, addresses, ports, messages; and that it needs nothing but Python."""

from __future__ import annotations

import ast
import errno
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from backoffice.launcher import binaries, cli, commands, console, database, demo, django, postgres
from backoffice.launcher.console import Refusal
from backoffice.launcher.folders import ROOT, State

LAUNCHER = ROOT / "backoffice/launcher"


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_only_the_standard_library_is_imported() -> None:
    for path in [ROOT / "bo", *LAUNCHER.glob("*.py")]:
        if path.name == "sql.py":  # run by the virtual environment's Python
            continue
        foreign = {
            name
            for name in imports_of(path)
            if not name.startswith("backoffice.launcher") and name.split(".")[0] not in sys.stdlib_module_names
        }
        assert not foreign, f"{path.name} imports {foreign}"
    assert (ROOT / "backoffice/__init__.py").read_text().strip() == ""


def bo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "bo", *arguments], capture_output=True, text=True, check=False)


def test_usage_and_an_unknown_command() -> None:
    assert "python3 bo COMMAND" in bo("--help").stdout
    unknown = bo("demmo")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no command 'demmo'" in unknown.stderr and "Traceback" not in unknown.stderr


@pytest.mark.parametrize("argument", ["--date=2026-13-01", "--port=70000", "--port=x", "--seed=0", "--nothing"])
def test_options_that_cannot_be_meant_are_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        cli.demo_options([argument])
    assert error.value.code == 2
    assert argument.split("=")[0] in capsys.readouterr().err


def test_options_of_the_demo() -> None:
    options = cli.demo_options(["--check", "--seed", "7", "--date", "2026-11-20"])
    assert options == demo.Options(check=True, seed=7, date="2026-11-20")
    assert options.arguments() == ["--seed", "7", "--date", "2026-11-20"]
    assert demo.Options().arguments() == ["--seed", "1"]


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        ([], True),
        (["-x", "--durations", "5"], True),
        (["-m", "not slow"], True),
        (["tests"], False),
        (["tests/test_nowhere.py::test_x"], False),
        (["-k", "lock"], False),
        (["-klock"], False),
        (["-n4"], False),
        (["--numprocesses=4"], False),
        (["--pdb"], False),
    ],
)
def test_workers_unless_tests_are_chosen(arguments: list[str], workers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert commands.worker_option(arguments) == (["-n", "2"] if workers else [])


def test_an_address_for_another_role_keeps_server_and_options() -> None:
    given = "postgresql://admin:s%2Fecret@db.example:6432/postgres?sslmode=require"
    made = database.with_login(given, "backoffice_app", "a/b?c", "backoffice_check")
    assert made == "postgresql://backoffice_app:a%2Fb%3Fc@db.example:6432/backoffice_check?sslmode=require"
    socket_only = database.with_login("postgresql:///postgres?host=/run/pg", "backoffice_app", "x", "backoffice")
    assert socket_only == "postgresql://backoffice_app:x@/backoffice?host=/run/pg"
    assert postgres.database_url("r", "p", Path("/tmp/bo-1"), "d") == "postgresql://r:p@/d?host=/tmp/bo-1"


def test_messages_never_show_a_password() -> None:
    assert database.without_password("postgresql://a:geheim@h/d") == "postgresql://a:***@h/d"


def addresses() -> database.Addresses:
    return database.Addresses(
        "postgresql://app:a@/d", "postgresql://own:o@/d", "postgresql://postgres:s@/d", "redis://x"
    )


def test_web_and_worker_get_the_application_role_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://own:o@/d")
    monkeypatch.setenv("DATABASE_ADMIN_URL", "postgresql://postgres:s@/d")
    monkeypatch.setenv("BACKOFFICE_SECRET_KEY", "")
    called = django.Django(Path(sys.executable), State(tmp_path), addresses())
    env = called.environment()
    assert env["DATABASE_URL"] == "postgresql://app:a@/d" and env["DATABASE_APP_ROLE"] == "app"
    assert not [name for name, value in env.items() if "own:o@" in value or "postgres:s@" in value]
    assert len(env["BACKOFFICE_SECRET_KEY"]) >= 50
    assert called.environment()["BACKOFFICE_SECRET_KEY"] == env["BACKOFFICE_SECRET_KEY"]
    assert called.environment(owner=True)["DATABASE_URL"] == "postgresql://own:o@/d"
    assert called.environment(roles=True)["DATABASE_OWNER_URL"] == "postgresql://own:o@/d"


def test_the_field_key_is_a_fernet_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.fernet import Fernet

    monkeypatch.delenv("BACKOFFICE_FIELD_KEYS", raising=False)
    env = django.Django(Path(sys.executable), State(tmp_path), addresses()).environment()
    key = Fernet(env["BACKOFFICE_FIELD_KEYS"])
    assert key.decrypt(key.encrypt(b"x")) == b"x"


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert port < demo.free_port(port) < port + demo.PORTS_TRIED
        assert demo.answers(port)
    assert demo.free_port(port) == port
    assert not demo.answers(port)
    with pytest.raises(Refusal, match="--port"):
        demo.free_port(65_536)


def test_unsupported_machines_are_refused_with_a_way_out() -> None:
    console.require_platform("linux", "x86_64", "glibc")
    console.require_platform("darwin", "arm64")
    for system, machine, libc, word in (
        ("win32", "AMD64", "", "WSL"),
        ("linux", "riscv64", "glibc", "riscv64"),
        ("linux", "x86_64", "", "glibc"),
        ("freebsd14", "amd64", "", "freebsd14"),
    ):
        with pytest.raises(Refusal, match=word):
            console.require_platform(system, machine, libc)


def test_errors_of_the_disk_are_sentences() -> None:
    assert "No space left" in console.explain(OSError(errno.ENOSPC, "No space left on device", "/x/y"))
    assert "/x/y may not be written" in console.explain(PermissionError(errno.EACCES, "Permission denied", "/x/y"))
    assert "/x/y: Is a directory" in console.explain(IsADirectoryError(errno.EISDIR, "Is a directory", "/x/y"))


def test_data_of_another_major_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("15\n")
    found = [binaries.Binaries("the wheel", tmp_path, "18.6"), binaries.Binaries("the system", tmp_path, "15.18")]
    assert binaries.choose(found, tmp_path).version == "15.18"
    with pytest.raises(Refusal, match=r"made by PostgreSQL 15; this machine has 18\.6.*--fresh"):
        binaries.choose(found[:1], tmp_path)
    assert binaries.choose(found, tmp_path / "none").version == "18.6"
    with pytest.raises(Refusal, match="DATABASE_URL"):
        binaries.choose([], tmp_path)
