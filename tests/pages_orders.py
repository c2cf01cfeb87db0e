"""Rows for the pages of money orders, through the services that make them."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from backoffice.kernel.money import Money
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection, PayoutOrder, ServerOperation
from integrations.records import DealKind
from integrations.services import connections, operations, payouts
from tests.builders import ROBOT
from tests.pages import Made, builds
from tests.pages_accounts import broker


@builds("server-operations", "server-operation", "retry-operation")
def operations_at_a_server(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), ServerOperation.objects.count()
    with transaction.atomic():
        rows = [
            operations.operate(
                actor=ROBOT,
                connection_id=w.server.pk,
                login=1001,
                kind=DealKind.BALANCE,
                amount=Decimal(100 + n),
                reference=f"D-{n:08d}",
                text="Deposit",
                key=f"deposit:{n}",
            )
            for n in range(known, known + number)
        ]
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].reference,))


@builds("psp-payouts", "psp-payout", "retry-payout")
def payouts_at_a_psp(here: LegalEntity, number: int) -> Made:
    name, known = f"cards {here.code}", PayoutOrder.objects.count()
    psp = Connection.objects.filter(name=name).first() or gateway(here, name)
    with transaction.atomic():
        rows = [
            payouts.pay_out(
                actor=ROBOT,
                connection_id=psp.pk,
                reference=f"W-{n:08d}",
                amount=Money(Decimal("50.00"), "USD"),
                destination={"source_id": "src_1"},
                key=f"payout:{n}",
            )
            for n in range(known, known + number)
        ]
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].reference,))


def gateway(here: LegalEntity, name: str, url: str = "https://psp.example") -> Connection:
    return connections.add(
        actor=ROBOT,
        entity_id=here.pk,
        name=name,
        adapter="checkout_gateway",
        settings={"base_url": url, "source_account": "ca_1"},
        secret_values={"secret_key": "sk_not_shown"},
    )
