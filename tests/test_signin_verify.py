"""What `verify` finds about sign-in: each rule broken as the database lets it be broken, and named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from backoffice.audit import services as audit
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.models import User
from backoffice.signin.models import Authenticator, Session
from backoffice.signin.selectors import verify
from tests import signed_in
from tests.attacks import execute
from tests.builders import ROBOT
from tests.desk import open_desk

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def with_factor(settings: Any) -> None:
    settings.STEP_UP = True


def named() -> set[str]:
    return {finding.rule for finding in verify.findings()}


def enter(who: User) -> Session:
    """Through the door: the password, then the code."""
    client = Client()
    session = signed_in.password_only(client, who)
    signed_in.forget_codes(who)
    answer = client.post(reverse("second-factor"), {"code": signed_in.code()})
    assert answer.status_code == 303
    return Session.objects.get(pk=session.pk)


@pytest.fixture
def dora() -> Iterator[User]:
    """Somebody whose role needs the factor, inside as everybody gets inside."""
    found = User.objects.create(username="dora")
    found.groups.add(Group.objects.get(name="DLR"))
    signed_in.enrolled(found)
    enter(found)
    assert named() == set()
    yield found


def test_somebody_inside_without_a_factor(dora: User) -> None:
    Authenticator.objects.filter(user=dora).delete()
    assert named() == {verify.FACTOR}
    Session.objects.update(ended_at=clock.now(), end="FACTOR")
    assert named() == set()


def test_the_password_alone_is_no_finding_and_neither_is_a_role_by_choice(dora: User) -> None:
    new, ada = User.objects.create(username="new"), User.objects.create(username="ada")
    new.groups.add(Group.objects.get(name="FMK"))
    ada.groups.add(Group.objects.get(name="AUD"))
    for who in (new, ada):
        signed_in.password_only(Client(), who)
    assert named() == set()


def test_a_session_of_somebody_deactivated(dora: User) -> None:
    User.objects.filter(pk=dora.pk).update(is_active=False)
    assert named() == {verify.GONE}


def test_a_session_that_nobody_opened_and_one_that_nobody_completed(dora: User) -> None:
    now = clock.now()
    made = Session.objects.create(user=dora, started_at=now, last_seen_at=now)
    assert named() == {verify.DOOR}
    made.ended_at, made.end = now, "BY_ADMIN"
    made.save()
    half = signed_in.password_only(Client(), dora)
    Session.objects.filter(pk=half.pk).update(verified_at=now, stepped_at=now)
    assert {(f.rule, f.subject) for f in verify.findings()} == {
        (verify.DOOR, f"session {made.pk}"),
        (verify.CODE, f"session {half.pk}"),
    }


def test_two_authenticators(dora: User) -> None:
    signed_in.enrolled(dora)
    assert named() == {verify.ONE}


def test_a_decision_by_somebody_without_a_factor() -> None:
    desk = open_desk()
    chris = User.objects.get(pk=desk.chris.user_id)
    signed_in.enrolled(chris)
    fresh = Person(user_id=chris.pk, name="Chris", verified_at=clock.now())
    desk.approve(fresh, desk.ask("one"))
    assert named() == set()
    # Taken away the proper way: what was decided before stays right.
    with clock.at(clock.now() + timedelta(seconds=1)):
        audit.record(actor=ROBOT, action="signin.factor_removed", target=chris)
    Authenticator.objects.filter(user=chris).delete()
    assert named() == set()
    with clock.at(clock.now() + timedelta(minutes=1)):
        desk.approve(Person(chris.pk, "Chris", verified_at=clock.now()), desk.ask("two"))
        assert named() == {verify.DECIDED}


def test_a_decision_on_a_page_without_a_fresh_code() -> None:
    desk = open_desk()
    chris = User.objects.get(pk=desk.chris.user_id)
    signed_in.enrolled(chris)
    enter(chris)
    at_a_page = Person(chris.pk, "Chris", request_id="1" * 32, verified_at=clock.now())
    desk.approve(at_a_page, desk.ask("one"))
    assert named() == set()
    with clock.at(clock.now() + timedelta(minutes=7)):
        later = Person(chris.pk, "Chris", request_id="2" * 32, verified_at=clock.now())
        desk.approve(later, desk.ask("two"))
        assert named() == {verify.FRESH}


def test_a_look_without_its_entry(dora: User) -> None:
    sam = User.objects.create(username="sam")
    sam.groups.add(Group.objects.get(name="SYS"))
    signed_in.enrolled(sam)
    session = enter(sam)
    execute(
        'INSERT INTO signin_impersonation (session_id, by_id, user_id, reason, started_at, until, "end")'
        " VALUES (%s, %s, %s, 'why', now(), now() + interval '5 minutes', '')",
        [session.pk, sam.pk, dora.pk],
    )
    assert named() == {verify.LOOK}
