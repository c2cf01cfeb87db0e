"""The page of a client beyond what tests/test_ui_pages.py does with every page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from ledger.models import Journal
from tests import builders
from tests.pages_accounts import broker, trade
from tests.worlds import NOON, connection, deal

pytestmark = pytest.mark.django_db


def test_a_busier_login_with_the_same_number_on_another_server_does_not_push_a_clients_deals_away():
    here = builders.entity("CY")
    w = broker(here)
    trade(w, 1)
    other = connection("mt5_webapi", "mt5-other")
    w.put(other, *(deal(9_000 + n, server_time=NOON + timedelta(minutes=n + 1)) for n in range(60)))
    client = Client()
    client.force_login(builders.user("mara", "accounts.view_client", entities=(here,)))

    html = client.get(reverse("client", args=[w.client.pk])).content.decode()

    assert "<code>1</code>" in html
    assert "<code>9000</code>" not in html


def test_the_page_of_a_journal_leads_to_the_fact_it_comes_from():
    here = builders.entity("CY")
    w = broker(here)
    trade(w, 1)
    w.book()
    journal = Journal.objects.get(reference__startswith="deal:")
    client = Client()
    client.force_login(
        builders.user(
            "ada", "ledger.view_journal", "ledger.view_ledgeraccount", "integrations.view_deal", entities=(here,)
        )
    )

    html = client.get(reverse("journal", args=[journal.pk])).content.decode()

    address = reverse("deal", args=[int(journal.reference.partition(":")[2])])
    assert f'href="{address}"' in html
    assert client.get(address).status_code == 200
