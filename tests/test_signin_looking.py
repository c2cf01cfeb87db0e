"""Looking at the pages as somebody else: who may, what is seen, what is refused, and when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted, StepUpNeeded
from backoffice.organisation.models import LegalEntity, User
from backoffice.organisation.roles import OF_COMPLIANCE, ROLES
from backoffice.organisation.selectors import scope
from backoffice.organisation.services import sessions as door
from backoffice.signin.models import Impersonation, LookEnd, Session
from backoffice.signin.selectors.looking import WITHHELD
from backoffice.signin.services import impersonating, looking
from tests import pages
from tests.attacks import everything, execute
from tests.builders import ROBOT, entity, person, user
from tests.pages import Found
from tests.pages_accounts import many_clients, one_of_many_clients
from tests.signed_in import enrolled, session_of

pytestmark = pytest.mark.django_db
WHY = "ticket 4711: the list of clients is empty"
FOUND = pages.walk("backoffice.urls")


@pytest.fixture
def here() -> LegalEntity:
    return entity("CY")


@pytest.fixture
def sam(here: LegalEntity) -> User:
    made = staff("sam", here, "SYS")
    enrolled(made)
    return made


@pytest.fixture
def mia(here: LegalEntity) -> User:
    return staff("mia", here, "MGT")


def staff(name: str, place: LegalEntity, *roles: str) -> User:
    found = user(name, entities=(place,))
    found.groups.add(*Group.objects.filter(name__in=roles))
    return User.objects.get(pk=found.pk)


def window(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def look(by: User, whom: User, reason: str = WHY) -> Client:
    """A window in which `by` looks as `whom`, begun through the page."""
    client = window(by)
    answer = client.post(reverse("impersonate", args=[whom.pk]), {"reason": reason})
    assert answer.status_code == 303, answer.content.decode()
    return client


def said(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def ends() -> list[str]:
    return list(Impersonation.objects.order_by("pk").values_list("end", flat=True))


# Who may look as whom


def test_a_look_begins_with_a_reason_and_is_written_down(sam: User, mia: User) -> None:
    look(sam, mia)
    row = Impersonation.objects.get()
    assert (row.by, row.user, row.reason, row.end) == (sam, mia, WHY, "")
    assert row.until - row.started_at == timedelta(minutes=30)
    entry = Entry.objects.get(action="signin.impersonation_started")
    assert (entry.actor_id, entry.target) == (sam.pk, f"signin.impersonation:{row.pk}")
    assert (entry.data["as"], entry.data["reason"]) == (mia.pk, WHY)


@pytest.mark.parametrize("reason", ["", "   ", "ticket"])
def test_without_a_reason_nothing_begins(sam: User, mia: User, reason: str) -> None:
    answer = window(sam).post(reverse("impersonate", args=[mia.pk]), {"reason": reason})
    assert answer.status_code == 422
    assert not Impersonation.objects.exists()


def test_nobody_looks_as_those_who_must_not_be_looked_at(sam: User, here: LegalEntity) -> None:
    gone = staff("gone", here, "DLR")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    root = staff("root", here, "DLR")
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    held = user("held", "accounts.see_aml_hold", entities=(here,))
    also = user("also", "signin.impersonate", entities=(here,))
    abroad = staff("abroad", entity("UK"), "DLR")
    refused = [sam, gone, root, held, also, abroad, staff("otto", here, "SYS")]
    refused += [staff("carl", here, "CMP"), staff("mona", here, "DLR", "MLRO")]
    client = window(sam)
    for whom in refused:
        answer = client.post(reverse("impersonate", args=[whom.pk]), {"reason": WHY})
        assert answer.status_code == 422, whom
    assert client.post(reverse("impersonate", args=[0]), {"reason": WHY}).status_code == 404
    assert not Impersonation.objects.exists()


def test_only_administrators_look_and_only_with_a_fresh_code(sam: User, mia: User, here: LegalEntity) -> None:
    dora = staff("dora", here, "DLR")
    for who in (mia, dora):
        client = window(who)
        address = reverse("impersonate", args=[(dora if who == mia else mia).pk])
        assert client.get(address).status_code == client.post(address, {"reason": WHY}).status_code == 403
        session = session_of(client)
        with pytest.raises(NotPermitted):
            begin(who, session, dora if who == mia else mia)
    client = window(sam)
    Session.objects.update(stepped_at=clock.now() - timedelta(minutes=6))
    address = reverse("impersonate", args=[mia.pk])
    for answer in (client.get(address), client.post(address, {"reason": WHY})):
        assert (answer.status_code, answer["Location"].startswith(reverse("step-up"))) == (303, True)
    with pytest.raises(StepUpNeeded):
        begin(sam, session_of(client), mia)
    assert not Impersonation.objects.exists()


def begin(who: User, session: Session, whom: User) -> Impersonation:
    return impersonating.begin(actor=person(who), session_id=session.pk, user_id=whom.pk, reason=WHY)


def test_a_second_look_and_a_look_from_a_foreign_session_are_refused(sam: User, mia: User, here: LegalEntity) -> None:
    dora, otto = staff("dora", here, "DLR"), staff("otto", here, "SYS")
    client, foreign = look(sam, mia), window(otto)
    with pytest.raises(DomainError, match="already"):
        begin(sam, session_of(client), dora)
    with pytest.raises(DomainError, match="has ended"):
        begin(sam, session_of(foreign), dora)
    # Inside a look there is no way to another one: the button is not there, and nothing is sent.
    assert client.get(reverse("impersonate", args=[dora.pk])).status_code == 403
    assert client.post(reverse("impersonate", args=[dora.pk]), {"reason": WHY}).status_code == 403
    assert Impersonation.objects.count() == 1


# What is seen


def test_the_pages_are_those_of_the_other(sam: User, here: LegalEntity) -> None:
    many_clients(here, 2)
    dora = staff("dora", here, "DLR")
    assert window(sam).get(reverse("clients")).status_code == 403
    client = look(sam, dora)
    answer = client.get(reverse("clients"))
    assert len(answer.context["rows"]) == 2
    assert answer.context["user"] == dora
    own = window(dora).get(reverse("clients"))
    assert answer.context["sections"] == own.context["sections"]
    # What the administrator may and the other may not is closed meanwhile.
    assert client.get(reverse("people-sign-in")).status_code == 403
    assert client.get(reverse("admin:index")).status_code == 403


def test_the_banner_says_who_as_whom_since_when_on_every_page(sam: User, here: LegalEntity) -> None:
    """Every address of the product, as somebody who may open much of it."""
    ada = staff("ada", here, "AUD")
    client = look(sam, ada)
    client.raise_request_exception = False
    without, opened = [], 0
    for found in FOUND:
        if found.route in ("healthz", "admin:app_list"):
            continue
        answer = client.get(found.address())
        html = b"" if answer.streaming else answer.content
        if b"<html" not in html:
            continue
        opened += answer.status_code == 200
        if b"Sam looks as Ada" not in html or reverse("end-impersonation").encode() not in html:
            without.append((found.route, answer.status_code))
    assert [row for row in without if row[0] not in BARE] == []
    assert opened > 30


# Pages without the frame: each belongs to the door and shows nothing of anybody.
BARE = {"set-password"}


def test_no_file_is_taken_away(sam: User, here: LegalEntity) -> None:
    """Neither lists with their permission withheld, nor what has no permission of its own."""
    many_clients(here, 1)
    mia = staff("mia", here, "MGT")
    assert window(mia).get(reverse("clients") + "?export=csv").status_code == 200
    before = Entry.objects.filter(action="list.exported").count()
    client = look(sam, mia)
    for kind in ("csv", "xlsx"):
        assert client.get(reverse("clients") + f"?export={kind}").status_code == 403
    assert Entry.objects.filter(action="list.exported").count() == before
    file = found("request-file")
    answer = client.get(file.address(file.builder(here, 1)))
    assert (answer.status_code, "files are not taken away" in said(answer)) == (403, True)
    assert b"the letter of the bank" not in answer.content


def found(route: str) -> Found:
    return next(row for row in FOUND if row.route == route)


def test_what_only_compliance_knows_stays_hidden(sam: User, here: LegalEntity) -> None:
    """Even where the other gets it while the look goes on: the look ends at the next page."""
    dora = staff("dora", here, "DLR")
    client = look(sam, dora)
    assert client.get(reverse("clients")).status_code == 200
    dora.groups.add(Group.objects.get(name="MLRO"))
    answer = client.get(reverse("holds"))
    assert answer.status_code == 403
    assert ends() == [LookEnd.RIGHTS]


@pytest.mark.parametrize("role", ["DLR", "FMK", "FAP", "PAY", "SUP", "IBM", "MGT", "AUD"])
def test_a_look_holds_fewer_permissions_than_the_other(sam: User, here: LegalEntity, role: str) -> None:
    other = staff("other", here, role)
    held = {p for p in all_permissions() if scope.may(other, p)}
    client = look(sam, other)
    seen = client.get(reverse("today")).wsgi_request.user
    assert seen == other
    assert {p for p in all_permissions() if scope.may(seen, p)} == held - WITHHELD
    assert not held & OF_COMPLIANCE


def all_permissions() -> set[str]:
    return {permission for role in ROLES for permission in role.permissions}


def test_ones_own_pages_stay_ones_own(sam: User, mia: User) -> None:
    client = look(sam, mia)
    for route in ("my-sign-in", "change-password", "recovery-codes", "enrol", "enrol-scan", "step-up"):
        answer = client.get(reverse(route))
        assert (answer.status_code, "nobody looks at it as them" in said(answer)) == (409, True), route


# What is written down


def test_every_page_is_noted_under_the_name_of_who_looks(sam: User, mia: User, here: LegalEntity) -> None:
    client = look(sam, mia)
    pk = one_of_many_clients(here, 1).kwargs["pk"]
    for address in (reverse("clients") + "?name=Secret&sort=-number", reverse("client", args=[pk]), "/no/such/"):
        client.get(address)
    client.get(reverse("clients"))
    noted = Entry.objects.filter(action="read.impersonated").order_by("pk")
    paths = [entry.data["path"] for entry in noted]
    assert paths == [reverse("clients"), reverse("client", args=[pk]), reverse("clients")]
    first = noted[0]
    assert (first.actor_id, first.actor_label, first.data["as"]) == (sam.pk, "Sam as Mia", mia.pk)
    assert first.data["parameters"] == ["name", "sort"]
    assert "Secret" not in str(list(Entry.objects.values_list("data", flat=True)))
    assert not Entry.objects.filter(actor_id=mia.pk).exists()


def test_parts_that_a_page_asks_for_by_itself_are_noted_once(sam: User, mia: User) -> None:
    client = look(sam, mia)
    for _ in range(3):
        assert client.get(reverse("today-parts"), headers={"HX-Request": "true"}).status_code == 200
    assert Entry.objects.filter(action="read.impersonated", data__path=reverse("today-parts")).count() == 1


# What is refused


def test_nothing_is_sent_to_any_address_but_the_way_out(sam: User, here: LegalEntity) -> None:
    other = staff("other", here, "MGT")
    client = look(sam, other)
    before, wrong = everything(), []
    for row in FOUND:
        if row.route in ("end-impersonation", "sign-out", "admin:app_list"):
            continue
        methods = ("post", "put", "patch", "delete") if row.route in ("today", "clients", "set-flag") else ("post",)
        for method in methods:
            answer = getattr(client, method)(row.address(), {"reason": "x", "ids": [1]})
            if answer.status_code != 403 or "nothing can be changed" not in said(answer):
                wrong.append((row.route, method, answer.status_code))
    assert wrong == []
    after = everything()
    assert {name for name in after if after[name] != before[name]} <= {"django_session", "signin_session"}
    assert ends() == [""]


def test_what_is_fetched_by_script_is_refused_in_the_same_way(sam: User, mia: User) -> None:
    client = look(sam, mia)
    answer = client.post(reverse("read-all-notices"), headers={"HX-Request": "true"})
    assert (answer.status_code, "nothing can be changed" in said(answer)) == (403, True)


def test_the_browser_holds_nothing_that_could_be_forged(sam: User, mia: User, here: LegalEntity) -> None:
    """Neither a cookie nor what stands in the session's own store makes a look, or lengthens one."""
    client = window(sam)
    session = client.session
    session.update({"looking": mia.pk, "impersonation": 1, "_auth_user_id": str(sam.pk)})
    session.save()
    client.cookies["looking"] = str(mia.pk)
    answer = client.get(reverse("people-sign-in"), headers={"X-Looking": str(mia.pk)})
    assert answer.context["user"] == sam
    looked = look(sam, mia)
    before = dict(looked.session.items())
    assert {name for name in before if "look" in name or "imperson" in name} == set()
    # The other's own window knows nothing of it.
    assert b"looks as" not in window(mia).get(reverse("today")).content


# When it ends


def test_the_button_ends_it(sam: User, mia: User) -> None:
    client = look(sam, mia)
    answer = client.post(reverse("end-impersonation"))
    assert (answer.status_code, answer["Location"]) == (303, reverse("person-sign-in", args=[mia.pk]))
    assert client.get(answer["Location"]).context["user"] == sam
    assert ends() == [LookEnd.BY_PERSON]
    entry = Entry.objects.get(action="signin.impersonation_ended")
    assert (entry.actor_id, entry.data["reason"], entry.data["as"]) == (sam.pk, WHY, mia.pk)
    assert client.post(reverse("end-impersonation")).status_code == 404
    assert Entry.objects.filter(action="signin.impersonation_ended").count() == 1


def test_half_an_hour_is_the_most(sam: User, mia: User) -> None:
    client = look(sam, mia)
    for minutes in (10, 20, 29):
        with clock.at(clock.now() + timedelta(minutes=minutes)):
            assert client.get(reverse("today")).context["user"] == mia
    with clock.at(clock.now() + timedelta(minutes=30)):
        answer = client.post(reverse("read-all-notices"))
        assert (answer.status_code, "no longer looking" in said(answer)) == (403, True)
        assert client.get(reverse("today")).context["user"] == sam
    assert ends() == [LookEnd.TIME]
    assert Entry.objects.filter(action="signin.impersonation_ended").count() == 1


def test_signing_out_ends_it(sam: User, mia: User) -> None:
    client = look(sam, mia)
    assert client.post(reverse("sign-out")).status_code == 302
    assert ends() == [LookEnd.SESSION]
    assert Entry.objects.get(action="signin.impersonation_ended").actor_id == sam.pk
    assert client.get(reverse("today")).status_code == 302
    assert window(sam).get(reverse("today")).context["user"] == sam


def lose_role(sam: User, mia: User) -> None:
    door.end_sessions(actor=ROBOT, user_id=sam.pk, reason="roles changed")
    sam.groups.clear()


def lose_role_in_sql(sam: User, mia: User) -> None:
    execute("DELETE FROM organisation_user_groups WHERE user_id = %s", [sam.pk])


def lose_permission(sam: User, mia: User) -> None:
    """The role is still there, but a direct right of the other's makes them an administrator."""
    user(mia.username, "signin.impersonate")


def leave_entity(sam: User, mia: User) -> None:
    execute("DELETE FROM organisation_entityaccess WHERE user_id = %s", [sam.pk])


def deactivate_sam(sam: User, mia: User) -> None:
    User.objects.filter(pk=sam.pk).update(is_active=False)


def deactivate_mia(sam: User, mia: User) -> None:
    User.objects.filter(pk=mia.pk).update(is_active=False)


@pytest.mark.parametrize(
    "change", [lose_role, lose_role_in_sql, lose_permission, leave_entity, deactivate_sam, deactivate_mia]
)
def test_it_ends_when_rights_or_people_change(sam: User, mia: User, change: Any) -> None:
    client = look(sam, mia)
    assert client.get(reverse("today")).context["user"] == mia
    change(sam, mia)
    answer = client.get(reverse("today"))
    assert answer.status_code in (200, 302, 403)
    assert "Sam looks as" not in said(answer)
    assert answer.wsgi_request.user != mia
    looking.end_due()
    assert Impersonation.objects.filter(ended_at=None).count() == 0


def test_what_nobody_asked_for_again_is_ended_by_schedule(sam: User, mia: User) -> None:
    look(sam, mia)
    assert looking.end_due() == 0
    with clock.at(clock.now() + timedelta(hours=1)):
        assert looking.end_due() == 1
        assert looking.end_due() == 0
    assert Entry.objects.get(action="signin.impersonation_ended").actor_label == "system: signin.end_due"


# What PostgreSQL holds


def refused(statement: str, *parameters: Any) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
    return str(caught.value)


INSERT = (
    'INSERT INTO signin_impersonation (session_id, by_id, user_id, reason, started_at, until, "end")'
    " VALUES (%s, %s, %s, %s, now(), now() + %s::interval, '')"
)


def test_the_database_takes_no_look_that_is_none(sam: User, mia: User, here: LegalEntity) -> None:
    carl, otto = staff("carl", here, "CMP"), staff("otto", here, "SYS")
    session, foreign = session_of(window(sam)).pk, session_of(window(mia)).pk
    assert "impersonation_is_short" in refused(INSERT, session, sam.pk, mia.pk, "why", "31 minutes")
    assert "impersonation_of_another" in refused(INSERT, session, sam.pk, mia.pk, "", "1 minute")
    assert "session of one's own" in refused(INSERT, foreign, sam.pk, mia.pk, "why", "1 minute")
    for whom in (carl, otto):
        assert "nobody looks as" in refused(INSERT, session, sam.pk, whom.pk, "why", "1 minute")
    Session.objects.filter(pk=session).update(ended_at=clock.now(), end="BY_ADMIN")
    assert "session of one's own" in refused(INSERT, session, sam.pk, mia.pk, "why", "1 minute")


def test_a_look_stays_as_it_was_in_the_database(sam: User, mia: User) -> None:
    client = look(sam, mia)
    kept = "stays as it was"
    assert kept in refused("UPDATE signin_impersonation SET until = until - interval '1 minute'")
    assert kept in refused("UPDATE signin_impersonation SET reason = 'another'")
    assert kept in refused("UPDATE signin_impersonation SET user_id = by_id")
    assert "permission denied" in refused("DELETE FROM signin_impersonation")
    client.post(reverse("end-impersonation"))
    assert kept in refused("UPDATE signin_impersonation SET ended_at = NULL, \"end\" = ''")


def test_a_session_that_ends_in_the_database_takes_its_look_with_it(sam: User, mia: User) -> None:
    client = look(sam, mia)
    execute("UPDATE signin_session SET ended_at = now(), \"end\" = 'BY_ADMIN' WHERE id = %s", [session_of(client).pk])
    assert ends() == [LookEnd.SESSION]
