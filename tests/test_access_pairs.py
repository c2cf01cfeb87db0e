"""The forbidden pairs: as data, when a role is given, at run time, waived, and in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from backoffice.access.models import Conflict, Waiver
from backoffice.access.selectors import verify
from backoffice.access.services import grants, waivers
from backoffice.access.services.pairs import PairForbidden, require_not_both
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.errors import DomainError
from backoffice.organisation import pairs
from backoffice.organisation.duties import CODES
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from tests.access_world import House, roles, staff
from tests.attacks import at_once, execute, refused
from tests.builders import ROBOT, entity, person

PAIR = "BO072"
# Read from domain rules by hand, not computed: what each pair keeps apart.
EXPECTED = {
    1: "SUP+FAP SUP+PAY SUP+MGT SUP+CMP CMP+FAP CMP+PAY CMP+MGT",
    2: "FMK+FAP",
    3: "FAP+PAY",
    4: "SYS+DLR SYS+FMK SYS+FAP SYS+PAY SYS+CMP SYS+SUP SYS+IBM SYS+MGT SYS+MLRO",
    5: "IBM+FAP IBM+CMP IBM+MGT",
    6: "DLR+FAP DLR+MGT",
    7: "SYS+MGT SYS+CMP",
    8: "DLR+FAP FMK+FAP PAY+FAP",
    10: "AUD+DLR AUD+FMK AUD+FAP AUD+PAY AUD+CMP AUD+SUP AUD+IBM AUD+MGT AUD+SYS AUD+MLRO",
}


@pytest.fixture
def house(db) -> House:
    return House()


def again(user: User) -> User:
    return User.objects.get(pk=user.pk)


def forbidden() -> set[tuple[str, str]]:
    return {tuple(sorted(two.split("+"))) for line in EXPECTED.values() for two in line.split()}  # type: ignore[misc]


def test_the_pairs_keep_apart_what_the_rules_say():
    found = {number: set() for number in EXPECTED}
    for conflict in pairs.conflicts():
        found[conflict.pair].add((conflict.role, conflict.other))
    assert found == {
        number: {tuple(sorted(two.split("+"))) for two in line.split()} for number, line in EXPECTED.items()
    }


@pytest.mark.django_db
def test_the_database_knows_the_same_pairs():
    stored = Conflict.objects.filter(version=Conflict.objects.latest("version").version)
    assert {(c.pair, c.role, c.other) for c in stored} == {(c.pair, c.role, c.other) for c in pairs.conflicts()}


@pytest.mark.django_db
@pytest.mark.parametrize("one", CODES)
def test_every_two_roles_by_raw_groups_even_in_the_set_up(one):
    """The trigger, without any of our services: allowed and refused exactly as the rules say."""
    for other in CODES:
        if other == one:
            continue
        user = User.objects.create(username=f"{one}-{other}")
        user.groups.add(Group.objects.get(name=one))
        if tuple(sorted((one, other))) in forbidden():
            with refused(PAIR):
                user.groups.add(Group.objects.get(name=other))
        else:
            user.groups.add(Group.objects.get(name=other))


def test_a_request_for_the_other_role_is_refused_and_names_the_pair(house):
    pat = house.new("pat")
    house.give(pat, "FMK")
    with pytest.raises(PairForbidden, match="pair 2: finance maker and finance approver"):
        house.ask(pat, "FAP")


def test_two_requests_that_wait_together_do_not_both_pass(house):
    pat = house.new("pat")
    maker, approver = house.ask(pat, "FMK"), house.ask(pat, "FAP")
    house.approve(maker)
    with pytest.raises(PairForbidden):
        house.approve(approver)
    assert roles(pat) == {"FMK"}


@pytest.mark.django_db
def test_a_command_is_refused_as_well():
    here = entity()
    staff("eve", "FMK", entities=(here,))
    with pytest.raises(CommandError, match="pair 2"):
        call_command("first_staff", "eve", "--role", "FAP", "--entity", "CY")


@pytest.mark.django_db(transaction=True)
def test_two_roles_given_at_the_same_moment_do_not_both_enter():
    user = User.objects.create(username="pat")
    names = ["FMK", "FAP"]

    answers = at_once(2, lambda n: user.groups.add(Group.objects.get(name=names[n])))

    assert sum(isinstance(answer, Exception) for answer in answers) == 1
    assert len(roles(user)) == 1


# Waivers


def test_a_waiver_lets_the_pair_stand_until_it_ends(house):
    pat = house.new("pat")
    house.give(pat, "FMK")
    house.waive(pat, 2, clock.now() + timedelta(days=30))
    house.waive(pat, 8, clock.now() + timedelta(days=30))
    house.give(again(pat), "FAP")
    assert scope.may(again(pat), "ledger.ask_manual_journal")
    assert scope.may(again(pat), "ledger.approve_manual_journal")
    assert list(verify.findings()) == []

    with clock.at(clock.now() + timedelta(days=31)):
        held = again(pat)
        assert not scope.may(held, "ledger.ask_manual_journal")
        assert not scope.may(held, "ledger.approve_manual_journal")
        assert scope.may(held, "accounts.view_client")
        assert waivers.end_due() == 2
    assert {finding.rule for finding in verify.findings()} == {verify.APART}


def test_management_ends_a_waiver_at_once(house):
    pat = house.new("pat")
    house.give(pat, "FMK")
    for number in (2, 8):
        house.waive(pat, number, clock.now() + timedelta(days=30))
    house.give(again(pat), "FAP")
    waiver = Waiver.objects.get(user=pat, pair=2)

    waivers.end_waiver(actor=person(house.mia), waiver_id=waiver.pk, reason="a second accountant is here")

    assert not scope.may(again(pat), "ledger.approve_manual_journal")
    with pytest.raises(DomainError, match="already ended"):
        waivers.end_waiver(actor=person(house.mia), waiver_id=waiver.pk, reason="x")


@pytest.mark.parametrize("number", [9, 10, 11])
def test_there_is_no_waiver_of_these(house, number):
    with pytest.raises(DomainError, match="no waiver"):
        house.waive(house.new("pat"), number, clock.now() + timedelta(days=3))


def test_a_waiver_ends_within_a_year(house):
    with pytest.raises(DomainError, match="within a year"):
        house.waive(house.new("pat"), 2, clock.now() + timedelta(days=367))


def test_the_database_takes_no_waiver_that_nobody_approved(house):
    pat = house.new("pat")
    asked = house.ask(pat, "PAY")
    with refused("BO071"):
        execute(
            "INSERT INTO access_waiver (user_id, pair, reason, granted_at, until, request_id)"
            f" VALUES ({pat.pk}, 2, 'x', now(), now() + interval '1 day', {asked.pk})"
        )


def test_no_waiver_lets_somebody_approve_what_they_asked_for(house):
    """Sam holds both administration and management under a waiver, and still needs a second person."""
    for number in (4, 7):
        house.waive(house.sam, number, clock.now() + timedelta(days=30))
    house.give(house.sam, "MGT", entities=(house.here,))
    sam = again(house.sam)
    assert scope.may(sam, "access.ask_grant") and scope.may(sam, "access.approve_grant")

    request = house.ask(house.new("pat"), "PAY")
    with pytest.raises(DomainError, match="Another person"):
        house.approve(request, by=sam)
    with refused("23505"):
        execute(
            "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, at, reason)"
            f" VALUES ({request.pk}, {sam.pk}, 'APPROVER', '{request.payload_hash}', now(), '')"
        )


def test_roles_that_met_by_other_ways_withhold_each_other(house, monkeypatch):
    """As if an owner had written both groups: neither side counts, what only looks still does."""
    monkeypatch.setattr(pairs, "between", lambda held: [pairs.Conflict(2, "FAP", "FMK")] if "FMK" in held else [])
    pat = house.new("pat")
    monkeypatch.setattr("backoffice.access.services.pairs.require_roles_fit", lambda **_: None)
    house.give(pat, "FMK")
    held = again(pat)
    assert not scope.may(held, "ledger.ask_manual_journal")
    assert scope.may(held, "ledger.view_journal")


# What only shows when it is done


@pytest.mark.django_db
def test_who_did_the_other_half_is_refused():
    one, two = staff("carl", "CMP", entities=(entity(),)), staff("cora", "CMP", entities=(entity(),))
    with pytest.raises(PairForbidden, match="pair 9: setting an AML hold and releasing the same hold") as caught:
        require_not_both(actor=person(one), pair=9, earlier=one.pk)
    assert caught.value.pair == 9
    with pytest.raises(PairForbidden):
        require_not_both(actor=person(one), pair=1, earlier=[None, two.pk, one.pk])
    require_not_both(actor=person(two), pair=9, earlier=one.pk)
    require_not_both(actor=ROBOT, pair=9, earlier=one.pk)
    require_not_both(actor=person(two), pair=9, earlier=None)


def test_the_receiver_is_no_approver_in_the_database_either(house):
    mark = house.new("mark")
    house.give(mark, "MGT")
    request = house.ask(mark, "MLRO")
    execute(
        "INSERT INTO approvals_participation (request_id, person_id, part, payload_hash, at, reason)"
        f" VALUES ({request.pk}, {mark.pk}, 'APPROVER', '{request.payload_hash}', now(), '')"
    )
    with refused("BO071"):
        execute(
            "INSERT INTO access_grant (user_id, role, kind, entities, desks, granted_at, request_id, end_reason)"
            f" VALUES ({mark.pk}, 'MLRO', 'GRANT', '{{{house.here.pk}}}', '{{}}', now(), {request.pk}, '')"
        )


def test_expired_requests_give_nothing(house):
    pat = house.new("pat")
    request = house.ask(pat, "PAY")
    with clock.at(clock.now() + timedelta(days=30)), pytest.raises(DomainError, match="expired"):
        house.approve(request)
    assert roles(pat) == set()
    with pytest.raises(DomainError):
        requests.approve(actor=person(house.mia), request_id=request.pk, seen_hash="0" * 64)
    assert grants.end_due() == 0
