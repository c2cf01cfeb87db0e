"""Another rule version behind four eyes."""

from __future__ import annotations

import json
from dataclasses import dataclass

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Change
from reconciliation.models import Rule
from reconciliation.services import rules

CHANGE_RULE = "reconciliation.change_rule"


@dataclass(frozen=True, slots=True)
class ChangeRule:
    """The next version of a kind's rule; `parameters` is JSON. It holds for every entity, `entity_id` is whose people
    decide."""

    entity_id: int
    kind: str
    parameters: str
    note: str


def register() -> None:
    registry.register(
        Action(
            name=CHANGE_RULE,
            title="Change a reconciliation's rule",
            payload=ChangeRule,
            use_case=rules.change,
            entity_id=lambda p: p.entity_id,
            target=lambda p: f"reconciliation.rule:{p.kind}",
            target_version=lambda p: str(_newest(p).version),
            summary=lambda p: f"Rule of {p.kind} reconciliation: {p.note}",
            ask="reconciliation.ask_rule",
            decide="reconciliation.approve_rule",
            view="reconciliation.view_run",
            changes=_changes,
            knows_request=True,
            rehearse=rules.change,
        )
    )


def _newest(payload: ChangeRule) -> Rule:
    return Rule.objects.filter(kind=payload.kind).order_by("-version")[0]


def _changes(payload: ChangeRule) -> list[Change]:
    before, after = _newest(payload).parameters, json.loads(payload.parameters)
    return [
        Change(name.replace("_", " "), json.dumps(before.get(name)), json.dumps(after.get(name)))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
