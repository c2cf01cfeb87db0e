"""What the payout interfaces of PSPs have in common: JSON over HTTPS, and what an answer to an order proves.

An order is sent once, on a connection of its own. Before anything has left, a failure is a plain ServerError; from
then on only a whole answer with a status that says so proves that nothing was paid. Every number in an answer is text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic as system_monotonic
from typing import Any

from integrations.adapters.failures import BadAnswer, BadSetting, ConnectionLost, TookTooLong, TooMuch
from integrations.adapters.transport import Address, Reply, Transport, parse_address, tls_context
from integrations.ports import OutcomeUnknown, ServerError, Setting

MAX_ANSWER_BYTES = 8 * 1024 * 1024
# The request was not taken, and the same request may be taken later: keys that are not accepted, too many requests.
_NOT_NOW = frozenset({401, 403, 429})
# The request may have had its effect: it is still under way, or it came a second time.
_UNDER_WAY = frozenset({408, 409, 425})

SETTINGS: tuple[Setting, ...] = (
    Setting("base_url", "Address", "https://host of the PSP's interface; plain http to this machine only."),
    Setting("ca_file", "Certificate authority", "PEM file, where the PSP has its own authority.", False),
    Setting("timeout_seconds", "Time limit", "Seconds an answer may take.", False, default="30"),
    Setting(
        "listed_after_minutes",
        "Listed after",
        "Minutes after which the PSP's list of payments surely holds a payment.",
        False,
        default="5",
    ),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer: HTTP status and the decoded object."""

    status: int
    data: Mapping[str, Any]


class Http:
    """Calls of one PSP. Not for use by several threads."""

    def __init__(
        self,
        address: Address,
        *,
        ca_file: str = "",
        timeout_seconds: float = 30.0,
        monotonic: Callable[[], float] = system_monotonic,
    ) -> None:
        tls = tls_context(ca_file) if address.encrypted else None
        self._transport = Transport(address, tls=tls, max_bytes=MAX_ANSWER_BYTES, monotonic=monotonic)
        self._timeout = timeout_seconds
        self._monotonic = monotonic

    def read(self, target: str, *, headers: Mapping[str, str], what: str, body: bytes | None = None) -> Answer:
        """Ask something that has no effect. Raises ServerError unless the answer is 2xx."""
        deadline = self._monotonic() + self._timeout
        self._transport.open(deadline=deadline)
        reply = self._transport.exchange(target, headers=headers, deadline=deadline, what=what, body=body)
        if not 200 <= reply.status < 300:
            retry = reply.status >= 500 or reply.status in _NOT_NOW
            raise ServerError(f"{what}: {_said(reply)}", retry=retry, retcode=reply.status)
        return Answer(reply.status, _decode(what, reply.body))

    def order(self, target: str, *, headers: Mapping[str, str], what: str, body: bytes) -> Answer:
        """Order something that has an effect, once. Raises ServerError when it certainly has none, else
        OutcomeUnknown; returns the answer of a success."""
        deadline = self._monotonic() + self._timeout
        self._transport.open(deadline=deadline)
        try:
            reply = self._transport.exchange(target, headers=headers, deadline=deadline, what=what, body=body)
            if reply.status >= 500 or reply.status in _UNDER_WAY or reply.status < 200:
                raise BadAnswer(f"{what}: {_said(reply)}")
            if 200 <= reply.status < 300:
                return Answer(reply.status, _decode(what, reply.body))
        except (ConnectionLost, TookTooLong, TooMuch, BadAnswer) as error:
            raise OutcomeUnknown(f"{error} It may have been paid: it is looked up first.") from error
        raise ServerError(f"{what}: {_said(reply)}", retry=reply.status in _NOT_NOW, retcode=reply.status)

    def close(self) -> None:
        self._transport.close()


def http_of(settings: Mapping[str, str]) -> Http:
    """The calls of a connection with these settings. Raises BadSetting."""
    timeout = settings.get("timeout_seconds") or "30"
    if not re.fullmatch(r"\d{1,3}", timeout) or not 1 <= int(timeout) <= 600:
        raise BadSetting("timeout_seconds: write a whole number from 1 to 600.")
    address = parse_address(settings.get("base_url", ""))
    return Http(address, ca_file=settings.get("ca_file", ""), timeout_seconds=float(timeout))


def encoded(body: Mapping[str, Any]) -> bytes:
    """The bytes of a JSON body; a signature is made over exactly these."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def text(data: Mapping[str, Any], name: str) -> str:
    """A field as text; empty where it is absent or null."""
    value = data.get(name)
    return "" if value is None else str(value)


def _decode(what: str, body: bytes) -> Mapping[str, Any]:
    try:
        data = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{what}: the answer of {len(body)} bytes is cut off or not JSON.") from error
    if not isinstance(data, dict):
        raise BadAnswer(f"{what}: the answer is not a JSON object.")
    return data


def _said(reply: Reply) -> str:
    """What an answer says of a failure, short: the names of errors and no echo of what was sent."""
    try:
        data = json.loads(reply.body)
    except (ValueError, RecursionError):
        data = {}
    words: list[str] = []
    if isinstance(data, dict):
        for name in ("error_type", "error_codes", "errors", "error", "message"):
            value = data.get(name)
            if isinstance(value, str):
                words.append(value)
            elif isinstance(value, list):
                words += [item for item in value if isinstance(item, str)]
            elif isinstance(value, dict):
                words += [f"{field} {said}" for field, said in value.items()]
    return f"HTTP {reply.status}" + (f" ({', '.join(words)[:200]})." if words else ".")
