"""Put the triggers on watched tables; run as the owner after every migration, by `manage protect`."""

from __future__ import annotations

from django.db import connection

from backoffice.audit.selectors import watched
from backoffice.audit.selectors.watched import OPERATIONS, Watched

_ROWS = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
}


def watch() -> int:
    """Watch every table that is to be watched. Returns their number."""
    rows = watched.tables()
    wrong = {text.partition(" ")[0] for text in watched.differences()}
    with connection.cursor() as cursor:
        for row in rows:
            if row.table in wrong:
                for statement in _statements(row):
                    cursor.execute(statement)
        for table in watched.histories():
            if table in wrong:
                cursor.execute(_refusing(table, "history_kept", "UPDATE OR DELETE OR TRUNCATE"))
    return len(rows)


def _statements(row: Watched) -> list[str]:
    table = connection.ops.quote_name(row.table)
    arguments = ", ".join(f"'{argument}'" for argument in row.arguments)
    found = [_refusing(row.table, "audit_note_truncate", "TRUNCATE")]
    for operation in OPERATIONS:
        name = f"audit_note_{operation}"
        found.append(
            f"DROP TRIGGER IF EXISTS {name} ON {table}; CREATE TRIGGER {name} AFTER {operation.upper()} ON {table}"
            f" {_ROWS[operation]} FOR EACH STATEMENT EXECUTE FUNCTION audit_note_change({arguments});"
            f" ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
        )
    return found


def _refusing(name: str, trigger: str, operations: str) -> str:
    table = connection.ops.quote_name(name)
    return (
        f"DROP TRIGGER IF EXISTS {trigger} ON {table}; CREATE TRIGGER {trigger} BEFORE {operations} ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION house_refuse_change();"
        f" ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
    )
