"""Run benchmarks by name, each in a process and a database of its own: `python3 bo bench [NAME...] [--small]`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

NAMES = {
    "ledger-batch": "benchmarks.ledger_batch",
    "ledger-single": "benchmarks.ledger_single",
    "ingest": "benchmarks.ingest",
    "recon": "benchmarks.recon",
    "cash": "benchmarks.cash",
    "list": "benchmarks.listing",
    "clients": "benchmarks.clients",
    "sealing": "benchmarks.sealing",
    "webhook": "benchmarks.webhook",
}


def main(arguments: list[str]) -> int:
    small = "--small" in arguments
    names = [name for name in arguments if name != "--small"] or list(NAMES)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    machine = f"{os.cpu_count()} cores ({_processor()}), {_memory()}, Python {platform.python_version()}"
    said = ", SMALL: figures mean nothing" if small else ""
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine}{said}\n", flush=True)
    failed = 0
    for name in names:
        flags = ["--small"] if small else []
        failed |= subprocess.run([sys.executable, "-m", "benchmarks.one", name, *flags], check=False).returncode
    return int(failed != 0)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
