"""Alerts: found by rules, worked on by people. Finding changes nothing for the client; measures are steps of their own,
taken by those who may take them."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from accounts.services.kept import keep
from accounts.services.locked import locked_client, user_id
from backoffice.audit import services as audit
from backoffice.kernel import clock, locking
from backoffice.kernel.actor import Actor, Person
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.kernel.locking import Lock
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import scope
from payments.models import AlertState, FraudAlert, FraudEvent, FraudKind, FraudRule, Outcome
from payments.models.fraud import PARAMETERS
from payments.services import fraud_rules

WORK = "payments.work_fraudalert"


class BadRule(DomainError):
    """Parameters that the rule does not have, or outside what they may be."""


class AlertClosed(DomainError):
    """Somebody has closed the alert."""


def rules_for(entity_id: int) -> dict[str, FraudRule]:
    """The version of each rule that holds for an entity: the newest of its own, else the newest for all."""
    found: dict[str, FraudRule] = {}
    for row in FraudRule.objects.filter(Q(entity=entity_id) | Q(entity=None)).order_by("pk"):
        if row.kind not in found or row.entity_id is not None or found[row.kind].entity_id is None:
            found[row.kind] = row
    return found


def find_all(*, actor: Actor) -> int:
    """Run every rule for every entity. Returns how many new alerts there are."""
    return sum(
        find(actor=actor, entity_id=pk) for pk in LegalEntity.objects.order_by("pk").values_list("pk", flat=True)
    )


@transaction.atomic
def find(*, actor: Actor, entity_id: int) -> int:
    """Run the rules of an entity. What was found before is not found again."""
    locking.advisory(Lock.JOB, f"payments.fraud:{entity_id}")
    now, made = clock.now(), 0
    for kind, rule in rules_for(entity_id).items():
        if not rule.is_on or kind not in fraud_rules.RULES:
            continue
        values = {**rule.parameters, "entity": entity_id, "now": now, "look_back": fraud_rules.LOOK_BACK}
        found = fraud_rules.findings(kind, values)
        known = set(FraudAlert.objects.filter(entity=entity_id, kind=kind).values_list("client_id", "subject"))
        rows = FraudAlert.objects.bulk_create(
            FraudAlert(
                entity_id=entity_id, client_id=client_id, kind=kind, rule=rule, subject=subject,
                evidence=dict(evidence), opened_at=now,
            )
            for client_id, subject, evidence in found
            if (client_id, subject) not in known
        )  # fmt: skip
        for row in rows:
            audit.record(actor=actor, action="fraud.found", target=row, data={"rule": rule.pk})
        made += len(rows)
    return made


@transaction.atomic
def assign(*, actor: Actor, alert_id: int, assignee_id: int, text: str = "") -> FraudAlert:
    """Give an alert to somebody who may work on alerts of its entity."""
    alert = _open(alert_id)
    person = User.objects.filter(pk=assignee_id, is_active=True).first()
    rows = FraudAlert.objects.filter(pk=alert.pk)
    if person is None or not scope.may(person, WORK) or not scope.visible(person, rows, WORK).exists():
        raise NotFound("Nobody of that name works on alerts of this client.")
    alert.state, alert.assignee = AlertState.ASSIGNED, person
    alert.save(update_fields=["state", "assignee"])
    return _note(actor, alert, f"assigned to {person}", text)


@transaction.atomic
def explain(*, actor: Actor, alert_id: int, text: str) -> FraudAlert:
    """Add to what is known about it."""
    return _note(actor, _open(alert_id), "explained", text)


@transaction.atomic
def close(*, actor: Person, alert_id: int, outcome: str, text: str) -> FraudAlert:
    """End an alert with what came out, and why."""
    if not text.strip():
        raise DomainError("Say why: whoever meets the client next reads it.")
    alert = _open(alert_id)
    alert.state, alert.outcome = AlertState.CLOSED, Outcome(outcome)
    alert.closed_at, alert.closed_by_id = clock.now(), user_id(actor)
    alert.save(update_fields=["state", "outcome", "closed_at", "closed_by"])
    return _note(actor, alert, f"closed: {alert.get_outcome_display()}"[:60], text)


@transaction.atomic
def change_rule(
    *, actor: Actor, entity_id: int, everywhere: bool, kind: str, is_on: bool, parameters: str,
    request_id: int | None = None,
) -> FraudRule | None:  # fmt: skip
    """A new version of a rule from now on. Without `request_id` this is the rehearsal."""
    values = read(kind, parameters)
    if request_id is None:
        return None
    row = FraudRule.objects.create(
        kind=kind, entity_id=None if everywhere else entity_id, is_on=is_on, parameters=values, at=clock.now(),
        request_id=request_id,
    )  # fmt: skip
    data = {"kind": kind, "on": is_on, "parameters": values}
    audit.record(actor=actor, action="fraud.rule_changed", target=row, entity_id=entity_id, data=data)
    return row


def read(kind: str, text: str) -> dict[str, int]:
    """ "days 30, share 80" as parameters of a rule. Raises BadRule."""
    if kind not in FraudKind.values:
        raise BadRule("There is no such rule.")
    known, found = PARAMETERS[kind], {}
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, _, number = part.partition(" ")
        limit = known.get(name)
        if limit is None or not number.strip().isdecimal() or not limit.least <= int(number) <= limit.most:
            allowed = ", ".join(f"{n} {p.least} to {p.most}" for n, p in known.items())
            raise BadRule(f"Write the parameters as “{allowed}”: {part}.")
        found[name] = int(number)
    if found.keys() != known.keys():
        raise BadRule(f"Give each of {', '.join(known)} once.")
    return found


def words(parameters: Mapping[str, int]) -> str:
    """Parameters as `read` takes them."""
    return ", ".join(f"{name} {value}" for name, value in parameters.items())


def _open(alert_id: int) -> FraudAlert:
    found = FraudAlert.objects.filter(pk=alert_id).values_list("client_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such alert.")
    locked_client(found)
    alert = FraudAlert.objects.select_for_update(of=("self",)).get(pk=alert_id)
    if not alert.is_open:
        raise AlertClosed("The alert is closed. Reload the page.")
    return alert


def _note(actor: Actor, alert: FraudAlert, what: str, text: str) -> FraudAlert:
    FraudEvent.objects.create(
        alert=alert, client_id=alert.client_id, at=clock.now(), actor=actor.label[:150], what=what[:60],
        under_key=keep(alert.client_id, text=text.strip()),
    )  # fmt: skip
    audit.record(actor=actor, action=f"fraud.{what.partition(' ')[0].rstrip(':')}", target=alert)
    return alert
