"""Grants of the application's database role, made from what the models declare.

Run as the owner after every migration (`manage protect`). Whatever is not declared is taken away, so a table
that a migration forgot to declare is closed, not open.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.backends.utils import CursorWrapper

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
    with connection.cursor() as cursor:
        return [*_rights(cursor, role), *_functions(cursor, role), *_triggers(cursor), *_constraints(cursor)]


def _rights(cursor: CursorWrapper, role: str) -> Iterator[str]:
    """Rights on tables and columns, and that the role cannot act as the owner of the tables."""
    cursor.execute(_TABLE_RIGHTS, [role])
    declared = table_grants()
    for table, rights in cursor.fetchall():
        wanted = sorted(declared.get(table, ()))
        if sorted(rights) != wanted:
            yield f"rights of {role} on {table}: {', '.join(rights) or 'none'}, declared {wanted}"
    cursor.execute(_COLUMN_RIGHTS, [role])
    for table, column, right in cursor.fetchall():
        yield f"{role} has {right} on the column {table}.{column}; rights are declared by table only"
    cursor.execute(_OWNERS, [role])
    for (owner,) in cursor.fetchall():
        yield f"{role} may act as {owner}, who owns the tables"


def _functions(cursor: CursorWrapper, role: str) -> Iterator[str]:
    """Who may call our functions, and that their bodies are those of the repository."""
    cursor.execute(
        """SELECT proname, prosrc, has_function_privilege(%s, oid, 'EXECUTE') FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace
              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')""",
        [role],
    )
    found = {name: (body, may) for name, body, may in cursor.fetchall()}
    callable_ = set(functions())
    for name, (_, may) in sorted(found.items()):
        if may != (name in callable_):
            yield f"{role} {'may' if may else 'may not'} call {name}, against what is declared"
    for name, body in sorted(declared_functions().items()):
        if found.get(name, ("", False))[0] != body:
            yield f"the function {name} is not that of this version"


def _triggers(cursor: CursorWrapper) -> Iterator[str]:
    """Every trigger of the repository is there and always enabled, those of each partition too."""
    cursor.execute(_UNGUARDED, [append_only_tables()])
    for (table,) in cursor.fetchall():
        yield f"{table} has lost the trigger that refuses changes"
    cursor.execute(
        """SELECT t.tgname, c.relname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
            WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace"""
    )
    found = {(name, table): enabled for name, table, enabled in cursor.fetchall()}
    for (name, table), enabled in sorted(found.items()):
        if enabled != "A":
            yield f"the trigger {name} on {table} is not always enabled"
    for name, table in sorted(declared_triggers() - found.keys()):
        yield f"the trigger {name} on {table} is gone"


def _constraints(cursor: CursorWrapper) -> Iterator[str]:
    """Every named constraint of the repository is there and holds for all rows, and no foreign key is switched off."""
    cursor.execute(
        """SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND convalidated
            UNION SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisunique"""
    )
    for name in sorted(declared_constraints() - {name for (name,) in cursor.fetchall()}):
        yield f"the constraint {name} is gone"
    cursor.execute(
        """SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger
            WHERE tgisinternal AND tgenabled = 'D' AND tgconstraint <> 0 ORDER BY 1"""
    )
    for (table,) in cursor.fetchall():
        yield f"foreign keys of {table} are switched off"


def declared_functions() -> dict[str, str]:
    """The bodies of our functions as the apps' sql/ files have them."""
    return {name: body for text in _sql_texts() for name, body in _FUNCTION.findall(text)}


def declared_triggers() -> set[tuple[str, str]]:
    """(trigger, table) as the apps' sql/ files have them."""
    return {pair for text in _sql_texts() for pair in _TRIGGER.findall(text)}


def declared_constraints() -> set[str]:
    """Names of constraints, as the models and the apps' sql/ files have them."""
    of_models = {c.name for model in apps.get_models() for c in model._meta.constraints if model._meta.managed}
    return of_models | {name for text in _sql_texts() for name in _CONSTRAINT.findall(text)}


def _sql_texts() -> Iterator[str]:
    for config in apps.get_app_configs():
        for path in sorted((Path(config.path) / "sql").glob("*.sql")):
            yield path.read_text()


_FUNCTION = re.compile(r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)\(.*?\$\$(.*?)\$\$", re.DOTALL | re.MULTILINE)
_CONSTRAINT = re.compile(r"\bCONSTRAINT (?!TRIGGER\b)(\w+)\s")
_TRIGGER = re.compile(r"^CREATE (?:CONSTRAINT )?TRIGGER (\w+)\s[^;]*?\sON (\w+)\s", re.MULTILINE)
_TABLE_RIGHTS = """
SELECT c.relname, coalesce(array_agg(a.privilege_type ORDER BY a.privilege_type)
                           FILTER (WHERE a.privilege_type IS NOT NULL), '{}')
  FROM pg_class c
  LEFT JOIN LATERAL aclexplode(c.relacl) a ON a.grantee IN (0, (SELECT oid FROM pg_roles WHERE rolname = %s))
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
 GROUP BY c.relname
"""
_COLUMN_RIGHTS = """
SELECT c.relname, a.attname, x.privilege_type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 CROSS JOIN LATERAL aclexplode(a.attacl) x
 WHERE c.relnamespace = 'public'::regnamespace
   AND x.grantee IN (0, (SELECT oid FROM pg_roles WHERE rolname = %s))
"""
_OWNERS = """
SELECT DISTINCT pg_get_userbyid(c.relowner) FROM pg_class c
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND pg_has_role(%s, c.relowner, 'MEMBER')
"""
# Of tgtype: 4 is INSERT, 8 DELETE, 16 UPDATE, 32 TRUNCATE. A partition refuses all four.
_UNGUARDED = """
SELECT c.relname FROM pg_class c
  LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgenabled = 'A' AND NOT t.tgisinternal
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
   AND (c.relname = ANY (%s) OR c.relispartition)
 GROUP BY c.oid, c.relname, c.relispartition
HAVING coalesce(bit_or(t.tgtype), 0) & 56 <> 56 OR (c.relispartition AND coalesce(bit_or(t.tgtype), 0) & 4 = 0)
"""
