"""Time, memory and the table of results."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# A figure of ours and of each reference, taken in turns: what else the machine does hits all of them.
Contender = Callable[[], float]


def in_turns(contenders: Sequence[Contender], *, rounds: int) -> list[list[float]]:
    """Every contender once per round, the order rotating; the seconds of each."""
    taken: list[list[float]] = [[] for _ in contenders]
    for turn in range(rounds):
        for place in range(len(contenders)):
            which = (turn + place) % len(contenders)
            taken[which].append(contenders[which]())
    return taken


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


@dataclass
class Peak:
    """The most memory seen, in MB: of this process, and of the database's process beside its shared buffers."""

    client: float = 0
    server: float = 0

    def __str__(self) -> str:
        return f"{self.client:.0f} + {self.server:.0f} MB" if self.server else f"{self.client:.0f} MB"


@contextmanager
def peak(backend: int | None = None) -> Iterator[Peak]:
    """Watch memory while the block runs, every 20 ms. What the process held before it counts too."""
    seen, over = Peak(), threading.Event()

    def look() -> None:
        seen.client = max(seen.client, _status("self", "VmRSS"))
        if backend:
            seen.server = max(seen.server, _status(str(backend), "RssAnon"))

    def watch() -> None:
        while not over.wait(0.02):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    look()
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
        look()


def _status(process: str, name: str) -> float:
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0


@dataclass
class Table:
    """Rows of a results table, printed as Markdown."""

    columns: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        assert len(cells) == len(self.columns), "a cell for every column"
        self.rows.append(tuple(map(str, cells)))

    def __str__(self) -> str:
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return text + "\n" + "".join(f"\n{note}\n" for note in self.notes)


def against(ours: float, reference: float, aim: float, *, most: bool = False) -> tuple[str, str]:
    """Our figure over the reference's, and whether the aim is met (`most`: the aim is a ceiling)."""
    ratio = ours / reference
    met = ratio <= aim if most else ratio >= aim
    return f"{ratio:.2f}", f"{'≤' if most else '≥'} {aim:g}: {'met' if met else '**missed**'}"
