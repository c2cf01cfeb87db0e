"""Rows for the pages of chargebacks, through the services that make them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.models import LegalEntity
from integrations.models import Connection
from payments.actions import chargebacks as actions
from payments.models import CaseState, ChargebackCase, DisputeMonth, EventSource
from payments.services import cases
from tests.builders import ROBOT, person, user
from tests.chargebacks import both, opened
from tests.pages import Made, builds
from tests.pages_accounts import broker
from tests.pages_payments import client_of, wallet_of

WORDS = ("M-1",)


def provider(here: LegalEntity) -> Connection:
    return broker(here).psp


def rows_of(here: LegalEntity, number: int, state: CaseState = CaseState.CHARGED_BACK) -> list[ChargebackCase]:
    client, known = client_of(here), ChargebackCase.objects.count()
    soon = clock.now() + timedelta(days=2)
    return [
        opened(client, provider(here), state=state, dispute_reference=f"D{n}", deadline_at=soon)
        for n in range(known, known + number)
    ]


@builds("chargebacks", "case-deadlines", "chargeback", "move-case", "note-case", "evidence-pack")
def many_cases(here: LegalEntity, number: int) -> Made:
    rows = rows_of(here, number)
    return Made(kwargs={"pk": rows[0].pk}, words=WORDS)


@builds("charge-case", "case-transfer")
def many_chargeable(here: LegalEntity, number: int) -> Made:
    wallet_of(client_of(here))
    return many_cases(here, number)


@builds("assign-case")
def many_unknown(here: LegalEntity, number: int) -> Made:
    psp, known = provider(here), ChargebackCase.objects.count()
    rows = []
    for n in range(known, known + number):
        about = cases.About(entity_id=here.pk, connection_id=psp.pk, dispute_reference=f"U{n}")
        rows.append(heard(about, n))
    return Made(kwargs={"pk": rows[0].pk}, words=())


def heard(about: cases.About, number: int) -> ChargebackCase:
    with transaction.atomic():
        said = cases.Said(
            kind="NOTIFIED", state=CaseState.NOTIFIED, happened_at=clock.now(), source_id=number + 1_000_000,
            source=EventSource.MESSAGE, amount=Money(Decimal(50), "USD"),
        )  # fmt: skip
        return cases.hear(actor=ROBOT, about=about, said=said)


@builds("open-case")
def one_client(here: LegalEntity, number: int) -> Made:
    provider(here)
    rows_of(here, number)
    return Made(kwargs={"pk": client_of(here).pk}, words=("Grace Hopper",))


@builds("return-case")
def many_won(here: LegalEntity, number: int) -> Made:
    wallet = wallet_of(client_of(here))
    rows = rows_of(here, number)
    for row in rows:
        payload = actions.ChargeClient(row.pk, wallet.pk, Decimal(50), "USD")
        both(_member(here, "fred"), _member(here, "fiona"), actions.CHARGE, payload)
        cases.move(actor=ROBOT, case_id=row.pk, to="WON", text="the issuer gave in")
    return Made(kwargs={"pk": rows[0].pk}, words=WORDS)


def _member(here: LegalEntity, name: str) -> Person:
    rights = {"fred": "payments.ask_chargeback", "fiona": "payments.approve_chargeback"}
    return person(user(name, rights[name], entities=(here,)))


@builds("dispute-ratios")
def many_months(here: LegalEntity, number: int) -> Made:
    psp, known = provider(here), DisputeMonth.objects.count()
    today = clock.today()
    for n in range(known, known + number):
        month = (today.replace(day=1) - timedelta(days=28 * n)).replace(day=1)
        for scheme in ("VISA", "MASTERCARD", "OTHER"):
            DisputeMonth.objects.get_or_create(
                entity=here, connection=psp, scheme=scheme, month=month,
                defaults={"settled": 100, "disputes": 1, "counted_at": clock.now()},
            )  # fmt: skip
    return Made(words=(psp.name,))
