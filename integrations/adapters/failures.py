"""What can go wrong while asking the other side over HTTP, told apart by what helps against it."""

from __future__ import annotations

from backoffice.kernel.errors import DomainError
from integrations.ports import ServerError


class BadSetting(ServerError, DomainError):
    """A setting is wrong: a refusal for the person who typed it, and for a task that meets it later."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


class ConnectionLost(ServerError):
    """The connection could not be made, or ended before a whole answer had come."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=True)


class TookTooLong(ServerError):
    """No whole answer within the time allowed. Asking for less may help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=True)


class TooMuch(ServerError):
    """The answer is larger than we take, or the server says that it is only a part. Asking for less helps."""

    def __init__(self, message: str, *, retcode: int | None = None) -> None:
        super().__init__(message, retry=False, retcode=retcode)


class BadAnswer(ServerError):
    """The answer is not what the protocol says: cut off, not JSON, no envelope."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=True)
