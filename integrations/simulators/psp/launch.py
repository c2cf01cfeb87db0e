"""Running a simulated PSP as a program: one line when it listens, a clean end on SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable

from integrations.simulators.psp.protocol import PspProtocol
from integrations.simulators.psp.server import Simulator


def main(name: str, make: Callable[[str], PspProtocol]) -> int:
    """`make` gives the PSP for a secret, which is in the environment and not among the arguments."""
    parser = argparse.ArgumentParser(prog=name, description=f"{name} simulator on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--secret-env", required=True, help="environment variable that holds the secret")
    options = parser.parse_args()
    secret = os.environ.get(options.secret_env, "")
    if not secret:
        parser.error(f"the environment variable {options.secret_env} is empty")
    done = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda _number, _frame: done.set())
    simulator = Simulator(make(secret), port=options.port).start()
    sys.stdout.write(f"listening on {simulator.url}\n")
    sys.stdout.flush()
    done.wait()
    simulator.stop()
    return 0
