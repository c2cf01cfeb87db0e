"""When a virtual environment is trusted, completed or made anew."""

from __future__ import annotations

import hashlib
import urllib.request
from pathlib import Path

import pytest

from backoffice.launcher import environment, pip_wheel
from backoffice.launcher.console import Refusal
from backoffice.launcher.environment import Lock, Stamp, lock_named
from backoffice.launcher.folders import ROOT
from backoffice.launcher.processes import Supervisor


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with three locks and an environment without any package."""
    (tmp_path / "requirements").mkdir()
    for name, pins in (("base", "a==1"), ("dev", "a==1\nb==2"), ("bench", "a==1\nc==3")):
        (tmp_path / f"requirements/{name}.txt").write_text(f"{pins} \\\n    --hash=sha256:00\n")
    environment._make_environment(tmp_path / ".venv")
    return tmp_path


def install(lock: Lock) -> None:
    stamp = Stamp(lock.folder)
    stamp.begin()
    stamp.finish(lock)


def test_nothing_is_trusted_without_a_stamp(root: Path) -> None:
    base = lock_named("base", root)
    assert not Stamp(base.folder).holds(base)
    assert Stamp(base.folder).outdated(base) is None, "an environment made by hand is completed, not deleted"
    install(base)
    assert Stamp(base.folder).holds(base)


def test_a_development_environment_serves_the_demo_and_not_the_other_way_round(root: Path) -> None:
    base, dev = lock_named("base", root), lock_named("dev", root)
    install(base)
    assert not Stamp(dev.folder).holds(dev)
    assert Stamp(dev.folder).outdated(dev) is None, "dev is installed on top"
    install(dev)
    assert Stamp(base.folder).holds(base) and Stamp(dev.folder).holds(dev)


def test_dev_alone_holds_base_only_with_the_same_pins(root: Path) -> None:
    base, dev = lock_named("base", root), lock_named("dev", root)
    install(dev)
    assert Stamp(base.folder).holds(base)
    base.path.write_text("a==2 \\\n    --hash=sha256:00\n")
    assert not Stamp(base.folder).holds(base)


@pytest.mark.parametrize("changed", ["base", "dev"])
def test_a_changed_lock_makes_the_environment_anew(root: Path, changed: str) -> None:
    base, dev = lock_named("base", root), lock_named("dev", root)
    install(base)
    install(dev)
    lock_named(changed, root).path.write_text("a==9\nb==2\n")
    assert Stamp(dev.folder).outdated(dev) == f"requirements/{changed}.txt has changed"


def test_an_interrupted_installation_is_never_trusted(root: Path) -> None:
    base = lock_named("base", root)
    install(base)
    Stamp(base.folder).begin()
    assert not Stamp(base.folder).holds(base)
    assert "interrupted" in (Stamp(base.folder).outdated(base) or "")


def test_another_python_or_a_missing_one(root: Path) -> None:
    base = lock_named("base", root)
    install(base)
    stamp = Stamp(base.folder)
    stamp.value["python"] = "cpython 3.11.0 x86_64"
    assert not stamp.holds(base) and "3.11.0" in (stamp.outdated(base) or "")
    (base.folder / "pyvenv.cfg").unlink()
    assert not Stamp(base.folder).holds(base), "its Python would be the system's"
    assert Stamp(base.folder).outdated(base) == "its Python is gone"


def test_a_folder_that_only_looks_like_an_environment_is_left_alone(root: Path) -> None:
    base = lock_named("base", root)
    (base.folder / "pyvenv.cfg").unlink()
    with Supervisor() as supervisor, pytest.raises(Refusal, match="Move it away"):
        environment._install(supervisor, base, Stamp(base.folder))
    assert environment.python_of(base.folder).exists()


def test_the_locks_of_the_repository_belong_together() -> None:
    base, dev, bench = (lock_named(name) for name in ("base", "dev", "bench"))
    assert len(base.pins()) > 30
    assert base.pins() <= dev.pins() and base.pins() <= bench.pins()
    assert not any(pin.startswith(("psycopg==", "psycopg-binary==")) for pin in dev.pins() | bench.pins())
    for lock in (base, dev, bench):
        text = lock.path.read_text()
        assert text.count("==") and all("--hash=sha256:" in part for part in text.split("\n\n") if "==" in part)
        assert "://" not in text.replace("https://github.com", ""), "no index host in a lock"
    assert bench.folder.name == ".venv-bench" and bench.folder.parent == ROOT


def index(folder: Path, content: bytes) -> str:
    """A package index of files: a page for pip with one link."""
    page = folder / "pip"
    page.mkdir()
    (folder / pip_wheel.WHEEL).write_bytes(content)
    (page / "index.html").write_text(f'<a href="../{pip_wheel.WHEEL}#sha256=x">pip</a>')
    return folder.as_uri()


def test_a_downloaded_pip_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = index(tmp_path, b"not pip")
    real = urllib.request.urlopen
    monkeypatch.setattr(
        urllib.request,
        "urlopen",
        lambda url, timeout: real(f"{url}index.html" if url.endswith("/") else url, timeout=timeout),
    )
    monkeypatch.setattr(pip_wheel, "VAR", tmp_path / "var")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    with pytest.raises(Refusal, match="was not used"):
        pip_wheel.pinned_pip()
    monkeypatch.setattr(pip_wheel, "SHA256", hashlib.sha256(b"not pip").hexdigest())
    assert pip_wheel.pinned_pip().read_bytes() == b"not pip"


def test_the_index_is_the_one_pip_would_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://index.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert pip_wheel.index_url() == "https://index.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert pip_wheel.index_url() == "https://other.example/simple"
