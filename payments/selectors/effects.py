"""What a request has done, or in a rehearsal would do: lines in the books and operations at a trade server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backoffice.kernel.money import Money
from integrations.models import ServerOperation
from ledger.models import Journal
from ledger.selectors.lines import NamedLine, lines_of
from payments.models import MoneyRequest


def journals(request: MoneyRequest) -> list[Journal]:
    """The journals that name the request, oldest first: what was set aside, what moved, and the server's deals."""
    return list(
        Journal.objects.filter(entity_id=request.entity_id, description__startswith=request.reference)
        .filter(posted_at__gte=request.asked_at)
        .order_by("id")
    )


def lines(request: MoneyRequest) -> list[NamedLine]:
    """Their lines."""
    return lines_of(request.entity_id, *(journal.id for journal in journals(request)))


def effects(_: Any, request: MoneyRequest) -> list[Mapping[str, Any]]:
    """What approvers are shown: bookings by account, summed up, and what the server is asked to book."""
    sums: dict[tuple[str, str], Any] = {}
    for line in lines(request):
        key = (f"{line.code} {line.name}", line.currency)
        sums[key] = sums.get(key, 0) + line.amount
    booked = [
        {"account": account, "amount": amount, "currency": currency}
        for (account, currency), amount in sums.items()
        if amount
    ]
    operations = ServerOperation.objects.filter(reference=request.reference).select_related("connection").order_by("pk")
    at_server = [
        {
            "server": f"{operation.connection.name} login {operation.login}",
            "operation": operation.kind.lower(),
            "money": str(Money(operation.amount, operation.currency or request.currency_id)),
        }
        for operation in operations
    ]
    return [*booked, *at_server]
