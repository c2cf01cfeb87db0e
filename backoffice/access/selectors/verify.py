"""What must hold about rights, asked of the tables themselves."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.auth.models import Group
from django.db import connection

from backoffice.access.models import Conflict, SetupEnd
from backoffice.kernel.findings import Finding
from backoffice.organisation import pairs
from backoffice.organisation.roles import ROLES

UNBACKED = "every role and place has a grant behind it"
APART = "no person holds both sides of a forbidden pair without a waiver"
MATRIX = "roles in the database are those of the matrix"
SUPERUSER = "there are no superusers"

_ROLES = """
SELECT g.user_id, a.name FROM organisation_user_groups g JOIN auth_group a ON a.id = g.group_id
 WHERE NOT EXISTS (SELECT FROM access_grant t
                    WHERE t.user_id = g.user_id AND t.role = a.name AND t.ended_at IS NULL)
UNION ALL
SELECT d.user_id, 'the permission ' || p.codename
  FROM organisation_user_user_permissions d JOIN auth_permission p ON p.id = d.permission_id
UNION ALL
SELECT e.user_id, 'entity ' || l.code FROM organisation_entityaccess e JOIN organisation_legalentity l ON l.id = e.content_object_id
 WHERE NOT EXISTS (SELECT FROM access_grant t
                    WHERE t.user_id = e.user_id AND e.content_object_id = ANY (t.entities) AND t.ended_at IS NULL)
UNION ALL
SELECT e.user_id, 'desk ' || k.code FROM organisation_deskaccess e JOIN organisation_desk k ON k.id = e.content_object_id
 WHERE NOT EXISTS (SELECT FROM access_grant t
                    WHERE t.user_id = e.user_id AND e.content_object_id = ANY (t.desks) AND t.ended_at IS NULL)
ORDER BY 1, 2
"""
_PAIRS = """
SELECT DISTINCT x.user_id, c.pair, a.name, b.name
  FROM organisation_user_groups x JOIN organisation_user_groups y ON y.user_id = x.user_id
  JOIN auth_group a ON a.id = x.group_id JOIN auth_group b ON b.id = y.group_id
  JOIN access_conflict c ON (c.role, c.other) = (a.name, b.name)
 WHERE c.version = (SELECT max(version) FROM access_conflict)
   AND NOT EXISTS (SELECT FROM access_waiver w
                    WHERE w.user_id = x.user_id AND w.pair = c.pair AND w.ended_at IS NULL AND w.until > now())
   AND NOT (c.pair <= 8 AND EXISTS (
       SELECT FROM access_grant t WHERE t.user_id = x.user_id AND t.kind = 'BREAK_GLASS' AND t.ended_at IS NULL
          AND t.role IN (a.name, b.name)))
 ORDER BY 1, 2
"""


def findings() -> Iterator[Finding]:
    """All that does not hold. What has no grant is a finding only once the set-up has ended."""
    with connection.cursor() as cursor:
        if SetupEnd.objects.exists():
            cursor.execute(_ROLES)
            for user, what in cursor.fetchall():
                yield Finding(UNBACKED, f"organisation.user:{user}", f"{what} without a grant in force")
            cursor.execute("SELECT id FROM organisation_user WHERE is_superuser ORDER BY id")
            for (user,) in cursor.fetchall():
                yield Finding(SUPERUSER, f"organisation.user:{user}", "is a superuser")
        cursor.execute(_PAIRS)
        for user, number, one, other in cursor.fetchall():
            yield Finding(APART, f"organisation.user:{user}", f"pair {number}: {one} and {other}")
    yield from _matrix()


def _matrix() -> Iterator[Finding]:
    """A role that somebody changed in the database, and conflicts that are not those of pairs.py."""
    for role in ROLES:
        rows = Group.objects.filter(name=role.code).values_list(
            "permissions__content_type__app_label", "permissions__codename"
        )
        held = {f"{app}.{codename}" for app, codename in rows if codename}
        for name in sorted(held ^ set(role.permissions)):
            yield Finding(MATRIX, role.code, f"{'has' if name in held else 'lacks'} {name}")
    newest = Conflict.objects.order_by("-version").values_list("version", flat=True).first() or 0
    stored = set(Conflict.objects.filter(version=newest).values_list("pair", "role", "other"))
    if stored != {(c.pair, c.role, c.other) for c in pairs.conflicts()}:
        yield Finding(MATRIX, "access.conflict", "the pairs in the database are not those of this version")
