"""`bo demo`: the whole product on one machine, with a seeded broker; `bo demo --check`: the same headless, judged."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from backoffice.launcher import environment, folders, system_packages
from backoffice.launcher.console import Refusal, Stopped, note, say, tail
from backoffice.launcher.django import Django
from backoffice.launcher.folders import Held, State, read_json, write_json
from backoffice.launcher.processes import Child, Supervisor, hold
from backoffice.launcher.servers import Servers

DEFAULT_SEED = 1
DEFAULT_PORT = 8000
PORTS_TRIED = 50
READY_SECONDS = 90


@dataclass(frozen=True)
class Options:
    """The command line of `bo demo`. `date` is ISO; without one the demo data decides."""

    fresh: bool = False
    check: bool = False
    seed: int | None = None
    date: str | None = None
    port: int = DEFAULT_PORT
    without: str | None = None

    def arguments(self) -> list[str]:
        """The part that the seeding and the check are told."""
        return ["--seed", str(self.seed or DEFAULT_SEED), *(["--date", self.date] if self.date else [])]


def run(options: Options) -> int:
    """The exit status: 0 after Ctrl-C on a demo that was up, or after a check that came out right."""
    state = folders.state("check" if options.check else "demo")
    try:
        with hold(state) as supervisor:
            return Demo(options, state, supervisor).run()
    except Held as error:
        raise Refusal(
            f"A demo is already {'being checked' if options.check else 'running'} from this folder (process "
            f"{error.pid or 'unknown'}, {state.folder}). Stop it first, or use another copy of the repository."
        ) from None


@dataclass
class Demo:
    """One run of the demo in a state folder whose lock we hold."""

    options: Options
    state: State
    supervisor: Supervisor

    def run(self) -> int:
        python = environment.ensure(self.supervisor, "base")
        system_packages.ensure(self.supervisor, system_packages.PANGO)
        servers = Servers(self.state, python)
        if self._starts_over():
            servers.wipe()
        django = Django(python, self.state, servers.start(self.supervisor))
        django.migrate(self.supervisor)
        self._seed(django)
        address = self._start_programs(django)
        if self.options.check:
            return self._check(django, servers)
        self._welcome(address)
        return self._stay()

    @property
    def _seeded(self) -> Path:
        return self.state.folder / "seeded.json"

    def _starts_over(self) -> bool:
        """Whether what is in the folder has to go first."""
        if self.options.check or self.options.fresh:
            return True
        kept = read_json(self._seeded)
        if kept is not None and not kept["whole"]:
            say("the last seeding was interrupted, so the data is made anew")
            return True
        for name in ("seed", "date"):
            wanted = getattr(self.options, name)
            if kept is not None and wanted not in (None, kept[name]):
                raise Refusal(
                    f"The data in {self.state.folder} was made with {name} {kept[name] or 'left open'}. Add --fresh "
                    "to make it anew, or leave the option out to go on with it."
                )
        return False

    def _seed(self, django: Django) -> None:
        """Make the demo's broker, once per data folder."""
        if read_json(self._seeded) is not None:
            return
        kept = {"seed": self.options.seed or DEFAULT_SEED, "date": self.options.date, "whole": False}
        write_json(self._seeded, kept)
        say(f"making the demo's broker: {' '.join(self.options.arguments())}")
        code = django.manage(self.supervisor, "demo", "seed", *self.options.arguments(), output=sys.stderr)
        if code != 0:
            raise Refusal(f"Making the demo's data failed with exit code {code}; its own words are above.")
        write_json(self._seeded, {**kept, "whole": True})
        say("the demo's data is there")

    def _start_programs(self, django: Django) -> str:
        """Simulators, web, worker; returns the address once the page of health answers."""
        for entry in read_json(self.state.folder / "simulators.json") or []:
            self._start_simulator(django, entry)
        port = free_port(self.options.port)
        if port != self.options.port:
            say(f"port {self.options.port} is taken; using {port}")
        web = self._start_web(django, port)
        self.supervisor.wait_for(web, lambda: healthy(port), seconds=READY_SECONDS)
        say("the pages answer")
        worker = self._start_worker(django)
        self.supervisor.wait_for(worker, lambda: b" ready." in _content(worker.log), seconds=READY_SECONDS)
        say("the worker answers")
        return f"http://127.0.0.1:{port}/"

    def _start_simulator(self, django: Django, entry: dict[str, object]) -> None:
        """One entry of simulators.json: name, argv, env; ready at its first line, or when its "port" answers. Its
        "orders" (name and content each) are what it has to be told then, because it keeps nothing."""
        name, argv, extra = str(entry["name"]), entry["argv"], entry.get("env") or {}
        assert isinstance(argv, list) and isinstance(extra, dict), "simulators.json: argv is a list, env a map"
        command = [str(django.python) if part in ("python", "python3") else str(part) for part in argv[:1]] + argv[1:]
        log = self.state.log(f"simulator-{name}")
        env = {**django.environment(), **{str(key): str(value) for key, value in extra.items()}}
        child = self.supervisor.start(f"simulator {name}", command, env=env, log=log)
        port = entry.get("port")
        self.supervisor.wait_for(
            child,
            (lambda: answers(int(str(port)))) if port else (lambda: b"\n" in _content(log)),
            seconds=READY_SECONDS,
        )
        orders = entry.get("orders") or []
        assert isinstance(orders, list), "simulators.json: orders is a list"
        for order, content in orders:
            tell(int(str(port)), str(order), content)
        say(f"the simulator {name} is up")

    def _start_web(self, django: Django, port: int) -> Child:
        argv: list[str | Path] = [
            *(django.python, "-m", "gunicorn", "backoffice.wsgi:application", "--preload", "--no-control-socket"),
            *("--worker-class", "gthread", "--workers", "2", "--threads", "8"),
            *("--bind", f"127.0.0.1:{port}", "--graceful-timeout", "10", "--access-logfile", "-"),
        ]
        return self.supervisor.start("web", argv, env=django.environment(), log=self.state.log("web"), grace=15)

    def _start_worker(self, django: Django) -> Child:
        """One worker with beat inside; its soft shutdown gives running tasks 20 seconds."""
        schedule = self.state.folder / "celerybeat-schedule"
        argv: list[str | Path] = [
            *(django.python, "-m", "celery", "-A", "backoffice.celery", "worker", "-B", "-s", schedule),
            *("--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
        ]
        return self.supervisor.start("worker", argv, env=django.environment(), log=self.state.log("worker"), grace=30)

    def _blind(self) -> list[str]:
        return ["--without", self.options.without] if self.options.without else []

    def _check(self, django: Django, servers: Servers) -> int:
        say("checking the demo day")
        code = django.manage(self.supervisor, "demo", "check", *self.options.arguments(), *self._blind())
        if code != 0:
            say(f"the check failed with exit code {code}; logs and data are kept in {self.state.folder}")
            return code
        self.supervisor.stop_all()
        servers.wipe()
        say("the check came out right")
        return 0

    def _welcome(self, address: str) -> None:
        people = read_json(self.state.folder / "people.json") or []
        lines = [f"\nThe back office is at {address}\n"]
        if people:
            keys = ("role", "name", "username", "password", "code")
            rows = [["role", "name", "user", "password", "code"]]
            rows += [[str(person.get(key, "")) for key in keys] for person in people]
            widths = [max(len(row[column]) for row in rows) for column in range(len(keys))]
            lines += ["  ".join(["", *map(str.ljust, row, widths)]).rstrip() for row in rows]
            lines.append(
                "\nWith a code: `python3 bo manage demo code USER` prints the six digits a phone would show.\n"
            )
        lines.append(f"Logs are in {self.state.logs}. Ctrl-C stops everything; the data stays.\n")
        sys.stdout.write("\n".join(lines))
        sys.stdout.flush()

    def _stay(self) -> int:
        try:
            child = self.supervisor.watch()
        except Stopped:
            say(f"stopping ({signal.Signals(self.supervisor.asked or 0).name})")
            return 0
        note(tail(child.log) if child.log else "")
        raise Refusal(f"{child.describe_end()} Everything else is being stopped. Its log is {child.log}")


def _content(log: Path | None) -> bytes:
    try:
        return log.read_bytes() if log else b""
    except FileNotFoundError:
        return b""


def free_port(wanted: int) -> int:
    """The wanted port of loopback, or the next one that nobody listens on."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except PermissionError:
                raise Refusal(f"Port {port} is reserved for root. Choose one above 1023 with --port.") from None
            except OSError:
                continue
            return port
    raise Refusal(f"The {PORTS_TRIED} ports from {wanted} on are all taken. Choose another with --port.")


def answers(port: int) -> bool:
    """Whether something accepts connections on this port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def tell(port: int, order: str, content: object) -> None:
    """Give a simulator an order of its control interface; asked without any proxy."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("POST", f"/sim/{order}", json.dumps(content), {"Content-Type": "application/json"})
        reply = link.getresponse()
        if reply.status != http.client.OK:
            raise Refusal(f"The simulator on port {port} refused {order}: {reply.read().decode(errors='replace')}")
    finally:
        link.close()


def healthy(port: int) -> bool:
    """Whether the page of health says 200; asked without any proxy."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        link.request("GET", "/healthz")
        return link.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()
