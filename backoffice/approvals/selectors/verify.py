"""Every decided request had its people, each acted on the content that was decided, and every rule was agreed to."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.approvals.models import Policy, Request, State
from backoffice.approvals.records import Rule
from backoffice.approvals.registry import load
from backoffice.kernel.findings import Finding
from backoffice.kernel.plain import digest

_PEOPLE = """
SELECT 'request ' || r.id, 'lacks ' || approvals_missing(r.id) || ' of ' || r.approvals_needed || ' approvals, '
       || count(p.id) || ' parts of ' || count(DISTINCT p.person_id) || ' people'
  FROM approvals_request r LEFT JOIN approvals_participation p ON p.request_id = r.id AND p.payload_hash = r.payload_hash
 WHERE r.state IN ('APPROVED', 'EXECUTED')
 GROUP BY r.id
HAVING approvals_missing(r.id) > 0
    OR count(DISTINCT p.person_id) <> count(p.id)
    OR count(p.id) FILTER (WHERE p.part = 'MAKER' AND p.person_id = r.maker_id) <> 1
    OR (r.state = 'EXECUTED' AND r.execute_permission <> '' AND count(p.id) FILTER (WHERE p.part = 'EXECUTOR') <> 1)
 LIMIT 50
"""
_DECIDED = """
SELECT 'request ' || r.id, r.state || ' by nobody' FROM approvals_request r
 WHERE r.state IN ('REJECTED', 'RETURNED') AND NOT EXISTS (
       SELECT FROM approvals_participation p WHERE p.request_id = r.id
          AND p.part = CASE r.state WHEN 'REJECTED' THEN 'REJECTER' ELSE 'RETURNER' END)
 LIMIT 50
"""
_VERSIONS = """
SELECT 'request ' || n.id, 'is no next version of ' || n.replaces_id
  FROM approvals_request n JOIN approvals_request o ON o.id = n.replaces_id
 WHERE o.state <> 'RETURNED' OR n.version <> o.version + 1
    OR (o.maker_id, o.action, o.entity_id) IS DISTINCT FROM (n.maker_id, n.action, n.entity_id)
 LIMIT 50
"""
_FILES = """
SELECT 'file ' || hash, 'its content is another' FROM approvals_blob WHERE hash <> encode(sha256(content), 'hex') LIMIT 50
"""
_RULES = (
    ("an executed request had enough people, all different", _PEOPLE),
    ("a rejected or returned request was decided by somebody", _DECIDED),
    ("a new version follows a returned request of the same person", _VERSIONS),
    ("a file beside a request is what its hash says", _FILES),
)


def findings() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        for rule, query in _RULES:
            cursor.execute(query)
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
    for request in Request.objects.only("action", "action_version", "payload", "payload_hash").iterator():
        if digest([request.action, request.action_version, request.payload]) != request.payload_hash:
            yield Finding("a request is what was asked for", f"request {request.pk}", "payload does not match its hash")
    yield from _policies()


def _policies() -> Iterator[Finding]:
    """Every rule, in force or ended, began and ended by an executed request that says so."""
    name = "a rule of approval was agreed to by an executed request"
    for policy in Policy.objects.select_related("request", "ended_by").iterator():
        made, ended = policy.request, policy.ended_by
        if made is None or made.action != "approvals.policy" or made.state != State.EXECUTED:
            yield Finding(name, f"policy {policy.pk}", "no executed request stands behind it")
        elif made.payload["rule"] is None or load(Rule, made.payload["rule"]) != _said(policy):
            yield Finding(name, f"policy {policy.pk}", f"request {made.pk} says something else")
        if ended is not None and (ended.state != State.EXECUTED or ended.payload.get("replaces") != policy.pk):
            yield Finding(name, f"policy {policy.pk}", f"request {ended.pk} did not end it")


def _said(policy: Policy) -> Rule:
    return Rule(**{name: getattr(policy, name) for name in Rule.__dataclass_fields__})
