"""Approving several requests at once: only where the policy of each allows it, never for money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backoffice.approvals.models import Request
from backoffice.approvals.selectors import progress
from backoffice.approvals.services import requests, steps
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, StepUpNeeded


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many were approved, and why others were not: (request id, sentence)."""

    approved: int
    refused: tuple[tuple[int, str], ...]


def approve_many(*, actor: Person, seen: Mapping[int, str], reason: str = "") -> Outcome:
    """Approve each request, if it still is what the page showed (`seen`: id -> token). Each is decided in a
    transaction of its own, so one that is refused leaves the others approved."""
    steps.require_fresh_factor(actor=actor)
    rows = {row.pk: row for row in Request.objects.filter(pk__in=seen)}
    alone = [pk for pk, row in rows.items() if row.money or not row.bulk]
    if alone or rows.keys() != seen.keys():
        named = ", ".join(f"#{pk}" for pk in sorted({*alone, *(seen.keys() - rows.keys())}))
        raise DomainError(f"These have to be looked at one by one: {named}. Pick the others, or open them.")
    approved, refused = 0, []
    for pk, token in sorted(seen.items()):
        try:
            requests.approve(actor=actor, request_id=pk, seen_hash=rows[pk].payload_hash, reason=reason, token=token)
            approved += 1
        except StepUpNeeded:
            raise
        except DomainError as error:
            refused.append((pk, str(error)))
    return Outcome(approved, tuple(refused))


def tokens(rows: Sequence[Request]) -> dict[int, str]:
    """What a page about these requests is made from."""
    return {row.pk: progress.token(row) for row in rows}
