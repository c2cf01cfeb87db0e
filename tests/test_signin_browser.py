"""The door in a real browser: nothing of it needs what the content security policy forbids."""

from __future__ import annotations

import base64

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from backoffice.organisation.models import User
from backoffice.signin.models import Authenticator, Session
from tests import signed_in
from tests.browser import PASSWORD
from tests.builders import entity, user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def fiona() -> User:
    found = user("fiona", entities=(entity("CY"),))
    found.set_password(PASSWORD)
    found.save()
    found.groups.add(Group.objects.get(name="FAP"))
    return found


def secret_on(page) -> bytes:
    shown = page.locator("code.secret").inner_text()
    device = Authenticator.objects.get(confirmed=False)
    assert base64.b32decode(shown.replace(" ", "")) == device.bin_key
    return device.bin_key


def test_from_the_first_password_to_recovery_codes_and_back_in(visit):
    found = fiona()
    who = visit()
    page = who.page
    page.goto(who.address + reverse("my-sign-in"))
    page.get_by_label("Username").fill("fiona")
    page.get_by_label("Password").fill(PASSWORD)
    who.press("Sign in")
    page.get_by_label("Your password").fill(PASSWORD)
    who.press("Go on")
    assert page.locator(".qr svg path").bounding_box()["width"] > 100
    secret = secret_on(page)
    page.get_by_label("Code of your authenticator").fill(signed_in.code(secret))
    who.press("Confirm")
    assert page.locator(".codes code").count() == 10
    code = page.locator(".codes code").first.inner_text()
    who.press("I have kept them")
    page.wait_for_url(who.address + reverse("my-sign-in"))
    who.sees("this one", "10 recovery codes left")

    page.locator(".who summary").click()
    who.press("Sign out")
    page.get_by_label("Username").fill("fiona")
    page.get_by_label("Password").fill(PASSWORD)
    who.press("Sign in")
    who.press("Use a recovery code")
    page.get_by_label("Recovery code").fill(code)
    who.press("Sign in")
    page.wait_for_url(who.address + "/")
    assert Session.objects.filter(user=found, ended_at__isnull=True).count() == 1


def test_the_pages_of_an_administrator(visit):
    fiona()
    sam = user("sam", "signin.view_session", "signin.send_link", "signin.ask_rule", entities=(entity("CY"),))
    who = visit().enter(sam)
    who.go("people-sign-in")
    who.sees("fiona", "FAP", "missing")
    who.press("Networks")
    who.press("Allow a network")
    who.page.get_by_label("Network").fill("192.0.2.0/24")
    who.page.get_by_label("Role").select_option("AUD")
    who.page.get_by_label("Kind of reason").select_option("OPERATIONS")
    who.page.get_by_label("Reason", exact=True).fill("the new office")
    who.press("Ask for approval")
    who.sees("Sent for approval")
