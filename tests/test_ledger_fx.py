"""Exchange between currencies: two legs through the named clearing account, and nothing without it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import transaction

from backoffice.kernel.money import Money
from ledger.models import LedgerAccount
from ledger.selectors import verify
from ledger.selectors.balances import balances
from ledger.services import chart, fx, journal
from ledger.services.journal import Draft, Entry
from tests.builders import ROBOT, entity, ledger_account

pytestmark = pytest.mark.django_db


def draft(*entries: Entry) -> Draft:
    return Draft(key="fx:1", business_date=date(2026, 11, 19), kind="FX", description="exchange", entries=list(entries))


def test_each_currency_sums_to_zero_and_the_clearing_account_holds_the_position():
    here = entity("CY")
    clearing = {}
    for currency in ("USD", "JPY"):
        chart.open_house(actor=ROBOT, entity_id=here.pk, currency=currency)
        clearing[currency] = LedgerAccount.objects.get(entity=here, code=fx.CLEARING, currency_id=currency).pk
    dollars, yen = ledger_account(here, "wallet"), ledger_account(here, "wallet", currency="JPY")

    journal.post(
        actor=ROBOT,
        entity_id=here.pk,
        draft=draft(
            *fx.exchange_entries(
                from_account_id=dollars.pk,
                sold=Money(Decimal("100.00"), "USD"),
                to_account_id=yen.pk,
                bought=Money(Decimal("15000"), "JPY"),
                clearing=clearing,
            )
        ),
    )

    found = balances([dollars.pk, yen.pk, *clearing.values()])
    assert (found[dollars.pk], found[clearing["USD"]]) == (Decimal("100.00"), Decimal("-100.00"))
    assert (found[yen.pk], found[clearing["JPY"]]) == (Decimal("-15000"), Decimal("15000"))
    assert list(verify.findings()) == []


def test_an_exchange_without_clearing_is_refused():
    here = entity("CY")
    dollars, yen = ledger_account(here, "wallet"), ledger_account(here, "wallet", currency="JPY")
    entries = Entry(dollars.pk, Decimal("100.00")), Entry(yen.pk, Decimal("-15000"))

    with pytest.raises(journal.Unbalanced), transaction.atomic():
        journal.post(actor=ROBOT, entity_id=here.pk, draft=draft(*entries))
