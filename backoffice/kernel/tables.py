"""How a table may be written, said on its model and enforced by PostgreSQL.

`access` on a model names what the application's own database role may do. `manage protect` turns it into
grants after every migration, and `verify` compares the grants of a running database with it.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from django.db import migrations, models


class Access(Enum):
    """What the application's database role may do to a table."""

    READ = ("SELECT",)  # written by posting functions only
    APPEND = ("SELECT", "INSERT")  # facts: added, never changed
    EDIT = ("SELECT", "INSERT", "UPDATE")  # business rows: nothing is ever deleted
    ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")  # sessions, grants of permissions, third-party tables


OWN_APPS = (
    "organisation",
    "audit",
    "outbox",
    "approvals",
    "access",
    "signin",
    "ledger",
    "integrations",
    "accounts",
    "payments",
    "reconciliation",
    "partners",
    "reporting",
)


# What `migrate` and `load_roles` write as the owner and nobody else: roles, and guardian's generic permissions, whose
# rows would outlive what they are about.
OWNERS_ALONE = ("auth_group", "auth_group_permissions", "auth_permission", "guardian_")


def access_of(model: type[models.Model]) -> Access:
    """The declared access; EDIT for our own tables, ALL for those of libraries and for links between rows."""
    if model._meta.db_table.startswith(OWNERS_ALONE):
        return Access.READ
    declared = getattr(model, "access", None)
    if declared is not None:
        assert isinstance(declared, Access)
        return declared
    if model._meta.auto_created:
        return Access.ALL
    if hasattr(model, "history_object"):  # simple-history's tables: what was, is not edited
        return Access.APPEND
    return Access.EDIT if model._meta.app_label in OWN_APPS else Access.ALL


def sql_file(app_folder: str, name: str, undo: str = migrations.RunSQL.noop) -> migrations.RunSQL:
    """A migration step that runs one file of the app's sql/ folder."""
    path = Path(app_folder).resolve().parent.parent / "sql" / name
    return migrations.RunSQL(path.read_text(), undo)


def append_only(*tables: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE for everybody, the owner and replication sessions included."""
    statements = []
    for table in tables:
        statements.append(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();"
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only;"
        )
    return migrations.RunSQL("".join(statements), migrations.RunSQL.noop)
