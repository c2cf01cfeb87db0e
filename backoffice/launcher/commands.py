"""`bo test`, `bo manage`, `bo bench` and `bo check`."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from backoffice.launcher import environment, folders, system_packages
from backoffice.launcher.console import Refusal, say
from backoffice.launcher.database import Addresses
from backoffice.launcher.django import AS_OWNER, Django
from backoffice.launcher.folders import Held
from backoffice.launcher.processes import Supervisor, hold
from backoffice.launcher.servers import Servers

WORKERS = 2
# With one of these the person has chosen what or how to run, and starting workers would only be in the way.
CHOSEN = (
    "-k",
    "-n",
    "--numprocesses",
    "--pdb",
    "--collect-only",
    "--co",
    "--lf",
    "--last-failed",
    "-h",
    "--help",
    "--version",
)


def test(arguments: Sequence[str]) -> int:
    """Start the test servers, run pytest, and return its exit status."""
    state = folders.state("test")
    try:
        with hold(state) as supervisor:
            python = environment.ensure(supervisor, "dev")
            system_packages.ensure(supervisor, system_packages.PANGO, system_packages.CHROMIUM)
            addresses = Servers(state, python, durable=False).start(supervisor)
            django = Django(python, state, addresses, "backoffice.settings.test")
            return supervisor.run(
                "pytest",
                [python, "-m", "pytest", *worker_option(arguments), *arguments],
                env=django.environment(roles=True),
                stop_signal=signal.SIGINT,
                terminal=True,
            )
    except Held as error:
        raise Refusal(f"Another `bo test` runs in this folder (process {error.pid or 'unknown'}).") from None


def worker_option(arguments: Sequence[str]) -> list[str]:
    """Two workers for a whole run; none where the person named tests or an option about it."""
    for argument in arguments:
        named = not argument.startswith("-") and ("::" in argument or Path(argument).exists())
        if named or argument.split("=")[0] in CHOSEN or argument.startswith(("-n", "-k")):
            return []
    return ["-n", str(WORKERS)]


def manage(arguments: Sequence[str]) -> int:
    """Run a management command on the demo's database, starting its servers if they are not running."""
    state = folders.state("demo")
    try:
        with hold(state) as supervisor:
            python = environment.ensure(supervisor, "base")
            return _manage(supervisor, Django(python, state, Servers(state, python).start(supervisor)), arguments)
    except Held:
        pass
    with Supervisor() as supervisor:
        python = environment.ensure(supervisor, "base")
        return _manage(supervisor, Django(python, state, Servers(state, python).attach()), arguments)


def _manage(supervisor: Supervisor, django: Django, arguments: Sequence[str]) -> int:
    if arguments[:1] and arguments[0] not in (*AS_OWNER, "help") and not django.has_tables():
        django.migrate(supervisor)
    return django.manage(supervisor, *arguments, terminal=True)


def bench(names: Sequence[str]) -> int:
    """Run the benchmarks on servers of their own, set up as the demo's are."""
    state = folders.state("bench")
    with hold(state) as supervisor:
        python = environment.ensure(supervisor, "bench")
        django = Django(python, state, Servers(state, python).start(supervisor))
        django.migrate(supervisor)
        env = django.environment(roles=True)
        return supervisor.run("benchmarks", [python, "-m", "benchmarks", *names], env=env, terminal=True)


def check() -> int:
    """What CI runs besides the tests. Every step runs; the exit status says whether all passed."""
    state = folders.state("tools")
    folders.make_folder(state.folder)
    with Supervisor() as supervisor:
        python = environment.ensure(supervisor, "dev")
        nowhere = "postgresql://backoffice_app@/backoffice?host=/nonexistent"
        django = Django(python, state, Addresses(nowhere, nowhere, None, "redis://127.0.0.1:1/0"))
        # The one warning that is switched off says that makemigrations could not ask a database for its history.
        env = {**django.environment(), "PYTHONWARNINGS": "ignore::RuntimeWarning"}
        failed = [name for name, argv in _steps(django) if not _passes(supervisor, name, argv, env)]
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def _steps(django: Django) -> list[tuple[str, list[str]]]:
    python = str(django.python)
    contracts = "from importlinter.cli import lint_imports_command as run; run()"
    return [
        ("ruff format", [python, "-m", "ruff", "format", "--check", ".", "bo"]),
        ("ruff check", [python, "-m", "ruff", "check", ".", "bo"]),
        ("import contracts", [python, "-c", contracts]),
        ("mypy", [python, "-m", "mypy", "."]),
        ("mypy bo", [python, "-m", "mypy", "bo"]),
        ("migrations", django.command("makemigrations", "--check", "--dry-run")),
        ("django check", django.command("check")),
    ]


def _passes(supervisor: Supervisor, name: str, argv: Sequence[str], env: dict[str, str]) -> bool:
    say(name)
    return supervisor.run(name, argv, env=env) == 0
