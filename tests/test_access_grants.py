"""Nobody gets a right without a second person: asked in order, and attacked by form, by service and by raw SQL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.core.management import CommandError, call_command
from guardian.shortcuts import assign_perm

from backoffice.access import actions
from backoffice.access.models import Grant
from backoffice.access.selectors import verify
from backoffice.access.services import grants, people
from backoffice.access.services.pairs import PairForbidden
from backoffice.approvals.services import requests
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.organisation.models import Desk, EntityAccess, User
from backoffice.organisation.selectors import scope
from backoffice.outbox import services as outbox
from backoffice.outbox.models import Message
from tests.access_world import House, roles
from tests.attacks import NO_RIGHT, execute, findings, refused
from tests.builders import ROBOT, person

pytestmark = pytest.mark.django_db
FROZEN, NO_CONSENT, PAIR, APPEND_ONLY = "BO070", "BO071", "BO072", "BO001"


@pytest.fixture
def house() -> House:
    return House()


def again(user: User) -> User:
    """The person as the next request reads them."""
    return User.objects.get(pk=user.pk)


# In order


def test_a_role_comes_with_the_second_person_and_not_before(house):
    pat = house.new("pat")
    request = house.ask(pat, "PAY")
    assert roles(pat) == set() and not scope.may(again(pat), "accounts.view_client")

    house.approve(request)

    given = Grant.objects.get(user=pat)
    assert roles(pat) == {"PAY"}
    assert scope.may(again(pat), "accounts.view_client")
    assert scope.entity_ids(again(pat)) == [house.here.pk]
    assert (given.request_id, given.kind, given.entities) == (request.pk, "GRANT", [house.here.pk])
    row = Entry.objects.get(action="access.granted")
    assert (row.actor_id, row.data["role"], row.data["user"]) == (house.mia.pk, "PAY", pat.pk)
    assert findings() == set()


def test_a_rehearsal_writes_nothing(house):
    house.ask(house.new("pat"), "PAY")
    assert Grant.objects.filter(user__username="pat").count() == 0
    assert EntityAccess.objects.filter(user__username="pat").count() == 0


def test_nobody_decides_about_their_own_role(house):
    request = house.ask(house.mia, "MLRO")
    with pytest.raises(DomainError, match="Another person"):
        house.approve(request)
    assert roles(house.mia) == {"MGT"}


def test_who_asks_does_not_approve(house):
    pat = house.new("pat")
    request = house.ask(pat, "PAY")
    with pytest.raises(NotPermitted, match=r"access\.approve_grant"):
        house.approve(request, by=house.sam)
    assert roles(pat) == set()


def test_places_are_given_by_people_who_work_there(house):
    mark = house.new("mark")
    house.give(mark, "MGT")
    request = house.ask(house.new("pat"), "PAY", entities=(house.here, house.abroad))
    with pytest.raises(DomainError, match="same entities"):
        house.approve(request, by=again(mark))


def test_revoking_takes_the_places_that_only_this_role_brought(house):
    pat = house.new("pat")
    house.give(pat, "PAY", entities=(house.here, house.abroad))
    house.give(pat, "DLR", entities=(house.here,))

    house.revoke(pat, "PAY")

    assert roles(pat) == {"DLR"}
    assert scope.entity_ids(again(pat)) == [house.here.pk]
    assert findings() == set()


def test_a_right_taken_away_is_gone_with_the_next_request(house):
    pat = house.new("pat")
    house.give(pat, "PAY")
    assert scope.may(again(pat), "accounts.view_client")
    house.revoke(pat, "PAY")
    assert not scope.may(again(pat), "accounts.view_client")
    assert scope.entity_ids(again(pat)) == []


def test_changed_roles_end_the_sessions(house, monkeypatch):
    ended = []
    monkeypatch.setattr(
        "backoffice.organisation.services.sessions._enders", [lambda *, actor, user_id, reason: ended.append(user_id)]
    )
    pat = house.new("pat")
    house.give(pat, "PAY")
    house.revoke(pat, "PAY")
    assert ended == [pat.pk, pat.pk]


def test_deactivating_takes_everything_at_once_and_coming_back_brings_nothing(house):
    pat = house.new("pat")
    house.give(pat, "PAY")

    people.deactivate(actor=person(house.sam), user_id=pat.pk, reason="lost their phone and their nerve")

    assert (roles(pat), again(pat).is_active) == (set(), False)
    people.reactivate(actor=person(house.sam), user_id=pat.pk, reason="found both")
    assert (roles(pat), again(pat).is_active) == (set(), True)
    with pytest.raises(DomainError, match="yourself"):
        people.deactivate(actor=person(house.sam), user_id=house.sam.pk, reason="x")


# Time


def test_a_grant_with_an_end_does_not_count_after_it_and_is_swept(house):
    pat = house.new("pat")
    house.give(pat, "PAY", until=clock.now() + timedelta(days=1))
    with clock.at(clock.now() + timedelta(days=1, seconds=1)):
        assert not scope.may(again(pat), "accounts.view_client")
        assert scope.entity_ids(again(pat)) == []
        assert roles(pat) == {"PAY"}
        assert grants.end_due() == 1
        assert grants.end_due() == 0
    assert roles(pat) == set()
    assert Entry.objects.filter(action="access.ended", actor_label="system: access.end_due").count() == 1


def test_break_glass_is_short_told_to_auditors_and_ends_by_itself(house):
    pat = house.new("pat")
    house.give(pat, "PAY")
    end = clock.now() + timedelta(hours=2)

    given = house.break_glass(again(pat), "FAP", end)

    assert roles(pat) == {"PAY", "FAP"}
    assert scope.may(again(pat), "ledger.approve_manual_journal")
    key = f"break-glass:{given.pk}:{house.ada.pk}"
    assert Message.objects.get(key=key).payload["to"] == ["ada@example.com"]
    assert "Pat" not in str(Message.objects.get(key=key).payload)
    outbox.send_due()
    assert [m.subject for m in mail.outbox if m.to == ["ada@example.com"]] == ["Back office: break-glass"]
    with clock.at(end):
        assert not scope.may(again(pat), "ledger.approve_manual_journal")
        grants.end_due()
    assert roles(pat) == {"PAY"}


def test_break_glass_is_refused_when_long_and_never_beside_an_auditor(house):
    pat = house.new("pat")
    house.give(pat, "PAY")
    with pytest.raises(DomainError, match="8 hours at most"):
        house.break_glass(again(pat), "FAP", clock.now() + timedelta(hours=9))
    with pytest.raises(PairForbidden, match="no waiver"):
        house.break_glass(again(pat), "AUD", clock.now() + timedelta(hours=1))


# Attacks as the application's own role, as a form or a library would do it, and by hand


def test_a_group_is_not_added_by_saving_it(house):
    pat = house.new("pat")
    with refused(NO_CONSENT):
        pat.groups.add(Group.objects.get(name="FMK"))
    with refused(NO_CONSENT):
        pat.groups.set(Group.objects.filter(name__in=["FMK", "PAY"]))


def test_a_permission_of_ones_own_is_not_given(house):
    pat = house.new("pat")
    with refused(NO_CONSENT):
        pat.user_permissions.add(Permission.objects.get(codename="approve_manual_journal"))


def test_a_place_is_not_given_without_a_grant(house):
    pat = house.new("pat")
    with refused(NO_CONSENT):
        assign_perm("organisation.work_in_legalentity", pat, house.here)
    desk = Desk.objects.create(entity=house.here, code="FX", name="Forex")
    with refused(NO_CONSENT):
        assign_perm("organisation.work_in_desk", pat, desk)


def test_nobody_becomes_a_superuser(house):
    with refused(NO_CONSENT):
        User.objects.filter(pk=house.sam.pk).update(is_superuser=True)
    with refused(NO_CONSENT):
        User.objects.create(username="root", is_superuser=True)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO organisation_user_groups (user_id, group_id) SELECT {sam}, id FROM auth_group WHERE name = 'FAP'",
        "UPDATE organisation_user_groups SET group_id = (SELECT max(id) FROM auth_group) WHERE user_id = {sam}",
        "UPDATE organisation_user_groups SET user_id = {sam} WHERE user_id = {mia}",
        "INSERT INTO organisation_user_user_permissions (user_id, permission_id)"
        " SELECT {sam}, max(id) FROM auth_permission",
        "INSERT INTO access_grant (user_id, role, kind, entities, desks, granted_at, end_reason)"
        " VALUES ({sam}, 'FAP', 'SETUP', '{{}}', '{{}}', now(), '')",
        "INSERT INTO access_grant (user_id, role, kind, entities, desks, granted_at, request_id, end_reason)"
        " SELECT {pat}, 'PAY', 'GRANT', ARRAY[{here}], '{{}}', now(), {asked}, ''",
        "UPDATE access_grant SET role = 'FAP' WHERE user_id = {sam}",
        "UPDATE access_grant SET ended_at = NULL WHERE user_id = {sam}",
        "DELETE FROM access_grant",
        "DELETE FROM access_setupend",
        "UPDATE access_setupend SET at = now()",
        "INSERT INTO access_conflict (version, pair, role, other) VALUES (99, 1, 'X', 'Y')",
        "DELETE FROM access_conflict",
        "INSERT INTO auth_group_permissions (group_id, permission_id)"
        " SELECT min(g.id), max(p.id) FROM auth_group g, auth_permission p",
        "INSERT INTO guardian_userobjectpermission (user_id, permission_id, content_type_id, object_pk)"
        " SELECT {sam}, max(id), 1, '1' FROM auth_permission",
        "ALTER TABLE organisation_user_groups DISABLE TRIGGER role_guard",
        "SET session_replication_role = replica",
    ],
)
def test_raw_sql_of_the_application_gives_no_right(house, statement):
    pat = house.new("pat")
    asked = house.ask(pat, "PAY")  # a request that nobody approved
    filled = statement.format(sam=house.sam.pk, mia=house.mia.pk, pat=pat.pk, here=house.here.pk, asked=asked.pk)
    with refused(NO_CONSENT, FROZEN, APPEND_ONLY, NO_RIGHT):
        execute(filled)


def test_an_approved_request_gives_what_it_says_and_once(house):
    """The database compares: another role, another place, another end, another person, a second time."""
    pat, ron = house.new("pat"), house.new("ron")
    request = house.approve(house.ask(pat, "PAY"))
    columns = (
        "INSERT INTO access_grant (user_id, role, kind, entities, desks, granted_at, until, request_id, end_reason)"
    )
    for values in (
        f"({pat.pk}, 'FMK', 'GRANT', '{{{house.here.pk}}}', '{{}}', now(), NULL, {request.pk}, '')",
        f"({pat.pk}, 'PAY', 'GRANT', '{{{house.abroad.pk}}}', '{{}}', now(), NULL, {request.pk}, '')",
        f"({ron.pk}, 'PAY', 'GRANT', '{{{house.here.pk}}}', '{{}}', now(), NULL, {request.pk}, '')",
        f"({pat.pk}, 'PAY', 'GRANT', '{{{house.here.pk}}}', '{{}}', now(), NULL, {request.pk}, '')",
    ):
        with refused(NO_CONSENT, "23505"):
            execute(f"{columns} VALUES {values}")


def test_a_forged_approval_needs_somebody_who_may_approve(house):
    """Whoever can write a participation still has to name a manager, who is then in the books."""
    pat = house.new("pat")
    request = house.ask(pat, "PAY")
    execute(
        "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, at, reason)"
        f" VALUES ({request.pk}, {house.ada.pk}, 'APPROVER', '{request.payload_hash}', now(), '')"
    )
    with refused(NO_CONSENT):
        execute(
            "INSERT INTO access_grant (user_id, role, kind, entities, desks, granted_at, request_id, end_reason)"
            f" VALUES ({pat.pk}, 'PAY', 'GRANT', '{{{house.here.pk}}}', '{{}}', now(), {request.pk}, '')"
        )


def test_a_role_without_a_grant_is_found(house):
    pat = house.new("pat")
    house.give(pat, "PAY")
    given = Grant.objects.get(user=pat)
    given.ended_at = clock.now()
    given.save(update_fields=["ended_at"])

    found = {(finding.subject, finding.detail) for finding in verify.findings()}

    assert found == {
        (f"organisation.user:{pat.pk}", "PAY without a grant in force"),
        (f"organisation.user:{pat.pk}", "entity CY without a grant in force"),
    }


# The first day


def test_the_set_up_ends_once_and_needs_people_first(db):
    with pytest.raises(DomainError, match="Make these people first"):
        people.end_set_up(actor=ROBOT)


def test_after_the_set_up_no_command_gives_a_role(house):
    with pytest.raises(CommandError, match="set-up has ended"):
        call_command("first_staff", "eve", "--role", "FAP", "--entity", "CY")
    assert not User.objects.filter(username="eve").exists()
    with pytest.raises(CommandError, match="set-up ended on"):
        call_command("end_setup")


def test_requests_name_their_action(house):
    request = house.ask(house.new("pat"), "PAY")
    with pytest.raises(DomainError):
        requests.submit(
            actor=person(house.sam),
            action=actions.GRANT,
            payload=actions.RoleGrant(house.sam.pk, "FAP", (house.here.pk,), (), None),
            reason="help out",
        )
    assert request.view_permission == "access.view_grant"
