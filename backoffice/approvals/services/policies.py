"""The rules of approval change by a use case that stands behind four eyes itself.

`check` is what the rehearsal tries, `change` what runs once the request is approved: PostgreSQL takes a new rule,
or the end of one, only together with an approved request that says exactly this (sql/guards_of_rules.sql).
"""

from __future__ import annotations

import re

from django.contrib.auth.models import Permission
from django.db import transaction

from backoffice.approvals import registry
from backoffice.approvals.models import Policy
from backoffice.approvals.records import Rule
from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, NotFound, Stale
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import scope

_FLAG = re.compile(r"[A-Z][A-Z_]{0,39}")
_MOST_APPROVERS = 5
_MOST_HOURS = 24 * 90


def check(*, actor: Person, entity_id: int, replaces: int | None, rule: Rule | None) -> Policy | None:
    """Whether the change could be made now. Returns the policy it would end."""
    if replaces is None and rule is None:
        raise DomainError("Say which rule should begin, or which should end.")
    old = None
    if replaces is not None:
        old = Policy.objects.filter(pk=replaces).first()
        if old is None:
            raise NotFound("There is no such rule.")
        if old.ended_at is not None:
            raise Stale("This rule has ended already. Look at the rules in force and ask again.")
    _check_reach(actor, entity_id, [old.entity_id] if old else [], [rule.entity_id] if rule else [])
    if rule is not None:
        _check_rule(rule)
        same = Policy.objects.filter(
            action=rule.action,
            entity=rule.entity_id,
            from_amount=rule.from_amount,
            risk_flag=rule.risk_flag,
            ended_at=None,
        )
        if same.exclude(pk=replaces or 0).exists():
            raise DomainError("A rule for this action, entity, amount and flag is in force. Change that one.")
    return old


@transaction.atomic
def change(*, actor: Person, entity_id: int, replaces: int | None, rule: Rule | None, request_id: int) -> Policy | None:
    """End the old rule and let the new one begin, as the approved request says. Requests that wait keep the rules
    they were asked under. Returns the new rule."""
    if replaces is not None:
        Policy.objects.select_for_update().filter(pk=replaces).first()
    old = check(actor=actor, entity_id=entity_id, replaces=replaces, rule=rule)
    if old is not None:
        old.ended_at, old.ended_by_id = clock.now(), request_id
        old.save(update_fields=["ended_at", "ended_by"])
        audit.record(actor=actor, action="approvals.rule_ended", target=old, entity_id=entity_id)
    if rule is None:
        return old
    values = {name: getattr(rule, name) for name in Rule.__dataclass_fields__}
    new = Policy.objects.create(request_id=request_id, **values)
    audit.record(actor=actor, action="approvals.rule_begun", target=new, entity_id=entity_id, data=values)
    return new


def _check_reach(actor: Person, entity_id: int, *groups: list[int | None]) -> None:
    """A rule for one entity is decided there; one for all entities by people who work in all of them."""
    touched = {entity for group in groups for entity in group}
    own = set(scope.entity_ids(User.objects.get(pk=actor.user_id)))
    if None in touched and own != set(LegalEntity.objects.values_list("pk", flat=True)):
        raise DomainError("A rule for all entities takes people who work in all of them.")
    if touched - {None, entity_id}:
        raise DomainError("A rule is changed by a request in its own legal entity.")


def _check_rule(rule: Rule) -> None:
    known = {action.name: action for action in registry.all_actions()}
    action = known.get(rule.action)
    if action is None:
        raise DomainError("There is no such action.")
    wrong = [
        (rule.from_amount < 0, "The amount cannot be negative."),
        (not 1 <= rule.approvers <= _MOST_APPROVERS, f"Between 1 and {_MOST_APPROVERS} people approve."),
        (bool(rule.second_permission) and rule.approvers < 2, "With a second approver, at least two people approve."),
        (rule.bulk and action.money, "What moves money is never approved together with others."),
        (bool(rule.risk_flag) and not _FLAG.fullmatch(rule.risk_flag), "A risk flag is written as CHARGEBACK_RISK."),
        (
            bool(rule.risk_flag and rule.approve_permission),
            "A rule for a flag adds to the others: name a second approver instead of other approvers.",
        ),
        (
            not (1 <= rule.sla_hours <= _MOST_HOURS and 1 <= rule.expires_after_hours <= _MOST_HOURS),
            f"Hours are between 1 and {_MOST_HOURS}.",
        ),
    ]
    for holds, sentence in wrong:
        if holds:
            raise DomainError(sentence)
    for name in (rule.approve_permission, rule.second_permission, rule.execute_permission):
        app, _, codename = name.partition(".")
        if name and not Permission.objects.filter(content_type__app_label=app, codename=codename).exists():
            raise DomainError(f"There is no permission “{name}”.")
