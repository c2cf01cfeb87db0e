"""What every reader of webhooks shares: JSON that keeps numbers as they were sent, amounts, moments, signatures.

Nothing is unpacked, guessed or repaired here: a body that two programs could read differently (a key twice, no UTF-8,
compressed) is refused as a whole, because its signature may have been made over the other reading.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from backoffice.kernel.currencies import KNOWN
from integrations.hints import PspEvent
from integrations.ports import Answer, Incoming, Mismatch, Setting, Unsigned
from integrations.records import Unreadable

_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,18}", re.ASCII)
_UNIX = re.compile(r"\d{1,11}", re.ASCII)
_BIGGEST = Decimal(10) ** 18
# ISO 4217 minor units that are not two, for currencies beyond those the house keeps.
_EXPONENTS = {
    **{code: exponent for code, (_, exponent) in KNOWN.items()},
    **dict.fromkeys(("BIF", "DJF", "GNF", "ISK", "KMF", "PYG", "RWF", "UGX", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("IQD", "LYD"), 3),
}


class Number(str):
    """A JSON number exactly as it was sent: 1.0 stays 1.0."""

    __slots__ = ()


class Reader:
    """What most providers have in common; each says what differs."""

    name: str = ""
    title: str = ""
    settings: Sequence[Setting] = (Setting("secret", "Signing secret", secret=True),)

    def check(
        self, incoming: Incoming, *, settings: Mapping[str, str], secrets: Mapping[str, str], now: datetime
    ) -> None:
        """Nothing, if the message is the provider's own; else raises NotGenuine or Unreadable."""
        raise AssertionError(f"{self.name} checks no signature")

    def read(self, incoming: Incoming, *, settings: Mapping[str, str]) -> Sequence[PspEvent]:
        """The events of a message, at least one. Raises Unreadable."""
        raise AssertionError(f"{self.name} reads nothing")

    def asks(self, incoming: Incoming) -> bool:
        """Whether the provider wants to know if it may go on, before anything has happened."""
        return False

    def answer(self, *, objection: str | None, secrets: Mapping[str, str], now: datetime) -> Answer:
        """What the provider wants to hear. `objection` is None for a message that was taken."""
        return Answer(200, b"ok\n") if objection is None else Answer(401, b"refused\n")

    def problem(self, secrets: Mapping[str, str]) -> str:
        """Why these secrets cannot be right; empty when they can."""
        return ""


def document(body: bytes) -> dict[str, Any]:
    """A JSON object with numbers as `Number`. Raises Unreadable with the reason."""
    if body[:2] == b"\x1f\x8b":
        raise Unreadable("the body is compressed; nothing that comes from outside is unpacked here")
    try:
        found = json.loads(
            body.decode(), parse_int=Number, parse_float=Number, parse_constant=_constant, object_pairs_hook=_object
        )
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise Unreadable("the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"the body is not JSON: {error.msg}, character {error.pos}") from error
    if not isinstance(found, dict):
        raise Unreadable("the body is no JSON object")
    return found


def _constant(name: str) -> None:
    raise Unreadable(f"{name} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise Unreadable(f"the key {twice[:60]!r} stands twice in an object")
    return found


def at(found: Any, path: str) -> Any:
    """What stands at a dotted path, or None; a whole number in it is a place in a list."""
    for name in path.split("."):
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def text(found: Any, *paths: str) -> str:
    """The first of the paths that has a text, number or truth, as text; empty where none has."""
    for path in paths:
        value = at(found, path)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str) and value:
            return str(value)
    return ""


def details(found: Any, **paths: str) -> dict[str, str]:
    """Those of the paths that have something, by name."""
    pairs = {name: text(found, path) for name, path in paths.items()}
    return {name: value for name, value in pairs.items() if value}


def major(number: str) -> Decimal | None:
    """An amount in major units; None where it is no number that we would book."""
    if not _NUMBER.fullmatch(number):
        return None
    value = Decimal(number)
    return Decimal(format(value, "f")) if abs(value) < _BIGGEST else None


def minor(number: str, currency: str, own: Mapping[str, int] | None = None) -> Decimal | None:
    """An amount that came in minor units. `own` are the exponents in which the provider departs from ISO 4217."""
    if not _WHOLE.fullmatch(number):
        return None
    exponent = (own or {}).get(currency, _EXPONENTS.get(currency, 2))
    return Decimal(number).scaleb(-exponent)


def unix(seconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if _UNIX.fullmatch(seconds) else None


def moment(iso: str) -> datetime | None:
    """An ISO 8601 moment with its offset, in UTC; None where the offset is missing."""
    try:
        found = datetime.fromisoformat(iso)
        return found.astimezone(UTC) if found.utcoffset() is not None else None
    except (ValueError, OverflowError):
        return None


def mac(key: bytes, message: bytes, algorithm: str = "sha256", *, encoding: str = "hex") -> str:
    """An HMAC in the text form providers send: hex in small letters, or base64."""
    found = hmac.new(key, message, algorithm)
    return base64.b64encode(found.digest()).decode() if encoding == "base64" else found.hexdigest()


def encoded(message: str) -> bytes:
    """UTF-8; half a surrogate pair, which JSON can spell, has no other form and fits no signature."""
    return message.encode(errors="surrogatepass")


def require_same(given: Sequence[str], made: Sequence[str], *, where: str) -> None:
    """One of the given signatures is one of those we made. Raises Unsigned or Mismatch; takes the same time
    wherever two differ."""
    if not any(given):
        raise Unsigned(f"{where} is missing")
    fits = [hmac.compare_digest(encoded(one), encoded(other)) for one in given for other in made]
    if not any(fits):
        raise Mismatch(f"{where} does not fit the body and the secret")


def body_id(body: bytes) -> str:
    """The identity of an event to which its provider gives none."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
