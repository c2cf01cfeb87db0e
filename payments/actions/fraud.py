"""Other parameters of a fraud rule behind four eyes."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change
from backoffice.organisation.models import LegalEntity
from payments.models import FraudKind
from payments.services import fraud

CHANGE = "payments.change_fraudrule"


@dataclass(frozen=True, slots=True)
class ChangeFraudRule:
    """A new version of one rule; parameters as words: "days 30, share 80"."""

    entity_id: int
    everywhere: bool
    kind: str
    is_on: bool
    parameters: str


def register() -> None:
    registry.register(
        Action(
            name=CHANGE,
            title="Change a fraud rule",
            payload=ChangeFraudRule,
            use_case=fraud.change_rule,
            knows_request=True,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"payments.fraudrule:{p.kind}:{'all' if p.everywhere else p.entity_id}",
            summary=_say,
            ask="payments.ask_fraudrule",
            decide="payments.approve_fraudrule",
            view="payments.view_fraudrule",
            changes=_changes,
            page=lambda p: reverse("fraud-rules"),
        )
    )


def _say(payload: ChangeFraudRule) -> str:
    where = "all entities" if payload.everywhere else LegalEntity.objects.get(pk=payload.entity_id).code
    return f"Fraud rule “{FraudKind(payload.kind).label}” for {where}"


def _changes(payload: ChangeFraudRule) -> list[Change]:
    now = fraud.rules_for(payload.entity_id).get(payload.kind)
    before = {"on": str(now.is_on), "parameters": fraud.words(now.parameters)} if now else {}
    after = {"on": str(payload.is_on), "parameters": payload.parameters}
    return [Change(name, before.get(name, "none"), after[name]) for name in after if before.get(name) != after[name]]
