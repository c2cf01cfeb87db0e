"""Where a person works: entities and desks, on every path, and the holes of guardian closed."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from guardian.models import GroupObjectPermission, UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from accounts.models import Client, TradingAccount
from accounts.selectors import desks
from backoffice.organisation.models import Desk, DeskAccess, EntityAccess, LegalEntity, User
from backoffice.organisation.selectors import scope
from tests.attacks import NO_RIGHT, execute, refused
from tests.builders import entity, user
from tests.pages import pages
from tests.pages_accounts import broker

pytestmark = pytest.mark.django_db
VIEW = "accounts.view_client"


@pytest.fixture
def here() -> LegalEntity:
    return entity("CY")


def again(who: User) -> User:
    return User.objects.get(pk=who.pk)


def client_at(here: LegalEntity, number: str, desk: Desk | None) -> Client:
    """A client row with what the first one of the demo broker has, under another number."""
    row = Client.objects.filter(entity=here).first() or broker(here).client
    row.pk, row.number, row.name, row.desk, row._state.adding = None, number, f"Client {number}", desk, True
    row.save(force_insert=True)
    return row


@pytest.fixture
def floor(here):
    """Two desks, a client at each and one at none; Dee works at the first desk, Wim in the whole entity."""
    broker(here)
    forex = Desk.objects.create(entity=here, code="FX", name="Forex")
    metals = Desk.objects.create(entity=here, code="XAU", name="Metals")
    rows = {
        "FX": client_at(here, "FX-1", forex),
        "XAU": client_at(here, "XAU-1", metals),
        "none": client_at(here, "NO-1", None),
    }
    held = (VIEW, "accounts.view_tradingaccount", "integrations.view_deal", "organisation.export_rows")
    dee = user("dee", *held, entities=(here,))
    assign_perm("organisation.work_in_desk", dee, forex)
    return rows, again(dee), user("wim", *held, entities=(here,))


def browser(who: User) -> Browser:
    client = Browser()
    client.force_login(who)
    return client


def test_a_desk_narrows_the_person_who_has_one_and_nobody_else(floor):
    rows, dee, wim = floor
    assert set(scope.visible(dee, Client.objects.all(), VIEW)) == {rows["FX"]}
    assert set(rows.values()) <= set(scope.visible(wim, Client.objects.all(), VIEW))


def test_a_desk_narrows_its_own_entity_only(floor):
    rows, dee, _ = floor
    abroad = entity("UK")
    assign_perm("organisation.work_in_legalentity", dee, abroad)
    foreign = Client.objects.get(pk=rows["none"].pk)
    foreign.pk, foreign.entity, foreign.number, foreign._state.adding = None, abroad, "UK-1", True
    foreign.save(force_insert=True)
    assert set(scope.visible(again(dee), Client.objects.all(), VIEW)) == {rows["FX"], foreign}


def test_list_search_detail_and_file_agree(floor):
    rows, dee, _ = floor
    page = browser(dee)
    listed = page.get("/clients/").content.decode()
    found = page.get("/clients/?search=XAU-1").content.decode()
    taken = b"".join(page.get("/clients/?export=csv").streaming_content).decode()
    for text in (listed, taken):
        assert "FX-1" in text
        assert "XAU-1" not in text and "NO-1" not in text
    assert "Client XAU-1" not in found
    assert page.get(f"/clients/{rows['FX'].pk}/").status_code == 200
    assert page.get(f"/clients/{rows['XAU'].pk}/").status_code == 404


def test_a_write_to_a_client_of_another_desk_finds_nothing(floor):
    rows = floor[0]
    wrong = []
    for found in pages("backoffice.urls"):
        if found.page is None or list(found.arguments) != ["pk"]:
            continue
        queryset = getattr(found.page, "queryset", None)
        if queryset is None or queryset.model is not Client:
            continue
        who = user("dee", found.page.permission)
        for method in ("get", "post"):
            made = type("Made", (), {"kwargs": {"pk": rows["XAU"].pk}, "ids": ()})()
            answer = getattr(browser(who), method)(found.address(made))
            if answer.status_code not in (404, 405):
                wrong.append(f"{found.route} {method}: {answer.status_code}")
    assert wrong == []


def test_accounts_and_deals_follow_the_client(here, floor):
    rows, dee, wim = floor
    account = TradingAccount.objects.filter(entity=here).first()
    assert account is not None
    for view in (TradingAccount,):
        assert account not in set(scope.visible(dee, view.objects.all(), "accounts.view_tradingaccount"))
        assert account in set(scope.visible(wim, view.objects.all(), "accounts.view_tradingaccount"))
    Client.objects.filter(pk=account.client_id).update(desk=rows["FX"].desk)
    assert account in set(scope.visible(again(dee), TradingAccount.objects.all(), "accounts.view_tradingaccount"))


def test_every_row_of_a_client_knows_its_desk():
    """A model that leads to a client and has no desk path would show every desk's rows."""
    known = set(scope.desk_models())
    missing = [
        model._meta.label
        for model in apps.get_app_config("accounts").get_models()
        if (model is Client or desks.path_of(model)) and model not in known
    ]
    assert missing == []


def test_scope_costs_the_same_for_any_number_of_desks(here, floor):
    _, dee, _ = floor

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            list(scope.visible(again(dee), Client.objects.all(), VIEW))
        return len(queries)

    before = cost()
    for number in range(5):
        desk = Desk.objects.create(entity=here, code=f"D{number}", name="x")
        assign_perm("organisation.work_in_desk", dee, desk)
    assert cost() == before


# guardian's holes


def test_a_permission_over_all_entities_opens_none(here):
    who = user("mara", "organisation.work_in_legalentity", VIEW)
    assert scope.entity_ids(who) == []


def test_a_superuser_works_nowhere(here):
    who = user("root")
    who.is_superuser = True
    who.save()
    assert scope.entity_ids(again(who)) == []
    assert not scope.may(again(who), VIEW)


def test_a_right_does_not_outlive_its_entity(here):
    """The row has a real foreign key: the entity cannot go while somebody works there, for an owner neither."""
    assign_perm("organisation.work_in_legalentity", user("mara"), here)
    assert EntityAccess.objects.filter(content_object=here).exists()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "UPDATE organisation_entityaccess SET content_object_id = 999999 WHERE content_object_id = %s", [here.pk]
        )
    with refused(NO_RIGHT):
        execute("DELETE FROM organisation_legalentity")


def test_guardians_generic_tables_are_closed(here):
    """They take any number of an object, there or not; nothing of ours reads them, and the application cannot write."""
    who = user("mara", VIEW)
    kind = ContentType.objects.get_for_model(LegalEntity)
    permission = Permission.objects.get(codename="work_in_legalentity")
    with refused(NO_RIGHT):
        UserObjectPermission.objects.create(user=who, permission=permission, content_type=kind, object_pk=str(here.pk))
    assert not GroupObjectPermission.objects.exists()


def test_guardian_writes_the_direct_tables(here):
    who = user("mara", entities=(here,))
    desk = Desk.objects.create(entity=here, code="FX", name="Forex")
    assign_perm("organisation.work_in_desk", who, desk)
    assert EntityAccess.objects.get(user=who).content_object == here
    assert DeskAccess.objects.get(user=who).content_object == desk
    assert not UserObjectPermission.objects.exists()


def test_nothing_is_remembered_from_one_request_to_the_next(here):
    who = user("mara", VIEW, entities=(here,))
    page = browser(who)
    assert page.get("/clients/").status_code == 200
    who.user_permissions.clear()
    assert page.get("/clients/").status_code == 403
    assert scope.entity_ids(again(who)) == [here.pk]
    remove_perm("organisation.work_in_legalentity", who, here)
    assert scope.entity_ids(again(who)) == []


def test_somebody_deactivated_sees_nothing(here):
    who = user("mara", VIEW, entities=(here,))
    who.is_active = False
    who.save()
    assert (scope.entity_ids(again(who)), scope.desk_ids(again(who)), scope.may(again(who), VIEW)) == ([], {}, False)
