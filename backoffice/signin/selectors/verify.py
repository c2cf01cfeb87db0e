"""What must hold about sign-in, as far as the tables and the log can prove it.

Whether a code was right is not kept, on purpose; that one was asked for and given is, as an entry of the log."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db import connection

from backoffice.kernel.findings import Finding

# Whoever holds a role that needs the second factor: the same as selectors/standing.py asks on every request.
_NEEDS = """
SELECT g.user_id FROM organisation_user_groups g JOIN auth_group a ON a.id = g.group_id
 WHERE a.name NOT IN (SELECT role FROM signin_rolerule WHERE NOT factor_required)
UNION SELECT user_id FROM organisation_user_user_permissions
UNION SELECT id FROM organisation_user WHERE is_superuser
"""
_HAS = "SELECT user_id FROM otp_totp_totpdevice WHERE confirmed"
_DECIDES = "'APPROVER', 'EXECUTOR'"
_INSIDE = f"""
SELECT 'session ' || s.id, 'user ' || s.user_id || ' is inside and has no second factor' FROM signin_session s
 WHERE s.ended_at IS NULL AND s.verified_at IS NOT NULL
   AND s.user_id IN ({_NEEDS}) AND s.user_id NOT IN ({_HAS}) ORDER BY s.id LIMIT 50
"""
_GONE = """
SELECT 'session ' || s.id, 'user ' || u.id || ' is not active' FROM signin_session s JOIN organisation_user u ON u.id = s.user_id
 WHERE s.ended_at IS NULL AND NOT u.is_active ORDER BY s.id LIMIT 50
"""
_UNOPENED = """
SELECT 'session ' || s.id, 'nobody opened it at the door' FROM signin_session s
 WHERE NOT EXISTS (SELECT FROM audit_entry e WHERE e.target = 'signin.session:' || s.id
                      AND e.action = 'signin.opened' AND e.actor_id = s.user_id) ORDER BY s.id LIMIT 50
"""
_UNVERIFIED = """
SELECT 'session ' || s.id, 'is complete, and no code was given in it' FROM signin_session s
 WHERE (s.verified_at IS NOT NULL OR s.stepped_at IS NOT NULL)
   AND NOT EXISTS (SELECT FROM audit_entry e WHERE e.target = 'signin.session:' || s.id
                      AND e.action IN ('signin.verified', 'signin.stepped_up', 'signin.recovered'))
 ORDER BY s.id LIMIT 50
"""
# Decided by somebody who has no factor and from whom none was taken since.
_DECIDED = f"""
SELECT 'request ' || p.request_id, 'decided by user ' || p.person_id || ', who had no second factor'
  FROM approvals_participation p
 WHERE p.part IN ({_DECIDES}) AND p.person_id IN ({_NEEDS}) AND p.person_id NOT IN ({_HAS})
   AND NOT EXISTS (SELECT FROM audit_entry e WHERE e.target = 'organisation.user:' || p.person_id
                      AND e.action = 'signin.factor_removed' AND e.at >= p.at)
 ORDER BY p.id LIMIT 50
"""
# Of decisions made on a page, which have a request's number. The minute is what the two clocks may differ by.
_STALE = """
SELECT e.target, 'decided by user ' || e.actor_id || ' without a fresh code' FROM audit_entry e
 WHERE e.action IN ('approval.approved', 'approval.executed') AND e.actor_kind = 'PERSON' AND e.request_id <> ''
   AND NOT EXISTS (SELECT FROM audit_entry f WHERE f.actor_id = e.actor_id
                      AND f.action IN ('signin.verified', 'signin.stepped_up')
                      AND f.at BETWEEN e.at - interval '6 minutes' AND e.at)
 ORDER BY e.id LIMIT 50
"""
_TWO = """
SELECT 'user ' || user_id, 'has ' || count(*) || ' authenticators' FROM otp_totp_totpdevice
 WHERE confirmed GROUP BY user_id HAVING count(*) > 1 ORDER BY user_id LIMIT 50
"""
_LOOKS = """
SELECT 'look ' || i.id, CASE
         WHEN s.user_id <> i.by_id THEN 'hangs on the session of somebody else'
         WHEN i.ended_at IS NULL AND s.ended_at IS NOT NULL THEN 'goes on after its session'
         WHEN i.ended_at IS NULL AND i.until < now() - interval '1 day' THEN 'was over a day ago and has no end'
         ELSE 'has no entry of its beginning' END
  FROM signin_impersonation i JOIN signin_session s ON s.id = i.session_id
 WHERE s.user_id <> i.by_id OR i.ended_at IS NULL AND (s.ended_at IS NOT NULL OR i.until < now() - interval '1 day')
    OR NOT EXISTS (SELECT FROM audit_entry e WHERE e.target = 'signin.impersonation:' || i.id
                      AND e.action = 'signin.impersonation_started' AND e.actor_id = i.by_id)
 ORDER BY i.id LIMIT 50
"""
FACTOR = "whoever needs a second factor and is inside has one"
GONE = "nobody who is deactivated has an open session"
DOOR = "every session was opened at the door"
CODE = "every complete session was given a code"
DECIDED = "nobody decides a request without a second factor"
FRESH = "a decision on a page follows a fresh code"
ONE = "a person has one authenticator"
LOOK = "a look as somebody else hangs on its own session, ends, and is in the log"
_RULES = ((GONE, _GONE), (DOOR, _UNOPENED), (ONE, _TWO), (LOOK, _LOOKS))
# Promised where the second factor is asked for; tests let people in and let them decide without one.
_WITH_FACTOR = ((FACTOR, _INSIDE), (CODE, _UNVERIFIED), (DECIDED, _DECIDED), (FRESH, _STALE))


def findings() -> Iterator[Finding]:
    """All that does not hold."""
    with connection.cursor() as cursor:
        for rule, query in (*_RULES, *(_WITH_FACTOR if settings.STEP_UP else ())):
            cursor.execute(query)
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
