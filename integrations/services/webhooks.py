"""Webhooks in: judged over the bytes as they came, stored first, answered after.

One that is verified is stored once, whatever its provider sends again; then its readers are woken. One that is not is
kept as well, so that a wrong secret can be understood, but only so many of a connection in an hour: what goes beyond
is counted and dropped, or anybody who learns the address could fill the disk.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection as database
from django.db import transaction

from backoffice.kernel import clock, jobs, locking
from backoffice.kernel.locking import Lock
from integrations import ports, registry
from integrations.hints import PspEvent, PspEventKind
from integrations.models import Verdict
from integrations.models.columns import storable
from integrations.ports import Answer, Incoming
from integrations.records import Unreadable
from integrations.selectors.webhooks import known_event, same_hint
from integrations.services import doors
from integrations.services.doors import Door

SIZE_LIMIT = 1024 * 1024
# Refused webhooks kept per connection and hour, and their bytes together.
REFUSED_PER_HOUR = 500
REFUSED_BYTES_PER_HOUR = 20 * 1024 * 1024
# Never stored: what would let somebody in.
_NEVER_KEPT = frozenset({"authorization", "proxy-authorization", "cookie"})
_HEADERS_MAX, _HEADER_MAX, _ID_MAX, _TEXT_MAX = 60, 1000, 300, 500
# The first webhook has its readers woken so much later; that wake-up is for all that this process stores until then.
_WAKE_SECONDS = 0.5
_COLUMNS = (
    "entity_id", "connection_id", "provider", "item", "event_id", "verdict", "why", "kind", "status", "psp_reference",
    "original_reference", "merchant_reference", "amount", "currency", "received_at", "sha256", "size", "headers",
    "body",
)  # fmt: skip
_PLACES = f"({', '.join(['%s'] * len(_COLUMNS))})"
_NAMES = ", ".join(_COLUMNS)
# Texts and NULL in a list of values are text.
_TYPED = _NAMES.replace("amount", "amount::numeric").replace("headers", "headers::jsonb")
_STORE = f"INSERT INTO integrations_webhook ({_NAMES})"
_ONCE = "ON CONFLICT DO NOTHING RETURNING item"
# One statement and one commit: the door is asked in the moment in which what came through it is stored.
_SELECT = f"SELECT {_TYPED} FROM (VALUES {{rows}}) AS m ({_NAMES}) WHERE {doors.IS_STILL}"  # noqa: S608 - names of ours
_TAKE = f"{_STORE} {_SELECT} {_ONCE}"
_REFUSE = f"{_STORE} VALUES {_PLACES} {_ONCE}"
_TRIES = 3
_MEASURE = """
SELECT count(*), coalesce(sum(size), 0) FROM integrations_webhook
 WHERE connection_id = %s AND verdict <> 'VERIFIED' AND received_at > %s
"""
_DROPPED = """
INSERT INTO integrations_webhookoverflow AS o (connection_id, hour, dropped, bytes, last_at)
VALUES (%s, date_trunc('hour', %s, 'UTC'), 1, %s, %s)
ON CONFLICT (connection_id, hour) DO UPDATE
   SET dropped = o.dropped + 1, bytes = o.bytes + excluded.bytes, last_at = excluded.last_at
"""
_woken = {"at": 0.0}


@dataclass(frozen=True, slots=True)
class Judged:
    """What we think of a message. `genuine`: its provider signed it, whether we can read it or not."""

    verdict: Verdict
    why: str
    secrets: Mapping[str, str] = field(repr=False)
    events: Sequence[PspEvent] = ()
    genuine: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message at a door, at a moment."""

    door: Door
    incoming: Incoming
    at: datetime


def receive(*, door: Door, incoming: Incoming) -> Answer | None:
    """Store a webhook and say what its provider is to be told; None: the door is no longer open.

    Outside any transaction: each statement commits. A door that turns out to be another than it was is read again.
    """
    at, token = clock.now(), door.token
    for _ in range(_TRIES):
        answer = _take(Arrival(door, incoming, at))
        if answer is not None:
            return answer
        found = doors.read(token)
        if found is None:
            return None
        door = found
    return Answer(503, b"later\n")


def _take(arrival: Arrival) -> Answer | None:
    """None: the door has to be looked at again."""
    door, incoming = arrival.door, arrival.incoming
    reader = registry.WEBHOOKS[door.provider]
    judged = judge(door=door, incoming=incoming, now=arrival.at)
    objection: str | None = None
    if judged.verdict is Verdict.VERIFIED:
        new = _keep_verified(arrival, judged.events)
        if new is None:
            return None
        if new:
            _wake()
        if reader.asks(incoming):
            objection = registry.objection_to(door.connection_id, judged.events[0]) or None
    elif door.kept:
        return None
    else:
        kept = _keep_refused(arrival, judged.verdict, judged.why, _nothing(incoming), 0)
        if judged.genuine and not kept:
            return Answer(503, b"later\n")
        # What its provider signed and we cannot read would be no more readable if it were sent again.
        objection = None if judged.genuine else "refused"
    return reader.answer(objection=objection, secrets=judged.secrets, now=arrival.at)


def judge(*, door: Door, incoming: Incoming, now: datetime) -> Judged:
    """Check the signature with the current secrets, then with those before them while they still count."""
    reader = registry.WEBHOOKS[door.provider]
    verdict, why = Verdict.UNSIGNED, ""
    valid = door.valid(now)
    for values in valid:
        try:
            reader.check(incoming, settings=door.settings, secrets=values, now=now)
        except Unreadable as error:
            return Judged(Verdict.UNREADABLE, str(error), values)
        except ports.NotGenuine as error:
            # The first secret's word counts, unless a later one fits and only the time is wrong.
            if not why or isinstance(error, ports.OutOfWindow):
                verdict, why = _VERDICTS[type(error)], str(error)
            continue
        try:
            events = reader.read(incoming, settings=door.settings)
            return Judged(Verdict.VERIFIED, "", values, events, genuine=True)
        except Unreadable as error:
            return Judged(Verdict.UNREADABLE, str(error), values, genuine=True)
    return Judged(verdict, why, valid[0])


_VERDICTS: dict[type[ports.NotGenuine], Verdict] = {
    ports.Unsigned: Verdict.UNSIGNED,
    ports.Mismatch: Verdict.MISMATCH,
    ports.OutOfWindow: Verdict.OUT_OF_WINDOW,
}


def _keep_verified(arrival: Arrival, events: Sequence[PspEvent]) -> int | None:
    """Store every event that is not known; returns how many were new, None when the door is no longer what it was.
    One statement, which may run twice, unless something was known."""
    rows = [_row(arrival, Verdict.VERIFIED, "", event, item) for item, event in enumerate(events)]
    values = [*(value for row in rows for value in row), *arrival.door.row]
    stored = {item for (item,) in doors.first(_TAKE.format(rows=", ".join([_PLACES] * len(rows))), values)}
    if not stored and not doors.is_still(arrival.door):
        return None
    known = [_compare(arrival, event, item) for item, event in enumerate(events) if item not in stored]
    return len(stored) if all(known) else None


def _compare(arrival: Arrival, event: PspEvent, item: int) -> bool:
    """An event that is known already: the same again adds nothing, other content is kept for a person to see. False
    if it is not known after all."""
    first = known_event(arrival.door.entity_id, arrival.door.connection_id, _identity(event.event_id))
    said = (event.currency, event.psp_reference, event.merchant_reference)
    if first is None:
        return False
    if not same_hint(first, event, _kept(*said)):
        why = f"webhook {first.id} says something else of this event"
        _keep_refused(arrival, Verdict.DIFFERS, why, event, item)
    return True


def _keep_refused(arrival: Arrival, verdict: Verdict, why: str, event: PspEvent, item: int) -> bool:
    """Store one that nobody reads, as long as there is room for it this hour; else count it. One at a time."""
    connection_id, size = arrival.door.connection_id, len(arrival.incoming.body)
    with transaction.atomic():
        locking.advisory(Lock.WEBHOOKS_REFUSED, connection_id)
        with database.cursor() as cursor:
            cursor.execute(_MEASURE, [connection_id, arrival.at - timedelta(hours=1)])
            count, bytes_kept = cursor.fetchone()
            if count >= REFUSED_PER_HOUR or bytes_kept + size > REFUSED_BYTES_PER_HOUR:
                cursor.execute(_DROPPED, [connection_id, arrival.at, size, arrival.at])
                return False
            cursor.execute(_REFUSE, _row(arrival, verdict, why, event, item))
    return True


def _row(arrival: Arrival, verdict: Verdict, why: str, event: PspEvent, item: int) -> list[Any]:
    door, incoming = arrival.door, arrival.incoming
    said = (event.status, event.psp_reference, event.original_reference, event.merchant_reference)
    why, status, psp, original, ours, currency = _kept(why, *said, event.currency)
    body = incoming.body
    return [
        *(door.entity_id, door.connection_id, door.provider, item, _identity(event.event_id)),
        *(verdict.value, why, event.kind.value, status, psp, original, ours, event.amount, currency, arrival.at),
        *(hashlib.sha256(body).digest(), len(body), json.dumps(_headers(incoming.headers)), body),
    ]


def _identity(event_id: str) -> str:
    """An event's identity as the index keeps it: a long one by its hash."""
    (text,) = storable([event_id])
    if len(text) <= _ID_MAX:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _kept(*texts: str) -> tuple[str, ...]:
    """Texts as columns hold them; the bytes have them whole."""
    return storable([_short(text) for text in texts])


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_MAX else f"{text[: _TEXT_MAX - 1]}…"


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    names = sorted(headers)[:_HEADERS_MAX]
    pairs = {n: "(not kept)" if n in _NEVER_KEPT else headers[n][:_HEADER_MAX] for n in names}
    return dict(zip(storable(list(pairs)), storable(list(pairs.values())), strict=True))


def _nothing(incoming: Incoming) -> PspEvent:
    """Of a message that we do not believe or understand, nothing is believed: only that it came."""
    return PspEvent(event_id=f"sha256:{hashlib.sha256(incoming.body).hexdigest()}", kind=PspEventKind.OTHER)


def _wake() -> None:
    now = time.monotonic()
    if now - _woken["at"] < _WAKE_SECONDS:
        return
    _woken["at"] = now
    for task in registry.readers_of_webhooks():
        jobs.after_a_while(task, seconds=_WAKE_SECONDS)
