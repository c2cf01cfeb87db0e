"""After the door: how sessions end, fresh factors, networks, password links, headers, the production settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as product
from django.contrib.auth.models import Group
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DataError, IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.audit.models import Entry
from backoffice.demo import people as demo
from backoffice.demo import seeding
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, NotFound, StepUpNeeded
from backoffice.organisation.models import User
from backoffice.organisation.services import sessions as door
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message
from backoffice.signin.models import AllowedNetwork, Authenticator, End, PasswordLink, RoleRule, Session
from backoffice.signin.services import factors, passwords, rules, sessions
from backoffice.signin.validators import NotDressedUp
from tests import pages, ui_site
from tests.builders import ROBOT, entity, person, user
from tests.signed_in import code, enrolled, password_only, session_of
from tests.test_signin_door import PASSWORD, WRONG, sign_in, staff

pytestmark = pytest.mark.django_db
NEW = "several other yellow words"


def inside(name: str = "ada", role: str = "AUD") -> Client:
    """Somebody who has signed in through the form."""
    found = User.objects.filter(username=name).first() or staff(name, role)
    client, answer = sign_in(name)
    if "second-factor" in answer["Location"]:
        enrolled(found)
        client.post("/second-factor/", {"code": code()})
    assert client.get(reverse("today")).status_code == 200
    return client


def said(answer) -> str:
    return re.sub(r"<[^>]+>", " ", answer.content.decode())


# --- how sessions end ----------------------------------------------------------------------------


def test_a_session_ends_without_activity_and_says_so():
    client = inside()
    now = clock.now()
    with clock.at(now + timedelta(minutes=14)):
        assert client.get(reverse("today")).status_code == 200
    with clock.at(now + timedelta(minutes=28)):
        assert client.get(reverse("today")).status_code == 200
    with clock.at(now + timedelta(minutes=44)):
        answer = client.get(reverse("today"), follow=True)
    assert answer.redirect_chain and "nothing happened for a while" in said(answer)
    assert Session.objects.get().end == End.IDLE


def test_the_idle_limit_is_a_setting(settings):
    settings.SESSION_IDLE_SECONDS = 60
    client = inside()
    with clock.at(clock.now() + timedelta(seconds=61)):
        assert client.get(reverse("today")).status_code == 302


def test_what_a_page_asks_for_by_itself_does_not_keep_a_session_alive():
    client = inside()
    now = clock.now()
    for minutes in (5, 10, 14):
        with clock.at(now + timedelta(minutes=minutes)):
            assert client.get(reverse("today-parts"), {"seen": "{}"}).status_code in (200, 204)
    with clock.at(now + timedelta(minutes=16)):
        assert client.get(reverse("today")).status_code == 302


def test_every_address_that_a_template_asks_for_by_itself_is_marked_as_such():
    asked = set()
    for path in (Path(product.BASE) / "templates").rglob("*.html"):
        for tag in re.findall(r"<[^<>]*hx-trigger=\"[^\"]*every[^<]*", path.read_text()):
            asked.update(re.findall(r"hx-get=\"{% url '([\w-]+)'", tag))
    marked = {found.route for found in pages.pages("backoffice.urls") if found.page.background}

    assert asked
    assert asked == marked, "set `background = True` on the views of these addresses, and of no others"


def test_a_session_ends_after_ten_hours_whatever_one_does():
    client = inside()
    now = clock.now()
    for minutes in range(10, 600, 10):
        with clock.at(now + timedelta(minutes=minutes)):
            assert client.get(reverse("healthz")).status_code == 200
            Session.objects.update(last_seen_at=clock.now())
    with clock.at(now + timedelta(hours=10)):
        assert client.get(reverse("today")).status_code == 302
    assert Session.objects.get().end == End.AGE


def test_a_cookie_without_our_row_opens_nothing():
    ada = staff("ada", "AUD")
    client = Client()
    for forged in (0, 999_999, "x", None):
        password_only(client, ada)
        session = client.session
        session["signin"] = forged
        session.save()
        assert client.get(reverse("today")).status_code == 302, forged


def test_the_row_of_somebody_else_opens_nothing():
    other = session_of(inside("sue", "AUD"))
    client = Client()
    password_only(client, staff("fiona"))
    session = client.session
    session["signin"] = other.pk
    session.save()

    assert client.get(reverse("today")).status_code == 302


def test_signing_out_kills_the_cookie_and_is_audited():
    client = inside()
    thief = Client()
    thief.cookies[product.SESSION_COOKIE_NAME] = client.cookies[product.SESSION_COOKIE_NAME].value
    assert thief.get(reverse("today")).status_code == 200

    client.post("/sign-out/")

    assert thief.get(reverse("today")).status_code == 302
    assert Session.objects.get().end == End.SIGNED_OUT
    assert Entry.objects.filter(action="signin.session_ended", data__why="SIGNED_OUT").exists()


def test_half_way_through_the_door_one_can_turn_round():
    enrolled(staff())
    client, _ = sign_in("fiona")

    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/second-factor/")["Location"].startswith("/sign-in/")


def test_my_sessions_lists_mine_and_ends_only_mine():
    first, second = inside(), inside()
    foreign = inside("sue", "AUD")

    page = first.get(reverse("my-sign-in"))
    assert len(page.context["rows"]) == 2 and "127.0.0.1" in said(page)
    assert first.post(reverse("end-session", args=[session_of(foreign).pk])).status_code == 404
    assert foreign.get(reverse("today")).status_code == 200
    assert first.get(reverse("end-session", args=[session_of(second).pk])).status_code == 405
    first.post(reverse("end-session", args=[session_of(second).pk]))
    assert second.get(reverse("today")).status_code == 302

    third = inside()
    first.post(reverse("end-other-sessions"))
    assert third.get(reverse("today")).status_code == 302
    assert first.get(reverse("today")).status_code == 200


def test_changing_the_password_ends_all_other_sessions():
    here, there = inside(), inside()
    key = here.session.session_key
    form = {"old": WRONG, "new": NEW, "again": NEW}

    assert "not your password" in said(here.post(reverse("change-password"), form))
    assert "twice" in said(here.post(reverse("change-password"), {**form, "old": PASSWORD, "again": "x"}))
    weak = {"old": PASSWORD, "new": "password1234", "again": "password1234"}
    assert "unrelated words" in said(here.post(reverse("change-password"), weak))
    assert here.post(reverse("change-password"), {**form, "old": PASSWORD}).status_code == 303

    assert here.get(reverse("today")).status_code == 200 and here.session.session_key != key
    assert there.get(reverse("today")).status_code == 302
    assert sign_in("ada", NEW)[1].status_code == 302


def test_a_stolen_session_cannot_guess_the_password():
    client = inside()
    for number in range(sessions.FAILURES_MOST):
        form = {"old": f"{WRONG} {number}", "new": NEW, "again": NEW}
        client.post(reverse("change-password"), form)

    assert client.get(reverse("today")).status_code == 302
    assert Session.objects.get().end == End.GUESSING


@pytest.mark.parametrize("change", ["add", "remove", "set", "other side"])
def test_other_roles_end_every_session(change):
    client = inside("carl", "CMP")
    carl, group = User.objects.get(username="carl"), Group.objects.get(name="MLRO")
    {
        "add": lambda: carl.groups.add(group),
        "remove": carl.groups.clear,
        "set": lambda: carl.groups.set([group]),
        "other side": lambda: group.user_set.add(carl),
    }[change]()

    assert client.get(reverse("today")).status_code == 302
    assert Session.objects.get().end == End.ROLES


def test_rooms_below_end_sessions_through_the_organisation():
    client = inside()
    ada = User.objects.get(username="ada")

    with transaction.atomic():
        assert door.end_sessions(actor=ROBOT, user_id=ada.pk, reason="roles changed") == 1

    assert client.get(reverse("today")).status_code == 302
    assert Entry.objects.filter(action="signin.sessions_ended", data__reason="roles changed").exists()


def test_somebody_made_inactive_is_out_at_once():
    client = inside()
    User.objects.filter(username="ada").update(is_active=False)

    assert client.get(reverse("today")).status_code == 302


# --- a fresh factor ------------------------------------------------------------------------------


@pytest.fixture
def careful(settings, monkeypatch):
    """The small site with an action that wants a fresh second factor."""
    settings.ROOT_URLCONF = "tests.ui_site"
    monkeypatch.setattr("backoffice.ui.navigation._items", {})

    def run(self, *, actor: Person, form, target):
        if actor.verified_at is None or clock.now() - actor.verified_at > timedelta(minutes=5):
            raise StepUpNeeded
        return target

    monkeypatch.setattr(ui_site.Rename, "run", run)
    monkeypatch.setattr(ui_site.RenameMany, "run", run)
    here = entity("CY")
    mara = user("mara", "organisation.view_desk", "organisation.change_desk", entities=(here,))
    enrolled(mara)
    client = Client()
    client.force_login(mara)
    from tests.pages_ui import make_desks

    return client, make_desks(here, 2)


def test_a_stale_factor_is_asked_for_again_and_leads_back_to_the_form(careful):
    client, (desk, _) = careful
    address = f"/desks/{desk.pk}/rename/"
    assert client.post(address, {"name": "new", "back": "/desks/"}).status_code == 303
    Session.objects.update(stepped_at=clock.now() - timedelta(minutes=6))

    asked = client.post(address, {"name": "new", "back": "/desks/?sort=name"})
    assert asked.status_code == 303
    assert asked["Location"] == (
        f"/second-factor/confirm/?next=%2Fdesks%2F{desk.pk}%2Frename%2F%3Fback%3D%2Fdesks%2F%253Fsort%253Dname"
    )
    page = client.get(asked["Location"])
    back = re.search(r'name="next" value="([^"]+)"', page.content.decode())
    assert back
    key = client.session.session_key
    done = client.post("/second-factor/confirm/", {"code": code(), "next": back[1]})

    assert (done.status_code, done["Location"]) == (303, back[1])
    assert client.get(done["Location"]).status_code == 200
    assert client.session.session_key != key
    assert client.post(address, {"name": "new", "back": "/desks/"})["Location"] == "/desks/"


def test_the_rows_that_were_picked_come_back(careful):
    client, rows = careful
    Session.objects.update(stepped_at=None)
    asked = client.post("/desks/rename/", {"name": "new", "ids": [row.pk for row in rows], "back": "/desks/"})
    page = client.get(asked["Location"]).content.decode()
    back = re.search(r'name="next" value="([^"]+)"', page)
    assert back
    form = client.get(back[1].replace("&amp;", "&"))

    assert form.status_code == 200 and form.context["ids"] == [row.pk for row in rows]


def test_a_part_of_a_page_moves_the_whole_page_to_the_question(careful):
    client, (desk, _) = careful
    Session.objects.update(stepped_at=None)
    answer = client.post(
        f"/desks/{desk.pk}/rename/",
        {"name": "new"},
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/desks/?sort=name"},
    )

    assert answer["HX-Redirect"] == "/second-factor/confirm/?next=%2Fdesks%2F%3Fsort%3Dname"


def test_the_code_of_the_sign_in_does_not_step_up_as_well(careful):
    client, _ = careful
    given = code()
    mara = User.objects.get(username="mara")
    factors.give(actor=person(mara), session_id=session_of(client).pk, code=given)
    Session.objects.update(stepped_at=None)

    assert client.post("/second-factor/confirm/", {"code": given}).status_code == 422
    assert session_of(client).stepped_at is None


def test_who_has_no_factor_is_led_to_enrolling_one(careful):
    client, _ = careful
    Authenticator.objects.all().delete()

    assert client.get("/second-factor/confirm/?next=/desks/")["Location"] == "/second-factor/enrol/?next=%2Fdesks%2F"


def test_renewing_codes_and_moving_to_another_phone_need_a_fresh_factor():
    client = inside("fiona", "FAP")
    Session.objects.update(stepped_at=clock.now() - timedelta(minutes=6))

    for route in ("recovery-codes", "enrol"):
        answer = client.post(reverse(route), {"password": PASSWORD})
        assert answer["Location"].startswith("/second-factor/confirm/"), route


# --- networks ------------------------------------------------------------------------------------


def test_a_role_works_from_its_networks_only_at_the_door_and_inside():
    ada = staff("ada", "AUD")
    rules.allow_network(actor=ROBOT, role="AUD", network="192.0.2.0/24", note="office")
    rules.allow_network(actor=ROBOT, role="AUD", network="2001:db8::/32", note="office")

    _, outside = sign_in("ada")
    assert outside.status_code == 200 and "office network" in said(outside)
    assert not Session.objects.exists()
    assert Entry.objects.filter(action="signin.address_refused", target=f"organisation.user:{ada.pk}").exists()
    client, within = sign_in("ada", REMOTE_ADDR="192.0.2.77")
    assert within.status_code == 302
    assert client.get(reverse("today"), REMOTE_ADDR="192.0.2.78").status_code == 200
    assert client.get(reverse("today"), REMOTE_ADDR="2001:db8::5").status_code == 200
    stolen = client.get(reverse("today"), REMOTE_ADDR="198.51.100.1")
    assert stolen.status_code == 403 and "Not from this address" in said(stolen)
    assert stolen["Cache-Control"] == "no-store, private" and stolen["X-Request-Id"]
    assert client.get(reverse("today"), REMOTE_ADDR="192.0.2.77").status_code == 302, "and the session is over"
    assert Session.objects.get().end == End.ADDRESS


def test_a_claimed_address_is_not_believed(settings):
    staff("ada", "AUD")
    rules.allow_network(actor=ROBOT, role="AUD", network="192.0.2.0/24", note="office")

    assert sign_in("ada", headers={"X-Forwarded-For": "192.0.2.1"})[1].status_code == 200
    settings.TRUSTED_PROXIES = 1
    assert sign_in("ada", headers={"X-Forwarded-For": "192.0.2.1, 198.51.100.1"})[1].status_code == 200
    assert sign_in("ada", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.1"})[1].status_code == 302


def test_several_roles_each_have_to_allow_the_address():
    staff("carl", "CMP").groups.add(Group.objects.get(name="MLRO"))
    rules.allow_network(actor=ROBOT, role="CMP", network="192.0.2.0/24", note="")
    assert sign_in("carl", REMOTE_ADDR="192.0.2.1")[1].status_code == 302
    rules.allow_network(actor=ROBOT, role="MLRO", network="198.51.100.0/24", note="")

    assert sign_in("carl", REMOTE_ADDR="192.0.2.1")[1].status_code == 200


@pytest.mark.parametrize("network", ["192.0.2.1/24", "office", "0.0.0.0/33", "192.0.2.0/24; --"])
def test_what_is_no_network_is_refused_by_the_service_and_by_the_database(network):
    with pytest.raises(rules.BadNetwork):
        rules.allow_network(actor=ROBOT, role="AUD", network=network, note="")
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        AllowedNetwork.objects.create(role="AUD", network=network, added_at=clock.now())
    assert not AllowedNetwork.objects.exists()


def desk() -> tuple[Client, Person, Person]:
    """A system administrator who asks, and a manager who decides."""
    here = entity("CY")
    sam = user("sam", "signin.ask_rule", "signin.view_session", entities=(here,))
    mia = user("mia", "signin.approve_rule", "approvals.view_request", entities=(here,))
    client = Client()
    client.force_login(sam)
    return client, person(sam), person(mia)


def decide(mia: Person) -> None:
    request = Request.objects.latest("pk")
    requests.approve(actor=mia, request_id=request.pk, seen_hash=request.payload_hash)


def test_networks_and_rules_change_by_two_people_only():
    client, _, mia = desk()
    asked = {"role": "AUD", "network": "192.0.2.0/24", "note": "office"}
    asked |= {"reason_code": "OPERATIONS", "reason": "the new office"}

    assert client.post(reverse("allow-network"), {**asked, "network": "x"}).status_code == 422
    assert client.post(reverse("allow-network"), asked).status_code == 303
    assert not AllowedNetwork.objects.exists()
    decide(mia)
    row = AllowedNetwork.objects.get()
    assert (
        client.post(reverse("remove-network", args=[row.pk]), {"reason_code": "OTHER", "reason": "moved"}).status_code
        == 303
    )
    decide(mia)
    row.refresh_from_db()
    assert row.removed_at is not None

    assert RoleRule.objects.get(role="AUD").factor_required is False
    form = {"role": "AUD", "required": "yes", "reason_code": "RISK", "reason": "they see everything"}
    assert client.post(reverse("change-factor-rule"), form).status_code == 303
    decide(mia)
    assert RoleRule.objects.get(role="AUD").factor_required is True


def test_a_new_rule_holds_for_open_sessions_at_once():
    client = inside()
    rules.require_factor(actor=ROBOT, role="AUD", required=True)

    assert client.get(reverse("today"))["Location"].startswith("/sign-in/")
    assert client.get("/sign-in/")["Location"].startswith("/second-factor/enrol/")


def test_a_lost_factor_is_removed_by_two_people_and_ends_the_sessions():
    client, sam, mia = desk()
    fiona_client = inside("fiona", "FAP")
    fiona = User.objects.get(username="fiona")

    asked = {"reason_code": "CLIENT", "reason": "phone lost"}
    assert client.post(reverse("remove-factor", args=[fiona.pk]), asked).status_code == 303
    assert Authenticator.objects.filter(user=fiona).exists()
    with pytest.raises(DomainError):
        decide(sam)
    decide(mia)

    assert not Authenticator.objects.filter(user=fiona).exists()
    assert fiona_client.get(reverse("today")).status_code == 302
    assert sign_in("fiona")[1]["Location"] == "/second-factor/enrol/"


def test_every_role_that_makes_approves_or_executes_needs_the_factor():
    from backoffice.organisation.roles import ROLES

    acting = {
        role.code
        for role in ROLES
        if any(
            word in permission.split(".")[1]
            for permission in role.permissions
            for word in ("ask_", "approve_", "execute_", "add_", "change_", "close_", "send_", "end_")
        )
    }
    exempt = set(RoleRule.objects.filter(factor_required=False).values_list("role", flat=True))

    assert acting and not acting & exempt


# --- password links ------------------------------------------------------------------------------


def linked(client: Client, name: str) -> str:
    """Ask for a link as an administrator, let the outbox send it, and read it in the mail."""
    answer = client.post(reverse("send-link", args=[User.objects.get(username=name).pk]), {})
    assert answer.status_code == 303
    outbox.send_due()
    found = re.search(r"https?://\S+(/set-password/\S+)", mail.outbox[-1].body)
    assert found
    return found[1]


def administrator() -> Client:
    client = Client()
    client.force_login(user("sam", "signin.view_session", "signin.send_link", entities=(entity("CY"),)))
    return client


def test_a_link_sets_a_password_once_and_changes_nothing_else():
    fiona_client = inside("fiona", "FAP")
    path = linked(administrator(), "fiona")
    visitor = Client()

    assert visitor.get(path).status_code == 200 and visitor.get(path).status_code == 200
    assert visitor.post(path, {"new": "short", "again": "short"}).status_code == 422
    assert visitor.post(path, {"new": NEW, "again": NEW})["Location"] == "/sign-in/"
    again = visitor.post(path, {"new": NEW + "2", "again": NEW + "2"})

    assert again.status_code == 404 and "used or has expired" in said(again)
    assert fiona_client.get(reverse("today")).status_code == 302, "her sessions ended"
    client, answer = sign_in("fiona", NEW)
    assert answer["Location"] == "/second-factor/", "the second factor is still asked for"
    assert client.get(reverse("today")).status_code == 302
    named = set(Entry.objects.values_list("action", flat=True))
    assert {"signin.link_sent", "signin.link_used"} <= named


def test_neither_link_nor_password_stands_in_the_database():
    staff()
    path = linked(administrator(), "fiona")
    token = path.split("/")[-2]
    Client().post(path, {"new": NEW, "again": NEW})

    everything = json.dumps(
        [
            list(Message.objects.values_list("payload", "answer", "error")),
            list(Entry.objects.values_list("data", "target")),
            list(PasswordLink.objects.values_list("digest", flat=True)),
            list(User.objects.values_list("password", flat=True)),
        ]
    )
    assert token not in everything and NEW not in everything


def test_a_link_expires_and_a_newer_one_ends_it():
    staff()
    sam = administrator()
    old, new = linked(sam, "fiona"), linked(sam, "fiona")

    assert Client().get(old).status_code == 404
    with clock.at(clock.now() + timedelta(minutes=61)):
        assert Client().get(new).status_code == 404
    assert Client().get(new).status_code == 200
    assert Client().get("/set-password/guess/").status_code == 404
    with pytest.raises(NotFound):
        User.objects.filter(username="fiona").update(is_active=False)
        passwords.link_of(new.split("/")[-2])


def test_a_link_ends_the_wait_after_wrong_passwords():
    staff()
    for _ in range(5):
        sign_in("fiona", WRONG)
    assert sign_in("fiona")[1].status_code == 429
    linked(administrator(), "fiona")

    assert sign_in("fiona")[1].status_code == 302


def test_nobody_sends_links_without_the_right_or_to_nowhere():
    fiona = staff()
    peter = Client()
    peter.force_login(user("peter", "signin.view_session"))
    assert peter.post(reverse("send-link", args=[fiona.pk]), {}).status_code == 403
    User.objects.filter(pk=fiona.pk).update(email="")
    refused = administrator().post(reverse("send-link", args=[fiona.pk]), {})
    assert refused.status_code == 422 and "mail address" in said(refused)
    assert not Message.objects.exists()


# --- passwords -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weak",
    [
        "password1234",
        "Password1234!",
        "p@ssw0rd2026",
        "passwordpassword",
        "123456789012",
        "qwertyuiopas",
        "aaaaaaaaaaaa",
        "backoffice2026",
        "BackOffice!Forex",
        "letmein12345",
        "zyxwvutsrqpo",
    ],
)
def test_dressed_up_passwords_are_refused(weak):
    with pytest.raises(ValidationError, match="unrelated words"):
        NotDressedUp().validate(weak)


@pytest.mark.parametrize(
    "good", [PASSWORD, NEW, "h7dk-29fj-qm4x-zz81", "наша кошка любит сыр", "the grey cat, 9 hats and 1 old boat " * 4]
)
def test_long_and_unrelated_words_pass(good):
    from django.contrib.auth.password_validation import validate_password

    validate_password(good)


def test_the_demo_people_have_good_passwords():
    from django.contrib.auth.password_validation import validate_password

    for seed in range(1, 30):
        for member in demo.STAFF:
            validate_password(demo.password(seed, member.username))


# --- the demo ------------------------------------------------------------------------------------


def test_a_person_of_the_demo_signs_in_with_the_printed_password_and_code(monkeypatch, capsys):
    for place in ("CY", "UK"):
        entity(place)
    demo.hire(5)
    shown = {row["username"]: row for row in demo.listed(5)}
    assert shown["fiona"]["code"] == "yes" and shown["ada"]["code"] == "no"
    with pytest.raises(CommandError, match="no demo"):
        call_command("demo", "code", "fiona")
    monkeypatch.setattr(seeding, "held", lambda: (5, clock.today()))

    for _ in range(2):  # a used code gives way to the next
        call_command("demo", "code", "fiona")
        printed = capsys.readouterr().out.split()[0]
        client, answer = sign_in("fiona", shown["fiona"]["password"])
        assert answer["Location"] == "/second-factor/"
        assert client.post("/second-factor/", {"code": printed})["Location"] == "/"
        assert client.get(reverse("today")).status_code == 200
    with pytest.raises(CommandError, match="Nobody named"):
        call_command("demo", "code", "ada")


# --- headers and settings ------------------------------------------------------------------------


def test_every_kind_of_answer_has_the_headers():
    client = inside()
    anonymous = Client(raise_request_exception=False)
    answers = {
        200: client.get(reverse("today")),
        302: anonymous.get(reverse("today")),
        403: client.get(reverse("allow-network")),
        404: client.get("/no/such/page/"),
        405: client.get("/sign-out/"),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        policy = answer["Content-Security-Policy"]
        for part in ("default-src 'self'", "script-src 'self'", "object-src 'none'", "frame-ancestors 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Referrer-Policy"] == "same-origin"
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer["X-Frame-Options"] == "DENY"
        assert "camera=()" in answer["Permissions-Policy"]
        assert answer["Cache-Control"] == "no-store, private"


def test_a_defect_has_the_headers_and_shows_no_trace(settings):
    settings.ROOT_URLCONF = "tests.ui_site"
    client = Client(raise_request_exception=False)
    client.force_login(user("mara"))
    answer = client.get("/broken/")

    assert answer.status_code == 500 and "Traceback" not in said(answer) and "a defect" not in said(answer)
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "no-store, private"


def test_a_host_that_is_not_ours_is_refused():
    assert Client(headers={"Host": "evil.example"}).get("/sign-in/").status_code == 400


def test_the_cookies_are_kept_from_script_and_other_sites():
    cookies = inside().cookies
    for name in (product.SESSION_COOKIE_NAME, product.CSRF_COOKIE_NAME):
        assert cookies[name]["httponly"] and cookies[name]["samesite"] == "Lax"


def production(*command: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "backoffice.settings.prod",
        "BACKOFFICE_SECRET_KEY": "k9" * 40 + "!Zq",
        "BACKOFFICE_ALLOWED_HOSTS": "backoffice.example.com",
        "BACKOFFICE_SITE_URL": "https://backoffice.example.com",
    }
    return subprocess.run(
        [sys.executable, *command], cwd=product.BASE, env=env, capture_output=True, text=True, check=False
    )


def test_the_production_settings_pass_the_deployment_check():
    found = production("manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert found.returncode == 0, found.stderr
    assert "no issues" in found.stdout


def test_production_serves_over_tls_only_with_cookies_of_this_host():
    script = (
        "import django; django.setup()\n"
        "from django.conf import settings as s\n"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME,"
        " s.SECURE_HSTS_SECONDS, s.TRUSTED_PROXIES, s.DEBUG, s.STEP_UP)"
    )
    found = production("-c", script)

    assert found.stdout.split() == ["True", "True", "__Host-session", "__Host-csrf", "31536000", "1", "False", "True"]


def test_nothing_in_a_template_is_what_the_policy_forbids():
    bad = re.compile(r"<script(?![^>]*\bsrc=)|\son\w+\s*=\s*[\"']|\sstyle\s*=|javascript:|\bhx-on\b|\|safe\b", re.I)
    found = [
        f"{path.name}: {match.group()}"
        for path in (Path(product.BASE) / "templates").rglob("*.html")
        for match in bad.finditer(re.sub(r"{#.*?#}", "", path.read_text(), flags=re.DOTALL))
    ]
    assert found == []
    assert not [p for p in (Path(product.BASE) / "static" / "js").glob("*.js") if "eval(" in p.read_text()]


def test_one_password_of_200_signs_is_accepted_quickly():
    import time

    long = "a long pass phrase " * 10 + "and its end"
    ada = staff("ada", "AUD")
    ada.set_password(long)
    ada.save()
    began = time.monotonic()
    assert sign_in("ada", long)[1].status_code == 302
    assert time.monotonic() - began < 1
    assert sign_in("ada", long[:-1])[1].status_code == 200, "the end counts"
