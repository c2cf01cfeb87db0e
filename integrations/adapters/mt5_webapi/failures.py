"""What can go wrong while asking an MT5 server, told apart by what helps against it."""

from __future__ import annotations

from backoffice.kernel.errors import DomainError
from integrations import ports
from integrations.adapters.mt5_webapi import retcodes
from integrations.ports import ServerError


class BadSetting(ServerError, DomainError):
    """A setting is wrong: a refusal for the person who typed it, and for a task that meets it later."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


class ConnectionLost(ServerError):
    """The connection could not be made, or ended before a whole answer had come."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=True, retcode=retcodes.NO_CONNECTION)


class TookTooLong(ServerError):
    """No whole answer within the time allowed. Asking for less may help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=True, retcode=retcodes.TIMED_OUT)


class TooMuch(ServerError):
    """The answer is larger than we take, or the server says that it is only a part. Asking for less helps."""

    def __init__(self, message: str, *, retcode: int | None = None) -> None:
        super().__init__(message, retry=False, retcode=retcode)


class BadAnswer(ServerError):
    """The answer is not what the protocol says: cut off, not JSON, no envelope."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=True)


class Forbidden(ServerError):
    """The session works, but not for this call: a right is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False, retcode=retcodes.NO_PERMISSION)


class UnknownCall(ServerError):
    """The server has no such call: an older build."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


class OutcomeUnknown(ports.OutcomeUnknown):
    """A change was sent and no answer came. There is no idempotency key: look for its effect before sending again."""
