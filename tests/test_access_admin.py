"""The administration of users: what it shows, what it never does, and the second person it cannot go around."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from backoffice.access.admin import site
from backoffice.approvals.models import Request, State
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.organisation.models import EntityAccess, User
from backoffice.signin.models import Session
from tests.access_world import House, roles
from tests.attacks import everything

pytestmark = pytest.mark.django_db
USERS, ADD = "/admin/organisation/user/", "/admin/organisation/user/add/"


@pytest.fixture
def house() -> House:
    return House(("fred", "FMK"))


@pytest.fixture
def sam(house) -> Client:
    return signed_in(house.sam)


def signed_in(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def person_form(**values: object) -> dict[str, object]:
    return {
        "username": "pat",
        "first_name": "Pat",
        "last_name": "P",
        "email": "pat@example.com",
        "title": "",
        "reason_code": "JOINER",
        **values,
    }


def said(answer: object) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


# Journey 15: an administrator creates a user with two roles that exclude each other


def test_finance_maker_and_approver_in_one_person_is_refused_and_the_pair_named(house, sam):
    form = person_form(roles=["FMK", "FAP"], entities=[house.here.pk], reason="small office")

    answer = sam.post(ADD, form)

    assert answer.status_code == 200
    assert "FAP and FMK exclude each other (pair 2: finance maker and finance approver)" in said(answer)
    assert not User.objects.filter(username="pat").exists()
    assert not Request.objects.filter(action="access.grant").exists()


def test_the_other_role_of_somebody_who_has_one_is_refused_too(house, sam):
    form = person_form(username="fred", roles=["FAP"], entities=[house.here.pk], reason="holiday")
    answer = sam.post(f"{USERS}{house.fred.pk}/change/", form)
    assert "pair 2" in said(answer)
    assert roles(house.fred) == {"FMK"}


def test_the_administrator_sees_no_balances(house, sam):
    for name in ("clients", "trading-accounts", "ledger-accounts", "trial-balance", "journals", "deals", "psp-lines"):
        assert sam.get(reverse(name)).status_code == 403, name
    shown = {model._meta.label for model in site._registry}
    assert not {label for label in shown if label.split(".")[0] in ("accounts", "ledger", "integrations", "reporting")}


# What saving does


def test_somebody_new_has_no_rights_and_the_role_is_asked_for(house, sam):
    answer = sam.post(ADD, person_form(roles=["PAY"], entities=[house.here.pk], reason="new in payments"))

    assert answer.status_code == 302, said(answer)
    pat = User.objects.get(username="pat")
    assert (roles(pat), list(pat.user_permissions.all()), pat.is_superuser, pat.is_staff) == (set(), [], False, False)
    assert not pat.has_usable_password()
    assert not EntityAccess.objects.filter(user=pat).exists()
    request = Request.objects.get(action="access.grant")
    assert (request.state, request.maker_id, request.payload["role"]) == (State.PENDING, house.sam.pk, "PAY")
    assert Entry.objects.filter(action="user.created", actor_id=house.sam.pk).exists()
    house.approve(request)
    assert roles(pat) == {"PAY"}


def test_names_are_changed_and_noted(house, sam):
    answer = sam.post(f"{USERS}{house.fred.pk}/change/", person_form(username="fred", first_name="Fritz"))
    assert answer.status_code == 302, said(answer)
    assert User.objects.get(pk=house.fred.pk).first_name == "Fritz"
    assert Entry.objects.get(action="user.changed").data["fields"] == ["email", "first_name", "last_name"]


FORGED = {
    "groups": "1",
    "user_permissions": "1",
    "is_superuser": "on",
    "is_staff": "on",
    "is_active": "on",
    "password": "md5$x$y",
    "id": "1",
    "last_login_0": "2020-01-01",
    "date_joined_0": "2020-01-01",
    "_held": "SYS",
    "offered": "1",
    "grants-TOTAL_FORMS": "1",
    "grants-INITIAL_FORMS": "0",
    "grants-0-role": "FAP",
}


@pytest.mark.parametrize("field", sorted(FORGED))
def test_a_forged_field_changes_nothing(house, sam, field):
    group = Group.objects.get(name="FAP")
    value = {"groups": group.pk, "user_permissions": Permission.objects.first().pk}.get(field, FORGED[field])
    sam.post(f"{USERS}{house.fred.pk}/change/", person_form(username="mia", **{field: value}))
    sam.post(ADD, person_form(**{field: value}))

    fred, pat = User.objects.get(pk=house.fred.pk), User.objects.get(username="pat")
    assert (fred.username, fred.is_superuser, fred.is_staff, fred.is_active) == ("fred", False, False, True)
    assert fred.password == house.fred.password
    assert (roles(fred), roles(pat)) == ({"FMK"}, set())
    assert (pat.is_superuser, pat.is_staff, pat.has_usable_password()) == (False, False, False)
    assert not fred.user_permissions.exists() and not pat.user_permissions.exists()


def test_entities_of_others_cannot_be_asked_for(house):
    """A forged entity outside of the administrator's own is no choice of the form."""
    from tests.builders import entity

    far = entity("MT")
    answer = signed_in(house.sam).post(ADD, person_form(roles=["PAY"], entities=[far.pk], reason="x"))
    assert answer.status_code == 200
    assert not User.objects.filter(username="pat").exists()


def test_deactivating_is_at_once_and_takes_the_roles(house, sam):
    form = {"action": "deactivate", "_selected_action": [house.fred.pk]}
    assert sam.post(USERS, form).status_code == 302
    fred = User.objects.get(pk=house.fred.pk)
    assert (fred.is_active, roles(fred)) == (False, set())
    sam.post(USERS, {**form, "action": "reactivate"})
    fred = User.objects.get(pk=house.fred.pk)
    assert (fred.is_active, roles(fred)) == (True, set())


def test_nobody_deletes_a_person(house, sam):
    form = {"action": "delete_selected", "_selected_action": [house.fred.pk], "post": "yes"}
    sam.post(USERS, form)
    assert sam.post(f"{USERS}{house.fred.pk}/delete/", {"post": "yes"}).status_code in (302, 404)
    assert User.objects.filter(pk=house.fred.pk).exists()


# What is only looked at


@pytest.mark.parametrize("model", [m for m in site._registry if m is not User], ids=lambda m: m._meta.label_lower)
def test_everything_else_is_read_only(house, sam, model):
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.order_by("pk").first()
    addresses = [reverse(f"admin:{name}_changelist")]
    if row is not None:
        addresses.append(reverse(f"admin:{name}_change", args=[row.pk]))
    before = everything()
    for address in addresses:
        shown = sam.get(address)
        assert shown.status_code == 200, address
        assert 'name="_save"' not in said(shown)
        form = {"action": "delete_selected", "_selected_action": getattr(row, "pk", 1), "post": "yes", "name": "x"}
        assert sam.post(address, form).status_code in (200, 302, 403), address
    changed = {table for table, value in everything().items() if value != before[table]}
    assert changed <= {"signin_session", "django_session"}


def test_no_secret_is_on_any_page(house, sam):
    from tests.signed_in import enrolled

    device = enrolled(house.fred)
    texts = [said(sam.get(f"{USERS}{house.fred.pk}/change/")), said(sam.get(ADD))]
    texts += [said(sam.get(f"/admin/otp_totp/totpdevice/{device.pk}/change/"))]
    for text in texts:
        assert device.key not in text
        assert house.fred.password not in text
        assert 'type="password"' not in text and "algorithm" not in text


def test_the_pages_obey_the_content_security_policy(house, sam):
    for address in ("/admin/", USERS, ADD, f"{USERS}{house.fred.pk}/change/", "/admin/auth/group/"):
        html = sam.get(address).content.decode()
        tags = re.findall(r"<[a-zA-Z][^>]*>", html)
        assert not [tag for tag in tags if re.search(r"\s(style|on[a-z]+)\s*=", tag)], address
        assert not [tag for tag in tags if tag.startswith("<script") and "src=" not in tag], address


def test_others_are_told_what_is_missing_and_visitors_go_to_our_door(house):
    answer = signed_in(house.fred).get("/admin/")
    assert (answer.status_code, "access.administer" in said(answer)) == (403, True)
    answer = Client().get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/admin/")
    root = User.objects.get(pk=house.fred.pk)
    root.is_staff = True
    root.save()
    assert signed_in(root).get("/admin/").status_code == 403


@pytest.mark.parametrize("door", ["login", "logout", "password_change", "autocomplete", "r/1/1"])
def test_the_doors_of_the_framework_are_gone(sam, door):
    assert sam.get(f"/admin/{door}/").status_code == 404
    assert sam.post(f"/admin/{door}/").status_code == 404


def test_whoever_changes_something_gives_a_fresh_code_first(settings):
    """Asked before a form is filled in, and again when it is sent; looking at lists needs none."""
    settings.STEP_UP = True
    made = House()
    client = Client()
    client.force_login(made.sam)
    form, changed = reverse("admin:organisation_user_add"), reverse("admin:organisation_user_changelist")
    assert client.get(form).status_code == 200
    Session.objects.update(stepped_at=clock.now() - timedelta(minutes=6))
    before = everything()
    acts = {"action": "deactivate", "_selected_action": [made.mia.pk]}
    answers = [
        client.get(form),
        client.get(reverse("admin:organisation_user_change", args=[made.mia.pk])),
        client.post(form, {"username": "robin"}),
        client.post(reverse("admin:organisation_user_change", args=[made.mia.pk]), {"first_name": "Eve"}),
        client.post(changed, acts),
    ]
    for answer in answers:
        assert (answer.status_code, answer["Location"].startswith(reverse("step-up"))) == (303, True)
    assert answers[0]["Location"].endswith("next=%2Fadmin%2Forganisation%2Fuser%2Fadd%2F")
    after = everything()
    assert {name for name in after if after[name] != before[name]} <= {"django_session", "signin_session"}
    assert client.get(changed).status_code == 200
    Session.objects.update(stepped_at=None)  # let in by a recovery code
    assert client.post(changed, acts).status_code == 303
    made.mia.refresh_from_db()
    assert made.mia.is_active
