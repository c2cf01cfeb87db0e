"""Refusals a person may meet. Each carries a sentence for the screen that says what to do next."""

from __future__ import annotations


class DomainError(Exception):
    """A use case refused. The message is shown to people as it stands; nothing was changed."""


class NotFound(DomainError):
    """The thing asked for does not exist, or is outside the asker's scope (the same answer on purpose)."""


class Forbidden(DomainError):
    """This person may not do it, whatever a form says: refused before anything that was sent is looked at (403)."""


class NotPermitted(Forbidden):
    """The actor lacks a permission. The message names it, so that it can be asked for."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"You need the permission “{permission}” for this.")
        self.permission = permission


class Stale(DomainError):
    """What the person saw has changed in the meantime."""


class StepUpNeeded(DomainError):
    """The second factor of this session is missing or not fresh enough. The interface asks for it and comes back."""

    def __init__(self, message: str = "Confirm with a new code of your second factor, then repeat this.") -> None:
        super().__init__(message)
