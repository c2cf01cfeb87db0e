"""The use case of approvals itself that stands behind four eyes: changing its rules."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backoffice.approvals import registry
from backoffice.approvals.models import Policy
from backoffice.approvals.records import Rule
from backoffice.approvals.registry import Action, Change, Check, Level
from backoffice.approvals.selectors import people
from backoffice.approvals.services import policies
from backoffice.kernel.plain import digest
from backoffice.organisation.models import LegalEntity
from backoffice.ui import formats

POLICY = "approvals.policy"
_LABELS = {
    "action": "Action",
    "entity_id": "Entity",
    "from_amount": "From amount",
    "risk_flag": "Risk flag",
    "approvers": "Approvers",
    "approve_permission": "Approvers hold",
    "second_permission": "Second approver holds",
    "execute_permission": "Executor holds",
    "expires_after_hours": "Expires after (hours)",
    "sla_hours": "To be decided within (business hours)",
    "bulk": "May be approved in bulk",
}


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """Let `rule` begin and the policy `replaces` end; either may be None. `entity_id` is where it is decided."""

    entity_id: int
    replaces: int | None
    rule: Rule | None


def register() -> None:
    registry.register(
        Action(
            name=POLICY,
            title="Change of an approval rule",
            payload=PolicyChange,
            use_case=policies.change,
            rehearse=policies.check,
            knows_request=True,
            entity_id=lambda p: p.entity_id,
            target=_target,
            target_version=_version,
            summary=_summary,
            ask="approvals.ask_policy",
            decide="approvals.approve_policy",
            view="approvals.view_policy",
            changes=_changes,
            checks=_checks,
            reasons={
                "RISK": "risk",
                "COMPLIANCE": "law or regulation",
                "OPERATIONS": "daily operation",
                "AUDIT": "finding of an audit",
                registry.OTHER: "other",
            },
        )
    )


def _old(payload: PolicyChange) -> Policy | None:
    return None if payload.replaces is None else Policy.objects.filter(pk=payload.replaces).first()


def _target(payload: PolicyChange) -> str:
    if payload.replaces is not None or payload.rule is None:
        return f"approvals.policy:{payload.replaces}"
    rule = payload.rule
    return f"approvals.policy:new:{digest([rule.action, rule.entity_id, rule.from_amount.normalize(), rule.risk_flag])}"


def _version(payload: PolicyChange) -> str:
    old = _old(payload)
    return "" if old is None else "ended" if old.ended_at else "in force"


def _summary(payload: PolicyChange) -> str:
    old = _old(payload)
    name = payload.rule.action if payload.rule else old.action if old else ""
    verb = "New rule" if old is None else "Change the rule" if payload.rule else "End the rule"
    known = {action.name: action.title for action in registry.all_actions()}
    return f"{verb} for “{known.get(name, name)}”"


def _changes(payload: PolicyChange) -> list[Change]:
    old = _old(payload)
    rows = [Change(label, _said(old, name), _said(payload.rule, name)) for name, label in _LABELS.items()]
    if old is None or payload.rule is None:
        return rows
    return [row for row in rows if row.before != row.after or row.label == _LABELS["action"]]


def _said(rule: Policy | Rule | None, name: str) -> str:
    if rule is None:
        return "no rule"
    value = getattr(rule, name)
    if name == "entity_id":
        return "all" if value is None else LegalEntity.objects.get(pk=value).code
    if name == "bulk":
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return formats.grouped(value, 2)
    empty = "the action's own" if name == "approve_permission" else "none"
    return str(value) if value != "" else empty


def _checks(payload: PolicyChange) -> list[Check]:
    old, rule = _old(payload), payload.rule
    looser = _looser(old, rule)
    found = [
        Check(
            Level.AMBER if looser else Level.GREEN,
            "Not looser than before",
            f"looser: {', '.join(looser)}" if looser else "as strict as before, or stricter",
        )
    ]
    known = {action.name: action for action in registry.all_actions()}
    if rule is not None and rule.action in known:
        here = LegalEntity.objects.get(pk=rule.entity_id or payload.entity_id)
        names = [rule.approve_permission or known[rule.action].decide, rule.second_permission]
        count = people.holders(names, here).count()
        enough = Level.RED if count < rule.approvers else Level.AMBER if count == rule.approvers else Level.GREEN
        detail = (
            f"{count} people in {here.code} may approve, {rule.approvers} have to; the one who asks is none of them"
        )
        found.append(Check(enough, "There are people to approve", detail))
    return found


def _looser(old: Policy | None, rule: Rule | None) -> list[str]:
    if old is None:
        return []
    if rule is None:
        return ["the rule ends"]
    lost = [
        (rule.approvers < old.approvers, "fewer approvers"),
        (rule.from_amount > old.from_amount, "from a higher amount on"),
        (bool(old.second_permission) and rule.second_permission != old.second_permission, "another second approver"),
        (bool(old.execute_permission) and not rule.execute_permission, "no third person"),
        (rule.approve_permission != old.approve_permission, "other approvers"),
        (rule.bulk and not old.bulk, "in bulk"),
        ((rule.action, rule.entity_id, rule.risk_flag) != (old.action, old.entity_id, old.risk_flag), "another scope"),
    ]
    return [words for holds, words in lost if holds]
