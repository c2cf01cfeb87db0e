"""Which part of the log a person may read.

Entries about a legal entity: those who work in it. Entries about none (people, roles, sign-ins, exports) may tell of
any of them, and changes by table say nothing of entities: both are for those who work in all of them.
"""

from __future__ import annotations

from django.apps import apps
from django.db.models import Q, QuerySet

from backoffice.audit import secrecy
from backoffice.audit.models import Change, Entry
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.selectors import scope

# What a system administrator may read: people, roles, sign-ins, connections, the log's own work.
TECHNICAL = ("access.", "audit.", "connection.", "feed.", "group.", "role.", "server.", "signin.", "user.")


def entries(user: User, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
    """What of these entries a reader of the log may see."""
    found = queryset if _everywhere(user) else queryset.filter(entity__in=scope.entity_ids(user))
    for hidden in secrecy.hidden_entries(user):
        found = found.exclude(hidden)
    return found


def _everywhere(user: User) -> bool:
    """Whether the person works in every legal entity there is."""
    return not LegalEntity.objects.exclude(pk__in=scope.entity_ids(user)).exists()


def technical(queryset: QuerySet[Entry]) -> QuerySet[Entry]:
    """Entries about users, roles and connections."""
    wanted = Q()
    for prefix in TECHNICAL:
        wanted |= Q(action__startswith=prefix)
    return queryset.filter(wanted)


def changes(user: User, queryset: QuerySet[Change]) -> QuerySet[Change]:
    """What of these changes a person may see: all, or none where there is an entity they do not work in."""
    if not _everywhere(user):
        return queryset.none()
    return queryset.exclude(table_name__in=secrecy.hidden_tables(user, scope.may))


def changes_of(user: User, target: str) -> QuerySet[Change]:
    """Changes of one row, by its name in the log ("app.model:key")."""
    label, _, key = target.partition(":")
    try:
        table = apps.get_model(label)._meta.db_table
    except (LookupError, ValueError):
        return Change.objects.none()
    return changes(user, Change.objects.filter(table_name=table, keys__contains=[key]))
