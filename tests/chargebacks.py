"""Chargeback cases for tests: opened by hand, heard from messages and lines, booked by two people."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from accounts.models import Client
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.money import Money
from integrations.models import Connection
from payments.models import CaseState, ChargebackCase
from payments.services import cases
from tests.builders import ROBOT


def opened(
    client: Client,
    psp: Connection,
    *,
    actor: Actor = ROBOT,
    state: CaseState = CaseState.CHARGED_BACK,
    amount: str = "50",
    currency: str = "USD",
    deadline_at: Any = None,
    text: str = "",
    **about: Any,
) -> ChargebackCase:
    """A case by hand."""
    return cases.open_case(
        actor=actor,
        about=cases.About(entity_id=client.entity_id, connection_id=psp.pk, client_id=client.pk, **about),
        said=cases.Said(
            kind=state, state=state, happened_at=clock.now(), amount=Money(Decimal(amount), currency),
            deadline_at=deadline_at, text=text,
        ),
    )  # fmt: skip


def both(asker: Person, decider: Person, action: str, payload: Any) -> Request:
    """Asked for by one, approved by another."""
    asked = requests.submit(actor=asker, action=action, payload=payload, reason="by the terms")
    return requests.approve(actor=decider, request_id=asked.pk, seen_hash=asked.payload_hash)
