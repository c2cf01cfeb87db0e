"""The product as each role of the staff finds it: what the rail offers opens, and there is nothing else to find."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from backoffice.organisation.roles import ROLES
from tests.browser import staff
from tests.builders import entity
from tests.pages import pages
from tests.pages_accounts import broker

pytestmark = pytest.mark.django_db

LINK = re.compile(r'<li><a href="([^"]+)"( aria-current="page")?')


@pytest.mark.parametrize("role", [role.code for role in ROLES])
def test_the_rail_opens_what_it_names(role):
    here = entity("CY")
    broker(here)
    client = Client()
    client.force_login(staff("robin", role, here))

    links = [address for address, _ in LINK.findall(client.get("/").content.decode())]

    assert "/" in links
    for address in links:
        answer = client.get(address)
        assert answer.status_code == 200, address
        current = [link for link, mark in LINK.findall(answer.content.decode()) if mark]
        assert current == [address]


@pytest.mark.parametrize("role", [role.code for role in ROLES])
def test_no_page_outside_the_role_opens_and_its_refusal_names_what_is_missing(role):
    user = staff("robin", role, entity("CY"))
    held = user.get_all_permissions()
    client = Client()
    client.force_login(user)

    refused = [found for found in pages("backoffice.urls") if found.page and found.page.permission not in held]

    assert refused
    for found in refused:
        answer = client.get(found.address())
        assert answer.status_code == 403, found.route
        assert found.page.permission in answer.content.decode()
