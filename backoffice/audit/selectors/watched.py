"""Which tables are watched: every table that may be changed, unless its reason not to be stands here.

Append-only tables need no watching, they refuse changes. The rest is watched, those of libraries, of links between
rows and those that only the owner writes included, so that a new table is watched from its first `manage protect` on.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import connection, models

from backoffice.kernel.tables import Access

# Machinery: written many times a minute by jobs, wrong values show in what it drives. Table or app -> reason.
UNWATCHED = {
    "sessions": "sign-ins have entries of their own; a session holds no business data",
    "contenttypes": "made from the code by migrate",
    "admin": "Django's own log of its admin, beside ours",
    "axes": "counts of wrong sign-ins",
    "outbox_message": "a state per attempt to send; what was promised is in the entry of its use case",
    "integrations_feedstate": "how far a feed was read; changes with every pull",
    "integrations_serveruser": "what a server last said of a login; read whole every few minutes",
    "integrations_webhookoverflow": "counts of refused webhooks that were not kept",
    "integrations_fileimport": "progress of a file's reading; people's part in it has entries",
    "accounts_bookingcursor": "how far facts were booked; verify recomputes it",
    "accounts_unbooked": "written by every booking pass; verify recomputes it",
    "reconciliation_run": "progress of a run",
    "reconciliation_tradematch": "results of a run, by the million; made again by the next",
    "reconciliation_cashmatch": "results of runs, by the million; people's have entries of their own and none changes",
    "reconciliation_suggestion": "results of a run; a person's decision has an entry",
    "reporting_reportrun": "progress of a report; its files are append-only",
    "audit_cursor": "the sealer's own note; verification does not believe it",
    "audit_check": "progress of a verification",
}
# Never readable in a change: what opens something, and what is about a person (see docs.md, personal data).
SECRETS = frozenset({"password", "secret", "secrets", "secret_key", "token", "seed", "wrapped", "digest", "hash"})
PERSONAL = frozenset(
    {"email", "first_name", "last_name", "full_name", "phone", "address", "birth_date", "date_of_birth", "iban",
     "tax_number", "document_number"}
)  # fmt: skip
# Libraries that keep a secret in a column whose name says nothing.
OF_LIBRARIES = {"otp_totp_totpdevice": ("key",), "otp_static_statictoken": ("token",)}
# Columns that a sign-in moves; alone they are no change.
QUIET = frozenset(
    {"last_login", "last_t", "drift", "last_used_at", "throttling_failure_count", "throttling_failure_timestamp",
     "last_seen_at", "read_at"}
)  # fmt: skip
OPERATIONS = ("insert", "update", "delete")


@dataclass(frozen=True, slots=True)
class Watched:
    """A table with the arguments of its triggers."""

    table: str
    keys: tuple[str, ...]
    hidden: tuple[str, ...]
    quiet: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, str, str]:
        return _array(self.keys), _array(self.hidden), _array(self.quiet)


def tables() -> list[Watched]:
    """Every watched table, by name."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        if not meta.proxy and not _refuses_changes(model) and not _reason(model):
            found[meta.db_table] = _watched(model)
    return [found[name] for name in sorted(found)]


def histories() -> list[str]:
    """Tables of simple-history: what was, is not edited."""
    return sorted(m._meta.db_table for m in apps.get_models() if hasattr(m, "history_object"))


def differences() -> list[str]:
    """Watched tables and histories whose triggers are missing, switched off or of another version."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS)
        found = {(table, name): (enabled, bytes(arguments)) for table, name, enabled, arguments in cursor.fetchall()}
    wrong = []
    for row in tables():
        wanted = b"".join(argument.encode() + b"\0" for argument in row.arguments)
        for operation in OPERATIONS:
            if found.get((row.table, f"audit_note_{operation}")) != ("A", wanted):
                wrong.append(f"{row.table} is not watched: {operation}")
        if found.get((row.table, "audit_note_truncate"), ("", b""))[0] != "A":
            wrong.append(f"{row.table} may be emptied by TRUNCATE")
    wrong += [
        f"{table} may be changed" for table in histories() if found.get((table, "history_kept"), ("", b""))[0] != "A"
    ]
    return wrong


def _refuses_changes(model: type[models.Model]) -> bool:
    """Whether triggers of its own refuse every change: of tables declared append-only, and of histories."""
    declared = getattr(model, "access", None) in (Access.APPEND, Access.READ)
    return declared or hasattr(model, "history_object")


def _reason(model: type[models.Model]) -> str:
    return UNWATCHED.get(model._meta.db_table, "") or UNWATCHED.get(model._meta.app_label, "")


def _watched(model: type[models.Model]) -> Watched:
    meta = model._meta
    columns = [field.column for field in meta.local_concrete_fields if field.column]
    own = {meta.get_field(name).column for name in getattr(model, "personal", ())}  # type: ignore[union-attr]
    own |= set(OF_LIBRARIES.get(meta.db_table, ()))
    return Watched(
        meta.db_table,
        tuple(str(field.column) for field in meta.pk_fields),
        tuple(column for column in columns if column in SECRETS | PERSONAL | own),
        tuple(column for column in columns if column in QUIET),
    )


def _array(names: tuple[str, ...]) -> str:
    return "{" + ",".join(names) + "}"


_TRIGGERS = r"""
SELECT c.relname, t.tgname, t.tgenabled, t.tgargs FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace
   AND (t.tgname LIKE 'audit\_note\_%' OR t.tgname = 'history_kept')
"""
