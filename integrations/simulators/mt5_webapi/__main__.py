"""Run the simulator:

python -m integrations.simulators.mt5_webapi --db FILE --port N --manager-login L --password-env NAME

Prints one line when it listens and ends cleanly on SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from integrations.simulators.mt5_webapi.server import Simulator


def main() -> int:
    parser = argparse.ArgumentParser(prog="mt5_webapi", description="MT5 Web API simulator on 127.0.0.1")
    parser.add_argument("--db", required=True, help="SQLite file that keeps its state; made when absent")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--manager-login", required=True)
    parser.add_argument("--password-env", required=True, help="environment variable that holds the manager's password")
    options = parser.parse_args()
    password = os.environ.get(options.password_env, "")
    if not password:
        parser.error(f"the environment variable {options.password_env} is empty")
    done = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda _number, _frame: done.set())
    simulator = Simulator(options.db, manager_login=options.manager_login, password=password, port=options.port).start()
    sys.stdout.write(f"listening on {simulator.url} as manager {options.manager_login}\n")
    sys.stdout.flush()
    done.wait()
    simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
