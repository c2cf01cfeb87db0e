"""Webhooks of a simulated PSP: kept until they are delivered, in order or not, once or more often."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from integrations.simulators.psp.book import BadRequest
from integrations.simulators.psp.protocol import Event

_TIMEOUT = 10


class Hooks:
    """The queue of events. Nothing is sent before `deliver`; what is not taken (no 2xx) stays in the queue."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self.sent: list[Event] = []
        self.url = ""

    def add(self, event: Event) -> None:
        with self._lock:
            self._waiting.append(event)

    @property
    def waiting(self) -> int:
        with self._lock:
            return len(self._waiting)

    def deliver(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send what waits: url (kept for the next time), duplicates (how often each, default 1), order ("forward",
        "backward" or "shuffled" with `seed`), hold (how many of the newest stay for later), again (sent ones too)."""
        self.url = str(request.get("url", self.url))
        if urlsplit(self.url).hostname not in {"127.0.0.1", "localhost"}:
            raise BadRequest("url: webhooks are delivered to this machine only.")
        with self._lock:
            hold = int(request.get("hold", 0))
            batch = self._waiting[: len(self._waiting) - hold]
            self._waiting = self._waiting[len(batch) :]
            known = list(self.sent) if request.get("again") else []
        batch = [event for event in known + batch for _ in range(int(request.get("duplicates", 1)))]
        if request.get("order") == "backward":
            batch.reverse()
        elif request.get("order") == "shuffled":
            random.Random(int(request["seed"])).shuffle(batch)  # noqa: S311 - chance that can be repeated
        refused = [event for event in batch if not _taken(self.url, event)]
        with self._lock:
            self.sent += [event for event in dict.fromkeys(batch) if event not in refused and event not in self.sent]
            self._waiting = [*dict.fromkeys(refused), *self._waiting]
        return {"sent": len(batch) - len(refused), "refused": len(refused), "waiting": self.waiting}


def _taken(url: str, event: Event) -> bool:
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_TIMEOUT)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        link.request("POST", target, body=event.body, headers={"Content-Type": "application/json", **event.headers})
        return 200 <= link.getresponse().status < 300
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()
