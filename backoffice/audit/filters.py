"""How the log is searched. Everything stands in the address."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from backoffice.audit.models import Entry
from backoffice.organisation.models import User
from backoffice.ui import filters


class People(filters.Choice):
    """One member of staff."""

    def __init__(self) -> None:
        super().__init__("actor_id", "Who", [])

    @property
    def field(self) -> Any:
        if not self.options:
            self.options = [(str(user.pk), str(user)) for user in User.objects.order_by("username")]
            self.extra["choices"] = [("", "Any"), *self.options]
        return super().field


class WithoutEntry(filters.YesNo):
    """Whether the transaction of a change has an entry: made by a use case, or around all of them."""

    def __init__(self) -> None:
        super().__init__("xid", "By a use case")

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if not value:
            return qs
        has_entry = Exists(Entry.objects.filter(xid=OuterRef("xid")))
        return qs.filter(has_entry if value == "yes" else ~has_entry)


class TechnicalFilters(filters.Filters):
    action = filters.Prefix("action", "What", hint="client.suspended, or the beginning")
    target = filters.Exact("target", "About", hint="accounts.client:5")
    at = filters.MomentRange("at", "When")


class PartFilters(filters.Filters):
    """Of a list that is narrow already."""

    at = filters.MomentRange("at", "When")
    entity = filters.Entities()


class EntryFilters(TechnicalFilters):
    who = People()
    request = filters.Exact("request_id", "Request number")
    entity = filters.Entities()


class ChangeFilters(filters.Filters):
    table = filters.Exact("table_name", "Table")
    operation = filters.MultiChoice("operation", "Statement", [(o, o) for o in ("INSERT", "UPDATE", "DELETE")])
    at = filters.MomentRange("at", "When")
    entry = WithoutEntry()
