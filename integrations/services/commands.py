"""Commands to trade servers: what a login should be able to do, as a promise in the outbox.

A command names only what is to be so. It is carried out by looking first, changing what differs, and reading back;
it is done only when the reading agrees. One whose answer was lost is looked up before anything is sent again. The
commands of a login are carried out one at a time, in order; an older one that was not begun gives way to a newer one
that names all it named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, System
from backoffice.kernel.errors import DomainError
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message, State
from backoffice.outbox.registry import Outcome
from integrations import registry
from integrations.models import Connection, ServerCommand, ServerUser
from integrations.models.users import OPEN
from integrations.ports import OutcomeUnknown, ServerError, TradeServer
from integrations.records import User, UserState
from integrations.services.connections import open_server
from integrations.services.users import keep_users

KIND = "server.user"
_SENDER = System("server commands")
_LONGEST_ERROR = 500


class CannotRetry(DomainError):
    """The command is done, under way, or overtaken by a newer one."""


@transaction.atomic
def push_user(*, actor: Actor, connection_id: int, login: int, wanted: UserState, key: str) -> Message:
    """Promise to bring a login at a trade server to what is wanted. The same key is the same promise.

    Fields of `wanted` that are None are left as the server has them. Who listens at registry.on_confirmed is told
    when the server has confirmed.
    """
    named = wanted.named
    assert named and login > 0, "a command asks something of a login"
    connection = Connection.objects.get(pk=connection_id)
    payload = {"connection": connection_id, "login": login, "wanted": named}
    message = outbox.enqueue(kind=KIND, key=key, payload=payload)
    command, is_new = ServerCommand.objects.get_or_create(
        message=message,
        defaults={
            "entity_id": connection.entity_id,
            "connection": connection,
            "login": login,
            "wanted": named,
            "asked_at": clock.now(),
        },
    )
    if is_new:
        # Those before it that have not begun find now that they are overtaken.
        outbox.hurry(keys=_open_keys(command))
        audit.record(
            actor=actor,
            action="server.command_asked",
            target=command,
            data={"connection": connection.name, "login": login, "wanted": named},
        )
    return message


@transaction.atomic
def retry(*, actor: Actor, command_ids: Sequence[int]) -> int:
    """Have commands that wait, or that the server refused, tried now; all of them or none."""
    for command in ServerCommand.objects.filter(pk__in=command_ids).select_related("message").order_by("pk"):
        if command.message.state in {State.DONE, State.SENDING}:
            state = command.message.get_state_display()
            raise CannotRetry(f"Command {command.pk} is {state}: there is nothing to retry.")
        if command.is_superseded:
            raise CannotRetry(f"Command {command.pk} gave way to a newer one of login {command.login}. Look there.")
        newer = _of_login(command).filter(pk__gt=command.pk).order_by("-pk").first()
        if command.message.state == State.REFUSED and newer is not None:
            raise CannotRetry(f"Command {newer.pk} of login {command.login} is newer than {command.pk}. Look there.")
        outbox.retry(key=command.message.key)
        audit.record(actor=actor, action="server.command_retried", target=command, data={"login": command.login})
    return len(command_ids)


@transaction.atomic
def server_is_back(*, connection: Connection) -> int:
    """Have the commands that waited for a server tried now. Called when it answers again; returns how many."""
    waiting = ServerCommand.objects.filter(connection=connection, message__state__in=[State.QUEUED, State.UNKNOWN])
    return outbox.hurry(keys=list(waiting.values_list("message__key", flat=True)))


class UserSender:
    """Carries out commands. Runs outside any transaction; each call opens a session of its own."""

    def send(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Look, change what differs, read back."""
        return _carry_out(key, waiting=State.QUEUED, work=_change)

    def ask(self, *, key: str, payload: Mapping[str, Any]) -> Outcome:
        """Look whether a command of unknown outcome was carried out; if not, it may be sent again."""
        return _carry_out(key, waiting=State.UNKNOWN, work=_look)


def _carry_out(key: str, *, waiting: State, work: Callable[[ServerCommand, TradeServer], Outcome]) -> Outcome:
    command = ServerCommand.objects.select_related("connection", "message").get(message__key=key)
    place = _place(command, waiting)
    if place is not None:
        return place
    connection = command.connection
    if not registry.is_server(connection.adapter):
        return _refused(command, f"{connection.name} is read from files: make the change on the server by hand.")
    if not connection.is_active:
        return Outcome(waiting, error=f"{connection.name} is paused. It is tried again when the connection is active.")
    try:
        server = open_server(connection)
    except (ServerError, OSError) as error:
        return _later(waiting, error)
    try:
        return work(command, server)
    finally:
        server.close()


def _place(command: ServerCommand, waiting: State) -> Outcome | None:
    """Whether another command of the login comes first; None when it is this one's turn."""
    others = _of_login(command)
    newer = others.filter(pk__gt=command.pk, wanted__has_keys=list(command.wanted)).order_by("-pk").first()
    if newer is not None:
        return Outcome(
            State.REFUSED,
            answer={"superseded_by": newer.pk},
            error=f"Command {newer.pk} for this login took its place.",
            then=lambda: _ended(command, "server.command_superseded", {"by": newer.pk}),
        )
    earlier = others.filter(pk__lt=command.pk, message__state__in=OPEN).order_by("pk").first()
    return None if earlier is None else Outcome(waiting, error=f"Waits for command {earlier.pk} of this login.")


def _change(command: ServerCommand, server: TradeServer) -> Outcome:
    """The first try of a command, or one after it was found not to have been carried out."""
    asked_at = clock.now()
    try:
        before = server.user(command.login)
    except (ServerError, OSError) as error:
        return _later(State.QUEUED, error)
    if before is None or not before.lacks(command.wish):
        return _judged(command, before, asked_at)
    doubt: OutcomeUnknown | None = None
    try:
        server.change_user(before, command.wish)
    except OutcomeUnknown as error:
        doubt = error
    except ServerError as error:
        if error.retry:
            return _later(State.QUEUED, error)
        return _refused(command, f"The server refused: {error} Nothing was changed.")
    asked_at = clock.now()
    try:
        after = server.user(command.login)
    except (ServerError, OSError) as error:
        return _later(State.UNKNOWN, doubt or error)
    if doubt is not None and after is not None and after.lacks(command.wish):
        return _later(State.UNKNOWN, doubt)
    return _judged(command, after, asked_at)


def _look(command: ServerCommand, server: TradeServer) -> Outcome:
    """What became of a command whose answer was lost."""
    asked_at = clock.now()
    try:
        found = server.user(command.login)
    except (ServerError, OSError) as error:
        return _later(State.UNKNOWN, error)
    if found is not None and found.lacks(command.wish):
        return Outcome(State.QUEUED, error="It was not carried out; it is sent again.")
    return _judged(command, found, asked_at)


def _judged(command: ServerCommand, found: User | None, asked_at: datetime) -> Outcome:
    """Done when the reading agrees with every wish; a sentence about what does not when it doesn't."""
    server = command.connection.name
    if found is None:
        return _refused(command, f"{server} has no login {command.login}. Open it there, or correct the account.")
    lacks = found.lacks(command.wish)
    if not lacks:
        answer = {"found": found.state.named, "rights": found.rights, "asked_at": asked_at}
        return Outcome(State.DONE, answer=answer, then=lambda: _confirmed(command, found, asked_at))
    has = found.state.named
    differs = "; ".join(
        f"{name.replace('_', ' ')} is {_word(has[name])}, wanted {_word(lacks[name])}" for name in lacks
    )
    return _refused(command, f"{server} said done, but did not store it: {differs}. Ask the server's administrator.")


def _word(value: object) -> str:
    return "on" if value is True else "off" if value is False else str(value)


def _later(state: State, error: Exception) -> Outcome:
    return Outcome(state, error=str(error)[:_LONGEST_ERROR])


def _refused(command: ServerCommand, sentence: str) -> Outcome:
    sentence = sentence[:_LONGEST_ERROR]
    return Outcome(
        State.REFUSED, error=sentence, then=lambda: _ended(command, "server.command_refused", {"why": sentence})
    )


def _confirmed(command: ServerCommand, found: User, asked_at: datetime) -> None:
    """With the outcome: the reading is kept, everybody who waits for it is told, the next command may go."""
    keep_users(connection=command.connection, users=[found], asked_at=asked_at)
    reading = ServerUser.objects.get(connection_id=command.connection_id, login=command.login)
    _ended(command, "server.command_done", {"found": found.state.named})
    registry.confirmed(command.connection_id, command.login, command.message.key, reading)


def _ended(command: ServerCommand, action: str, data: Mapping[str, Any]) -> None:
    audit.record(actor=_SENDER, action=action, target=command, data={"login": command.login, **data})
    following = _of_login(command).filter(pk__gt=command.pk, message__state=State.QUEUED)
    outbox.hurry(keys=list(following.values_list("message__key", flat=True)))


def _open_keys(command: ServerCommand) -> list[str]:
    earlier = _of_login(command).filter(pk__lt=command.pk, message__state__in=OPEN)
    return list(earlier.values_list("message__key", flat=True))


def _of_login(command: ServerCommand) -> Any:
    return ServerCommand.objects.filter(connection_id=command.connection_id, login=command.login)
