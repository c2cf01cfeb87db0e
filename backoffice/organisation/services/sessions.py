"""Ending people's sessions, for every room: sign-in is above some of those who need it, so it registers here."""

from __future__ import annotations

from typing import Protocol

from backoffice.kernel.actor import Actor


class Ender(Protocol):
    """Ends all sessions of a person in the caller's transaction and records it; returns how many there were."""

    def __call__(self, *, actor: Actor, user_id: int, reason: str) -> int: ...


_enders: list[Ender] = []


def ended_by(ender: Ender) -> None:
    assert not _enders, "there is already somebody who ends sessions"
    _enders.append(ender)


def end_sessions(*, actor: Actor, user_id: int, reason: str) -> int:
    """End all sessions of a person; `reason` is a short text such as "roles changed"."""
    assert _enders, "nobody ends sessions: call sessions.ended_by when the project starts"
    return _enders[0](actor=actor, user_id=user_id, reason=reason)
