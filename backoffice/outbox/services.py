"""Enqueue in the use case's transaction; send outside of any.

    enqueue -> QUEUED -> SENDING -> DONE | REFUSED | UNKNOWN
                  ^________________________________|  (only when asking shows that it did not happen)

The state SENDING is committed before the call, so a worker killed at any line leaves a row that says so;
`recover` turns such a row into UNKNOWN, and UNKNOWN is asked about.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from backoffice.kernel import clock, jobs, locking
from backoffice.kernel.errors import DomainError
from backoffice.kernel.plain import plain
from backoffice.outbox.models import Message, State
from backoffice.outbox.registry import Outcome, kinds, sender_for

log = logging.getLogger(__name__)
WAKE = "outbox.send_due"
# A sender's own time limit is far below this; a row SENDING for longer belongs to a dead worker.
LOST_AFTER = timedelta(minutes=5)
BACKOFF = (5, 30, 120, 600, 3600)
ATTEMPTS_BEFORE_A_PERSON = len(BACKOFF)


class KeyReused(DomainError):
    """The key already names a message with other content."""


def enqueue(*, kind: str, key: str, payload: Mapping[str, Any]) -> Message:
    """Promise an outside effect. The same key with the same payload is the same promise."""
    locking.require_transaction()
    assert kind in kinds(), f"nobody sends {kind}"
    now = clock.now()
    content = plain(dict(payload))
    message, created = Message.objects.get_or_create(
        key=key, defaults={"kind": kind, "payload": content, "created_at": now, "due_at": now}
    )
    if not created and (message.kind, message.payload) != (kind, content):
        raise KeyReused(f"The message {key} was already queued with other content.")
    if created:
        jobs.after_commit(WAKE)
    return message


def send_due(*, limit: int = 100) -> int:
    """Keep due promises, one by one. Returns how many were worked on. Safe to run in parallel."""
    recover()
    done = 0
    while done < limit and (message := _take()) is not None:
        _work(message)
        done += 1
    return done


def recover() -> int:
    """Rows that a dead worker left in SENDING: their outcome is unknown."""
    now = clock.now()
    return Message.objects.filter(state=State.SENDING, taken_at__lt=now - LOST_AFTER).update(
        state=State.UNKNOWN, due_at=now, error="The worker that sent this did not come back."
    )


def hurry(*, keys: Sequence[str]) -> int:
    """Have waiting messages worked on now instead of when their pause is over. Returns how many wait."""
    locking.require_transaction()
    waiting = Message.objects.filter(key__in=keys, state__in=[State.QUEUED, State.UNKNOWN])
    # A row that somebody holds is being worked on already; waiting for it could deadlock with its outcome.
    free = [row.pk for row in waiting.select_for_update(skip_locked=True).only("pk")]
    if free:
        Message.objects.filter(pk__in=free).update(due_at=clock.now())
        jobs.after_commit(WAKE)
    return len(free)


def retry(*, key: str) -> Message:
    """Have a message worked on again now because a person says so: one that waits, or one that was refused.

    It stays the same promise with the same key. One of unknown outcome is asked about first, as always.
    """
    locking.require_transaction()
    message = Message.objects.select_for_update().get(key=key)
    if message.state not in {State.QUEUED, State.UNKNOWN, State.REFUSED}:
        raise DomainError(f"It is {message.get_state_display()}: there is nothing to retry.")
    if message.state == State.REFUSED:
        message.state, message.finished_at = State.QUEUED, None
    message.due_at = clock.now()
    message.save(update_fields=["state", "finished_at", "due_at"])
    jobs.after_commit(WAKE)
    return message


@transaction.atomic(durable=True)
def _take() -> Message | None:
    now = clock.now()
    message = (
        Message.objects.select_for_update(skip_locked=True)
        .filter(state__in=[State.QUEUED, State.UNKNOWN], due_at__lte=now)
        .order_by("due_at", "id")
        .first()
    )
    if message is None:
        return None
    # The attempt is counted before the call: a message that kills its worker cannot do so for ever.
    message.attempts += 1
    message.taken_at = now
    message.due_at = now + timedelta(seconds=BACKOFF[min(message.attempts, len(BACKOFF)) - 1])
    asking = message.state == State.UNKNOWN
    message.state = State.UNKNOWN if asking else State.SENDING
    message.save(update_fields=["attempts", "taken_at", "due_at", "state"])
    return message


def _work(message: Message) -> None:
    asking = message.state == State.UNKNOWN
    if message.kind not in kinds():
        # Left by a version that could: nothing was sent, and it must not stop the messages behind it.
        log.error("outbox %s: nobody sends %s here", message.key, message.kind)
        state = State.UNKNOWN if asking else State.QUEUED
        _finish(message, Outcome(state, error=f"Nobody sends {message.kind} here."))
        return
    sender = sender_for(message.kind)
    call = sender.ask if asking else sender.send
    try:
        _finish(message, call(key=message.key, payload=message.payload))
    except Exception as error:
        log.exception("outbox %s %s", message.kind, message.key)
        _finish(message, Outcome(State.UNKNOWN, error=f"{type(error).__name__}: {error}"[:500]))


@transaction.atomic
def _finish(message: Message, outcome: Outcome) -> None:
    ended = outcome.state in {State.DONE, State.REFUSED}
    changed = Message.objects.filter(pk=message.pk, state=message.state, attempts=message.attempts).update(
        state=outcome.state,
        answer=plain(dict(outcome.answer)),
        error=outcome.error,
        finished_at=clock.now() if ended else None,
    )
    if not changed:
        log.warning("outbox %s was taken over while it was being sent", message.key)
    elif outcome.then is not None:
        outcome.then()
