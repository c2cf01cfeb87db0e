"""How the lists of clients, accounts and outside facts narrow."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import ClientCategory, ClientStatus
from accounts.selectors import visible
from backoffice.ui import filters
from integrations.models import Superseded
from integrations.records import DealKind, PspKind


def _codes(kind: Any) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ").lower()) for member in kind]


class CurrentOnly(filters.YesNo):
    """Only the newest version of each fact, unless old versions are asked for."""

    options: ClassVar[list[tuple[str, str]]] = [("yes", "all")]
    unsaid = "newest only"

    def __init__(self, fact_kind: str) -> None:
        super().__init__("id", "Versions")
        self.fact_kind = fact_kind

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == "yes":
            return qs
        # NOT EXISTS, not NOT IN: the planner takes a NOT IN to leave half the rows, and the total would say so.
        newer = Superseded.objects.filter(fact_kind=self.fact_kind, fact_id=OuterRef("id"))
        return qs.filter(~Exists(newer))


class Flags(filters.MultiChoice):
    """Clients with one of the flags the reader may know, under the reader's own words for them."""

    def __init__(self) -> None:
        super().__init__("flags", "Flags", [])

    @property
    def field(self) -> Any:
        self.options = visible.choices(self.parent.request.user)
        self.extra["choices"] = self.options
        return super().field

    def filter(self, qs: QuerySet[Any], value: list[str]) -> QuerySet[Any]:
        return visible.with_flag(qs, self.parent.request.user, value) if value else qs


class ClientFilters(filters.Filters):
    name = filters.Prefix("name", "Name", any_case=True)
    number = filters.Exact("number", "Client number")
    status = filters.MultiChoice("status", "Status", ClientStatus.choices)
    category = filters.Choice("category", "Category", ClientCategory.choices)
    flags = Flags()
    entity = filters.Entities()


class TradingAccountFilters(filters.Filters):
    login = filters.Whole("login", "Login")
    currency = filters.Exact("currency_id", "Currency", hint="USD")
    entity = filters.Entities()


class DealFilters(filters.Filters):
    login = filters.Whole("login", "Login")
    ticket = filters.Whole("ticket", "Ticket")
    day = filters.DateRange("business_date", "Business day")
    kind = filters.MultiChoice("kind", "Kind", _codes(DealKind))
    entity = filters.Entities()
    versions = CurrentOnly("deal")


class FillFilters(filters.Filters):
    order = filters.Exact("order_ref", "Order")
    execution = filters.Exact("exec_id", "Execution")
    day = filters.DateRange("trade_date", "Trade date")
    entity = filters.Entities()
    versions = CurrentOnly("fill")


class PspLineFilters(filters.Filters):
    reference = filters.Exact("merchant_reference", "Our reference", hint="D-7K3M9QPX")
    psp_reference = filters.Exact("psp_reference", "PSP reference")
    payout = filters.Exact("payout_key", "Payout", hint="batch 380 USD")
    kind = filters.MultiChoice("kind", "Kind", _codes(PspKind))
    booked = filters.MomentRange("booked_at", "Booked")
    entity = filters.Entities()


class BankLineFilters(filters.Filters):
    end_to_end = filters.Exact("end_to_end_id", "End-to-end id")
    booked = filters.DateRange("booking_date", "Booked")
    amount = filters.AmountRange("amount", "Amount")
    entity = filters.Entities()


class BankNoticeFilters(filters.Filters):
    booked = filters.DateRange("booking_date", "Told for")
    amount = filters.AmountRange("amount", "Amount")
    entity = filters.Entities()


class UnbookedFilters(filters.Filters):
    day = filters.DateRange("business_date", "Business day")
    entity = filters.Entities()
