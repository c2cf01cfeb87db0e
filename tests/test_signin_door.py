"""The door, attacked: guessing, enumerating, going round the second factor, replaying codes, stolen cookies."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings as product
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher, make_password
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.signin.models import Authenticator, End, RecoveryCode, RoleRule, Session
from backoffice.signin.services import factors, sessions
from backoffice.signin.views.own import ENROLLING
from tests import pages, signed_in
from tests.attacks import at_once
from tests.builders import entity, person, user
from tests.signed_in import code, enrolled, password_only, session_of

pytestmark = pytest.mark.django_db
PASSWORD = "four unrelated grey words"
WRONG = "four unrelated green words"
ARGON2 = ["django.contrib.auth.hashers.Argon2PasswordHasher", "django.contrib.auth.hashers.PBKDF2PasswordHasher"]


def staff(name: str = "fiona", role: str = "FAP") -> User:
    found = user(name, entities=(entity("CY"),))
    found.set_password(PASSWORD)
    found.email = f"{name}@example.com"
    found.save()
    found.groups.add(Group.objects.get(name=role))
    return User.objects.get(pk=found.pk)


def sign_in(name: str, password: str = PASSWORD, client: Client | None = None, **headers: str):
    client = client or Client()
    return client, client.post("/sign-in/", {"username": name, "password": password}, **headers)


def actions(*wanted: str) -> list[str]:
    names = Entry.objects.order_by("pk").values_list("action", flat=True)
    return [name for name in names if name.startswith("signin.") and (not wanted or name in wanted)]


# --- passwords -----------------------------------------------------------------------------------


def test_the_product_hashes_with_argon2id_and_brings_older_hashes_along(settings):
    settings.PASSWORD_HASHERS = ARGON2
    fiona = staff()
    User.objects.filter(pk=fiona.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

    sign_in("fiona")

    assert User.objects.get(pk=fiona.pk).password.startswith("argon2$argon2id$")


def test_the_settings_of_the_product_name_argon2_first():
    from backoffice.settings import base

    assert base.PASSWORD_HASHERS[0].endswith("Argon2PasswordHasher")


@pytest.mark.parametrize("name", ["fiona", "nobody-here", "gone", "empty"])
def test_every_refusal_costs_one_hash_and_says_the_same(settings, monkeypatch, name):
    settings.PASSWORD_HASHERS = ARGON2
    staff()
    User.objects.filter(pk=staff("gone").pk).update(is_active=False)
    empty = staff("empty")
    empty.set_unusable_password()
    empty.save()
    hashes = []
    for kind in (Argon2PasswordHasher, PBKDF2PasswordHasher):
        for method in ("encode", "verify"):
            original = getattr(kind, method)

            def counted(self, *args, _original=original, **kwargs):
                hashes.append(_original.__qualname__)
                return _original(self, *args, **kwargs)

            monkeypatch.setattr(kind, method, counted)

    _, answer = sign_in(name, WRONG)

    assert len(hashes) == 1 and "Argon2" in hashes[0]
    said = re.findall(r'role="alert".*?</div></div>', answer.content.decode(), re.DOTALL)
    assert len(said) == 1 and "do not fit together" in said[0]


# --- lock-out ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fiona", "nobody-here"])
def test_five_wrong_passwords_lock_a_name_whether_it_exists_or_not(name):
    staff()
    answers = [sign_in(name, WRONG)[1] for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 3
    said = answers[-1].content.decode()
    assert "Wait 15 minutes" in said and "password link" in said and name not in said
    _, right = sign_in(name)
    assert right.status_code == 429, "not even with the right password"
    assert actions("signin.refused") == ["signin.refused"] * 5 and actions("signin.locked") == ["signin.locked"]


def test_a_thousand_guesses_try_five_passwords(monkeypatch):
    staff()
    tried = []
    check = User.check_password
    monkeypatch.setattr(User, "check_password", lambda self, given: tried.append(given) or check(self, given))
    client = Client()

    for number in range(1_000):
        sign_in("fiona", f"guess number {number}", client)

    assert len(tried) == 5
    assert len(actions("signin.refused", "signin.locked")) == 6, "the audit log is not flooded"


def test_an_address_is_locked_for_trying_many_names():
    staff()
    for number in range(50):
        sign_in(f"name-{number}", WRONG)

    assert sign_in("fiona")[1].status_code == 429
    assert sign_in("fiona", REMOTE_ADDR="198.51.100.7")[1].status_code == 302, "others are not"


def test_an_own_account_does_not_clear_guesses_at_another():
    staff()
    staff("sue", "AUD")
    for _ in range(2):
        for _ in range(2):
            sign_in("fiona", WRONG)
        assert sign_in("sue")[1].status_code == 302

    assert sum(AccessAttempt.objects.filter(username="fiona").values_list("failures_since_start", flat=True)) == 4
    assert sign_in("fiona", WRONG)[1].status_code == 429


def test_the_wait_ends_by_itself():
    staff()
    for _ in range(5):
        sign_in("fiona", WRONG)
    AccessAttempt.objects.update(attempt_time=clock.now() - timedelta(minutes=16))

    assert sign_in("fiona")[1].status_code == 302


def test_lock_out_needs_no_redis(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CELERY = {**settings.CELERY, "broker_url": settings.REDIS_URL}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    staff()

    assert [sign_in("fiona", WRONG)[1].status_code for _ in range(6)][-1] == 429


def test_what_is_typed_as_a_name_is_not_kept_in_the_audit_log():
    sign_in("My secret pass phrase", WRONG)

    entry = Entry.objects.get(action="signin.refused")
    assert "secret" not in f"{entry.target}{entry.data}{entry.actor_label}"
    assert WRONG not in "".join(AccessAttempt.objects.values_list("post_data", flat=True))


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_moment_are_all_counted():
    staff()
    at_once(8, lambda number: sign_in("fiona", f"{WRONG} {number}")[1].status_code)

    assert sign_in("fiona")[1].status_code == 429


# --- the second factor ---------------------------------------------------------------------------


def reachable(client: Client) -> list[str]:
    """Routes whose address gives this client anything but the door."""
    found = []
    for page in pages.walk("backoffice.urls"):
        # Django's admin has one address with a pattern instead of a converter.
        address = reverse("admin:app_list", args=["access"]) if page.route == "admin:app_list" else page.address()
        for method in ("get", "post"):
            for headers in ({}, {"HX-Request": "true"}):
                answer = getattr(client, method)(address, headers=headers)
                place = answer.get("Location", answer.get("HX-Redirect", ""))
                if not place.startswith(("/sign-in/", "/second-factor/")):
                    found.append(page.route)
    return sorted(set(found))


# What somebody with nothing but the password gets to: the door itself, and nothing with data.
# Nobody signs in to send a message: its signature is what counts (integrations/services/webhooks.py).
HALF_WAY = {"enrol", "healthz", "receive-webhook", "recover", "second-factor", "set-password"}


def test_a_password_without_the_enrolled_factor_reaches_no_page():
    enrolled(staff())
    client, answer = sign_in("fiona")
    assert answer["Location"] == "/second-factor/"

    assert set(reachable(client)) - {"sign-out"} <= HALF_WAY


def test_a_role_that_needs_the_factor_reaches_nothing_but_enrolment():
    staff()
    client, answer = sign_in("fiona")
    assert answer["Location"] == "/second-factor/enrol/"

    assert set(reachable(client)) - {"sign-out"} <= HALF_WAY


def test_a_page_that_does_not_exist_shows_nothing_of_the_house_either():
    enrolled(staff())
    client, _ = sign_in("fiona")

    html = client.get("/no/such/page/").content.decode()

    assert 'class="rail"' not in html and "fiona" not in html.lower()


def test_the_code_opens_the_pages_and_counts_once():
    fiona = staff()
    enrolled(fiona)
    first, _ = sign_in("fiona")
    second, _ = sign_in("fiona")
    given = code()

    assert first.post("/second-factor/", {"code": given})["Location"] == "/"
    assert first.get(reverse("today")).status_code == 200
    replay = second.post("/second-factor/", {"code": given})

    assert replay.status_code == 422 and "code is not right" in replay.content.decode()
    assert second.get(reverse("today")).status_code == 302
    assert "signin.verified" in actions() and "signin.code_refused" in actions()


@pytest.mark.django_db(transaction=True)
def test_a_code_sent_twice_at_the_same_moment_counts_once():
    fiona = staff()
    enrolled(fiona)
    opened = [session_of(sign_in("fiona")[0]) for _ in range(4)]
    given = code()

    results = at_once(4, lambda n: factors.give(actor=person(fiona), session_id=opened[n].pk, code=given))

    assert sorted(type(result).__name__ for result in results) == ["NoneType", *["WrongCode"] * 3]


@pytest.mark.parametrize("given", ["", "abcdef", "12345", "1234567", "-12345", "１２３４５６", "0" * 12])
def test_things_that_are_no_code_are_refused(given):
    enrolled(staff())
    client, _ = sign_in("fiona")

    assert client.post("/second-factor/", {"code": given}).status_code == 422
    assert session_of(client).verified_at is None


def test_wrong_codes_make_a_pause_and_then_end_the_session():
    fiona = staff()
    enrolled(fiona)
    client, _ = sign_in("fiona")
    wrong = "000000" if code() != "000000" else "111111"

    assert "is not right" in client.post("/second-factor/", {"code": wrong}).content.decode()
    assert "Wait 1 second" in client.post("/second-factor/", {"code": code()}).content.decode()
    for _ in range(4):
        signed_in.forget_codes(fiona)
        said = client.post("/second-factor/", {"code": wrong}).content.decode()

    assert "you need the password" in said
    assert Session.objects.get().end == End.GUESSING
    signed_in.forget_codes(fiona)
    assert client.post("/second-factor/", {"code": code()})["Location"].startswith("/sign-in/")


def test_enrolling_needs_the_password_again_and_ends_other_sessions():
    fiona = staff()
    client, _ = sign_in("fiona")
    other, _ = sign_in("fiona")

    assert client.post("/second-factor/enrol/", {"password": WRONG}).status_code == 422
    assert client.post("/second-factor/enrol/", {"password": PASSWORD})["Location"] == "/second-factor/enrol/scan/"
    page = client.get("/second-factor/enrol/scan/").content.decode()
    device = Authenticator.objects.get(user=fiona)
    assert "<svg" in page and "<script>" not in page and "style=" not in page
    before = client.session.session_key
    done = client.post("/second-factor/enrol/scan/", {"code": code(device.bin_key)})

    codes = re.findall(r"<code>(\d-\w{4}-\w{4}-\w{4})</code>", done.content.decode())
    assert len(codes) == 10
    assert client.session.session_key != before
    assert client.get(reverse("today")).status_code == 200
    assert other.get("/second-factor/enrol/")["Location"].startswith("/sign-in/")
    assert not any(given in str(row) for given in codes for row in RecoveryCode.objects.values_list("hash", flat=True))


def test_the_secret_is_encrypted_in_the_database():
    device = enrolled(staff())

    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM otp_totp_totpdevice")
        (stored,) = cursor.fetchone()

    assert signed_in.SECRET.hex() not in stored and len(stored) <= 80
    assert device.bin_key == signed_in.SECRET


def test_a_password_is_not_enough_to_replace_the_factor():
    fiona = staff()
    enrolled(fiona)
    client, _ = sign_in("fiona")

    assert client.get("/second-factor/enrol/").status_code == 404
    assert client.post("/second-factor/enrol/", {"password": PASSWORD}).status_code == 404
    with pytest.raises(factors.sessions.StepUpNeeded):
        factors.begin(actor=person(fiona), session_id=session_of(client).pk, password=PASSWORD)


def test_an_enrolment_begun_before_another_one_cannot_replace_it():
    fiona = staff()
    thief, _ = sign_in("fiona")
    thief.post("/second-factor/enrol/", {"password": PASSWORD})
    planted = Authenticator.objects.get(pk=thief.session[ENROLLING])
    enrolled(fiona)

    with pytest.raises(factors.sessions.StepUpNeeded):
        factors.confirm(
            actor=person(fiona),
            session_id=session_of(thief).pk,
            device_id=planted.pk,
            code=code(planted.bin_key),
        )


def test_a_recovery_code_opens_once_and_never_counts_as_fresh():
    fiona = staff()
    enrolled(fiona)
    first = password_only(Client(), fiona)
    factors.give(actor=person(fiona), session_id=first.pk, code=code())
    codes = factors.renew_codes(actor=person(fiona), session_id=first.pk)
    client, _ = sign_in("fiona")

    assert client.post("/second-factor/recover/", {"code": codes[3].upper()})["Location"] == "/"
    session = session_of(client)
    assert session.verified_at is not None and session.stepped_at is None
    again, _ = sign_in("fiona")
    assert again.post("/second-factor/recover/", {"code": codes[3]}).status_code == 422
    assert RecoveryCode.objects.filter(gone_at__isnull=True).count() == 9
    with pytest.raises(factors.sessions.StepUpNeeded):
        factors.renew_codes(actor=person(fiona), session_id=session.pk)


def test_who_needs_no_factor_goes_straight_in_and_may_enrol():
    staff("ada", "AUD")
    client, answer = sign_in("ada")

    assert answer["Location"] == "/"
    assert client.get(reverse("today")).status_code == 200
    assert client.get("/second-factor/enrol/").status_code == 200


def test_a_role_without_a_rule_needs_the_factor():
    RoleRule.objects.filter(role="AUD").update(role="another one")
    staff("ada", "AUD")

    assert sign_in("ada")[1]["Location"] == "/second-factor/enrol/"


def test_a_permission_outside_of_roles_and_a_superuser_need_the_factor():
    for name, permissions, is_super in (("peter", ("accounts.view_client",), False), ("root", (), True)):
        found = user(name, *permissions)
        found.set_password(PASSWORD)
        found.is_superuser = is_super
        found.save()
        assert sign_in(name)[1]["Location"] == "/second-factor/enrol/", name


# --- after the door ------------------------------------------------------------------------------


def test_the_session_gets_another_number_at_each_step_and_old_cookies_are_dead():
    enrolled(staff())
    client = Client()
    client.get("/sign-in/")
    session = client.session
    session["visited"] = True
    session.save()
    client.cookies[product.SESSION_COOKIE_NAME] = session.session_key
    keys = [session.session_key]
    sign_in("fiona", client=client)
    keys.append(client.session.session_key)
    client.post("/second-factor/", {"code": code()})
    keys.append(client.session.session_key)

    assert len(set(keys)) == 3
    for key in keys[:2]:
        thief = Client()
        thief.cookies[product.SESSION_COOKIE_NAME] = key
        assert thief.get(reverse("today")).status_code == 302


def test_a_signed_in_person_is_not_led_elsewhere():
    enrolled(staff())
    client, _ = sign_in("fiona")
    for bad in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        assert "evil" not in client.get("/second-factor/", {"next": bad}).content.decode()
    assert client.post("/second-factor/", {"code": code(), "next": "//evil.example/"})["Location"] == "/"


def test_ended_sessions_stay_ended_in_the_database():
    from tests.attacks import refused

    session = password_only(Client(), staff())
    sessions.end_sessions(actor=person(session.user), user_id=session.user_id)
    with refused("BO030"):
        Session.objects.filter(pk=session.pk).update(ended_at=None, end="")
    other = password_only(Client(), User.objects.get(username="fiona"))
    with refused("BO031"):
        Session.objects.filter(pk=other.pk).update(started_at=clock.now())
