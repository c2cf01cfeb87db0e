"""Rows for the pages that ask for money to move inside the house: a client of the small broker."""

from __future__ import annotations

from backoffice.organisation.models import LegalEntity
from tests.pages import Made, builds
from tests.pages_accounts import broker


@builds("open-wallet", "transfer-money", "adjust-money", "convert-money")
def somebody(here: LegalEntity, number: int) -> Made:
    return Made(kwargs={"pk": broker(here).client.pk})
