"""What a rule of approval says, as the payload of a request carries it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Rule:
    """The fields of Policy; `from_amount` in the entity's reporting currency."""

    action: str
    entity_id: int | None
    from_amount: Decimal
    risk_flag: str
    approvers: int
    approve_permission: str
    second_permission: str
    execute_permission: str
    expires_after_hours: int
    sla_hours: int
    bulk: bool
