"""What of the audit log a reader must not see: entries about flags of kinds that reader may not know."""

from __future__ import annotations

from django.db.models import BigIntegerField, Exists, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from accounts.models import Flag
from accounts.models.flags import RULES
from accounts.selectors.visible import may_know
from backoffice.audit import secrecy
from backoffice.organisation.models import User


def hidden_entries(user: User) -> Q | None:
    """Entries that name a flag this reader may not know of; None where there is no such kind."""
    unknown = [kind for kind in RULES if not may_know(user, kind)]
    if not unknown:
        return None
    number = Cast(KeyTextTransform("flag", OuterRef("data")), BigIntegerField())
    return Q(Exists(Flag.objects.filter(pk=number, kind__in=unknown)), action__startswith="client.flag_")


def register() -> None:
    secrecy.hide_entries(hidden_entries)
    secrecy.hide_table(Flag._meta.db_table, RULES["AML_HOLD"].see)
