"""Every executed request had its people, and each acted on the content that was executed."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.approvals.models import Request
from backoffice.kernel.findings import Finding
from backoffice.kernel.plain import digest

_PEOPLE = """
SELECT 'request ' || r.id, count(p.id) FILTER (WHERE p.part = 'APPROVER') || ' of ' || r.approvals_needed || ' approvals'
  FROM approvals_request r LEFT JOIN approvals_participation p ON p.request_id = r.id AND p.payload_hash = r.payload_hash
 WHERE r.state IN ('APPROVED', 'EXECUTED')
 GROUP BY r.id, r.approvals_needed, r.execute_permission, r.state
HAVING count(p.id) FILTER (WHERE p.part = 'APPROVER') < r.approvals_needed
    OR count(DISTINCT p.person_id) <> count(p.id)
    OR (r.state = 'EXECUTED' AND r.execute_permission <> '' AND count(p.id) FILTER (WHERE p.part = 'EXECUTOR') <> 1)
 LIMIT 50
"""


def findings() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE)
        for subject, detail in cursor.fetchall():
            yield Finding("an executed request had enough people, all different", subject, detail)
    for request in Request.objects.only("action", "action_version", "payload", "payload_hash").iterator():
        if digest([request.action, request.action_version, request.payload]) != request.payload_hash:
            yield Finding("a request is what was asked for", f"request {request.pk}", "payload does not match its hash")
