"""Why a step of a request is refused. Each says what to do next."""

from __future__ import annotations

from backoffice.kernel.errors import DomainError, Forbidden


class AlreadyAsked(DomainError):
    """The same thing is already waiting for a decision."""


class SameEyes(Forbidden):
    """The person already took another part in this request."""


class NotOpen(DomainError):
    """The request was decided, withdrawn or has expired."""


class Excluded(Forbidden):
    """The person took part in what the request is about, and so may not decide it."""


class Blocked(DomainError):
    """Something stands against it at the moment. The sentence is neutral: it does not say what."""


class NotNeeded(DomainError):
    """The approval would not count: its place is taken."""
