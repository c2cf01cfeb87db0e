"""A client's money on the client's page: wallets, requests, payees, and the ways to more."""

from __future__ import annotations

from django.urls import reverse

from accounts.models import Client
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui.panels import Panel
from payments.models import MoneyRequest, Payee
from payments.selectors import lists, page
from payments.tables import desk as tables

_WAYS = (
    ("Enter a withdrawal", "submit-withdrawal", "payments.submit_withdrawal"),
    ("Enter a deposit", "announce-deposit", "payments.ask_deposit"),
    ("Open a chargeback case", "open-case", "payments.work_chargeback"),
    ("Transfer", "transfer-money", "payments.ask_transfer"),
    ("Convert", "convert-money", "payments.ask_transfer"),
    ("Correction, credit, bonus or fee", "adjust-money", "payments.ask_adjustment"),
    ("Open a wallet", "open-wallet", "payments.open_wallet"),
)
_PAYEE = ("Propose a payee", "propose-payee", "payments.propose_payee")


def panel(user: User, client: Client) -> Panel | None:
    """What this reader may see of a client's money; None where it is nothing."""
    sees, sees_payees = scope.may(user, lists.VIEW), scope.may(user, "payments.view_payee")
    if not sees and not sees_payees:
        return None
    requests = MoneyRequest.objects.filter(client=client).order_by("-pk")[:10]
    payees = Payee.objects.filter(client=client).exclude(state="RETIRED").order_by("-pk")[:10]
    return Panel(
        "payments/client.html",
        {
            "wallets": page.wallets_of(client) if sees else [],
            "sees": sees,
            "sees_payees": sees_payees,
            "requests": tables.ClientRequestTable().html(requests, caption="Requests for money") if sees else "",
            "payees": tables.ClientPayeeTable().html(payees, caption="Payees") if sees_payees else "",
            "ways": _links(user, client, _WAYS),
            "payee_ways": _links(user, client, (_PAYEE,)),
        },
    )


def _links(user: User, client: Client, ways: tuple[tuple[str, str, str], ...]) -> list[tuple[str, str]]:
    return [(label, reverse(route, args=[client.pk])) for label, route, needs in ways if scope.may(user, needs)]
