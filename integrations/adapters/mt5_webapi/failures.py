"""What can go wrong while asking an MT5 server, beside what any connection meets (adapters/failures.py)."""

from __future__ import annotations

from integrations import ports
from integrations.adapters.mt5_webapi import retcodes
from integrations.ports import ServerError


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
