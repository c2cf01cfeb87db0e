"""Rows for the pages of client money: calculations over wallets of the small broker."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from accounts.models import Client
from accounts.services import clients, wallets
from backoffice.kernel import clock
from backoffice.kernel.money import Money
from backoffice.organisation.models import LegalEntity
from reconciliation.models import ClientMoneyRun
from reconciliation.services import client_money
from tests.builders import ROBOT
from tests.pages import Made, builds
from tests.pages_accounts import broker


def calculated(here: LegalEntity, number: int) -> list[ClientMoneyRun]:
    """`number` more calculations for yesterday; a client with a wallet makes each of them short."""
    broker(here)
    known = Client.objects.filter(number__startswith="M-").count()
    client = clients.open_client(
        actor=ROBOT, entity_id=here.pk, number=f"M-{known}", name=f"Holder {known}", country="CY"
    )
    wallet = wallets.open_wallet(actor=ROBOT, client_id=client.pk, currency=here.reporting_currency_id)
    yesterday = clock.today() - timedelta(days=1)
    wallets.move(
        actor=ROBOT,
        wallet=wallet,
        amount=Money(Decimal(100), here.reporting_currency_id),
        contra="clearing.client_money",
        key=f"in:{wallet.pk}",
        description="opening",
        day=yesterday,
    )
    return [client_money.run(actor=ROBOT, entity_id=here.pk, day=yesterday) for _ in range(number)]


@builds("client-money", "client-money-run", "sign-client-money", "top-up-client-money", "client-money-report")
def runs(here: LegalEntity, number: int) -> Made:
    made = calculated(here, number)
    return Made(kwargs={"pk": made[-1].pk}, ids=tuple(run.pk for run in made))


@builds("client-money-client")
def of_one_client(here: LegalEntity, number: int) -> Made:
    made = calculated(here, number)
    return Made(kwargs={"pk": made[-1].of_clients.filter(requirement__gt=0)[0].pk})


@builds("calculate-client-money", "segregate-account", "client-money-rule")
def nothing_needed(here: LegalEntity, number: int) -> Made:
    broker(here)
    return Made()
