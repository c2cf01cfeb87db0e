"""State folders: private files, the lock, and what is kept about a demo's seed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backoffice.launcher import demo, folders
from backoffice.launcher.console import Refusal
from backoffice.launcher.folders import ROOT, FolderLock, Held, State
from backoffice.launcher.processes import Supervisor, hold, started, stop_left_behind

HOLDER = """
import sys, time
from pathlib import Path
from backoffice.launcher.folders import State
from backoffice.launcher.processes import hold
with hold(State(Path(sys.argv[1]))) as supervisor:
    child = supervisor.start("sleeper", ["sleep", "300"], env={"PATH": "/bin:/usr/bin"}, log=Path(sys.argv[2]))
    print(child.process.pid, flush=True)
    while True:
        supervisor.pause()
"""


def holder(tmp_path: Path) -> tuple[subprocess.Popen[str], int]:
    argv = [sys.executable, "-c", HOLDER, str(tmp_path / "demo"), str(tmp_path / "log")]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def gone(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while started(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return started(pid) is None


def test_files_are_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert folders.read_json(path) is None
    folders.write_json(path, {"a": 1})
    folders.write_json(path, {"a": 2})
    assert folders.read_json(path) == {"a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]
    path.write_text('{"a": ')
    assert folders.read_json(path) is None


def test_a_new_log_keeps_the_one_before(tmp_path: Path) -> None:
    state = State(tmp_path / "demo")
    state.log("web").write_text("first")
    state.log("web").write_text("second")
    assert (state.logs / "web.log.1").read_text() == "first"


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises((Refusal, PermissionError)):
        folders.make_folder(tmp_path / "var")
    tmp_path.chmod(0o700)


def test_a_full_disk_is_named_before_it_is_full(tmp_path: Path) -> None:
    folders.require_space(tmp_path / "not/there/yet", 1)
    with pytest.raises(Refusal, match="MB are free"):
        folders.require_space(tmp_path, 10**9)


def test_two_at_once_are_refused_and_sigterm_leaves_nothing(tmp_path: Path) -> None:
    process, sleeper = holder(tmp_path)
    with pytest.raises(Held, match=f"process {process.pid}"), hold(State(tmp_path / "demo")):
        pass
    process.terminate()
    process.wait(10)
    assert gone(sleeper)
    with hold(State(tmp_path / "demo")):
        pass


def test_after_kill_nine_the_lock_is_free_and_children_are_stopped(tmp_path: Path) -> None:
    process, sleeper = holder(tmp_path)
    process.kill()
    process.wait(10)
    lock = FolderLock(State(tmp_path / "demo").lock_path)
    left = lock.acquire()
    assert [(child["name"], child["pid"]) for child in left] == [("sleeper", sleeper)]
    stop_left_behind(left)
    assert gone(sleeper, 0.5)
    lock.release()


def test_a_reused_pid_is_never_hit(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        argv = ["sleep", "60"]
        child = supervisor.start("sleeper", argv, env={"PATH": "/bin:/usr/bin"}, log=tmp_path / "log")
        row = {"name": "other", "pid": child.process.pid, "started": "long ago", "signal": 15, "group": True}
        stop_left_behind([row])
        assert child.alive


def demo_in(folder: Path, kept: object, options: demo.Options) -> demo.Demo:
    folder.mkdir()
    (folder / "seeded.json").write_text(json.dumps(kept))
    return demo.Demo(options, State(folder), Supervisor())


@pytest.mark.parametrize(
    ("kept", "options", "over"),
    [
        ({"seed": 3, "date": None, "whole": True}, demo.Options(), False),
        ({"seed": 3, "date": None, "whole": True}, demo.Options(seed=3), False),
        ({"seed": 3, "date": None, "whole": True}, demo.Options(seed=4, fresh=True), True),
        ({"seed": 3, "date": None, "whole": True}, demo.Options(seed=3, check=True), True),
        ({"seed": 3, "date": None, "whole": False}, demo.Options(), True),
    ],
)
def test_when_the_demo_starts_over(tmp_path: Path, kept: dict[str, object], options: demo.Options, over: bool) -> None:
    assert demo_in(tmp_path / "demo", kept, options)._starts_over() is over


def test_data_of_another_seed_is_not_mixed(tmp_path: Path) -> None:
    started_with = {"seed": 3, "date": "2026-11-20", "whole": True}
    with pytest.raises(Refusal, match=r"made with seed 3.*--fresh"):
        demo_in(tmp_path / "a", started_with, demo.Options(seed=4))._starts_over()
    with pytest.raises(Refusal, match="made with date 2026-11-20"):
        demo_in(tmp_path / "b", started_with, demo.Options(date="2026-11-19"))._starts_over()
