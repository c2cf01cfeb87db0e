"""Grants of the application's database role, made from what the models declare.

Run as the owner after every migration (`manage protect`). Whatever is not declared is taken away, so a table
that a migration forgot to declare is closed, not open.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps
from django.conf import settings
from django.db import connection, models

from backoffice.kernel.tables import Access, access_of


def table_grants() -> dict[str, tuple[str, ...]]:
    """What the application's role may do, by table."""
    grants: dict[str, tuple[str, ...]] = {"django_migrations": Access.READ.value}
    for model in apps.get_models(include_auto_created=True):
        grants[model._meta.db_table] = access_of(model).value
    return grants


def functions() -> list[str]:
    """Functions the application's role may call; each app names its own on its AppConfig."""
    return sorted(name for config in apps.get_app_configs() for name in getattr(config, "app_functions", ()))


def append_only_tables() -> list[str]:
    """Tables that must carry a trigger refusing UPDATE, DELETE and TRUNCATE."""
    models_: Iterable[type[models.Model]] = apps.get_models(include_auto_created=True)
    return sorted(m._meta.db_table for m in models_ if getattr(m, "access", None) in (Access.APPEND, Access.READ))


def protect() -> int:
    """Give the application's role exactly what is declared. Returns the number of tables."""
    role = settings.DATABASE_APP_ROLE
    grants = table_grants()
    with connection.cursor() as cursor:
        quote = connection.ops.quote_name
        name = quote(role)
        cursor.execute("SELECT current_database(), current_schema()")
        row = cursor.fetchone()
        assert row is not None
        database = quote(row[0])
        cursor.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        cursor.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {name}")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {name}")
        cursor.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {name}")
        cursor.execute(f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, {name}")
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}")
        for table, rights in sorted(grants.items()):
            cursor.execute(f"GRANT {', '.join(rights)} ON {quote(table)} TO {name}")
        for function in functions():
            cursor.execute(f"GRANT EXECUTE ON FUNCTION {quote(function)} TO {name}")
    return len(grants)


def differences() -> list[str]:
    """Where the running database's rights and guards differ from what is declared; empty when all is well."""
    role = settings.DATABASE_APP_ROLE
    found: list[str] = []
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.relname, coalesce(array_agg(a.privilege_type ORDER BY a.privilege_type)
                      FILTER (WHERE a.privilege_type IS NOT NULL), '{}')
                 FROM pg_class c
                 LEFT JOIN LATERAL aclexplode(c.relacl) a
                   ON a.grantee IN (0, (SELECT oid FROM pg_roles WHERE rolname = %s))
                WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                GROUP BY c.relname""",
            [role],
        )
        declared = table_grants()
        for table, rights in cursor.fetchall():
            wanted = sorted(declared.get(table, ()))
            if sorted(rights) != wanted:
                found.append(f"rights of {role} on {table}: {', '.join(rights) or 'none'}, declared {wanted}")
        cursor.execute(
            """SELECT c.relname FROM pg_class c
                WHERE c.relname = ANY (%s) AND NOT EXISTS (
                    SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgenabled = 'A'
                       AND (t.tgtype & 16 > 0 OR t.tgtype & 8 > 0))""",
            [append_only_tables()],
        )
        found += [f"{table} has lost the trigger that refuses changes" for (table,) in cursor.fetchall()]
        cursor.execute(
            """SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                WHERE NOT t.tgisinternal AND t.tgenabled <> 'A' AND c.relnamespace = 'public'::regnamespace"""
        )
        found += [f"the trigger {name} on {table} is not always enabled" for table, name in cursor.fetchall()]
    return found
