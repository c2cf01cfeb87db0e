"""Who gets in, what a refusal looks like, and what a change needs."""

from __future__ import annotations

import re

import pytest
from django.contrib.messages import get_messages
from django.test import Client, RequestFactory

from backoffice.kernel.actor import Person
from backoffice.organisation.models import Desk, LegalEntity
from backoffice.ui import hooks, navigation, requests
from backoffice.ui.navigation import Item
from backoffice.ui.views import ActionPage, ListPage
from tests import builders
from tests.pages_ui import make_desks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings, monkeypatch):
    settings.ROOT_URLCONF = "tests.ui_site"
    monkeypatch.setattr(navigation, "_items", {})


@pytest.fixture
def here() -> LegalEntity:
    return builders.entity()


def client_of(here: LegalEntity, *permissions: str, fails: bool = True) -> Client:
    client = Client(raise_request_exception=fails)
    client.force_login(builders.user("mara", *permissions, entities=(here,)))
    return client


# Refusals as pages


def test_403_names_the_permission_and_the_request(here):
    answer = client_of(here).get("/desks/")
    html = answer.content.decode()

    assert answer.status_code == 403
    assert "organisation.view_desk" in html
    assert answer["X-Request-Id"] in html
    assert answer["Content-Security-Policy"]


def test_a_superuser_gets_no_shortcut(here):
    user = builders.user("root", entities=(here,))
    user.is_superuser = True
    user.save()
    client = Client()
    client.force_login(user)

    assert client.get("/desks/").status_code == 403


def test_a_person_without_entities_sees_no_rows(here):
    make_desks(here, 2)
    client = Client()
    client.force_login(builders.user("stan", "organisation.view_desk"))

    assert client.get("/desks/").context["rows"] == []


def test_a_missing_row_and_a_foreign_row_look_the_same(here):
    (foreign,) = make_desks(builders.entity("UK"), 1)
    client = client_of(here, "organisation.view_desk")

    missing, hidden = client.get("/desks/999999/"), client.get(f"/desks/{foreign.pk}/")

    assert missing.status_code == hidden.status_code == 404
    number = re.compile(r"[0-9a-f]{32}|[A-Za-z0-9]{64}")
    assert number.sub("", missing.content.decode()) == number.sub("", hidden.content.decode())
    assert "you work in CY" in missing.content.decode()


def test_a_refusal_outside_a_form_is_a_page_with_its_sentence(here):
    answer = client_of(here, "organisation.view_desk").get("/refusing/")

    assert answer.status_code == 409
    assert "The file is held. Accept it first." in answer.content.decode()


def test_a_defect_says_what_to_do_and_asks_no_database(here, django_assert_num_queries):
    client = client_of(here, fails=False)

    with django_assert_num_queries(3):  # session, person and where the session stands, before the view
        answer = client.get("/broken/")

    html = answer.content.decode()
    assert answer.status_code == 500
    assert answer["X-Request-Id"] in html
    assert "ValueError" not in html
    assert "a defect" not in html


def test_an_old_form_says_that_it_is_old(here):
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.user("mara", "organisation.change_desk", entities=(here,)))

    answer = client.post("/desks/1/rename/", {"name": "x"})

    assert answer.status_code == 403
    assert "out of date" in answer.content.decode()
    assert answer["X-Request-Id"] in answer.content.decode()


def test_a_wrong_host_is_refused_without_a_stack_trace(here):
    answer = client_of(here).get("/desks/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert "not understood" in answer.content.decode()


# Changes


def test_looking_at_an_action_changes_nothing(here):
    (desk,) = make_desks(here, 1)

    answer = client_of(here, "organisation.change_desk").get(f"/desks/{desk.pk}/rename/", {"name": "other"})

    assert answer.status_code == 200
    desk.refresh_from_db()
    assert desk.name != "other"


def test_a_change_ends_in_a_redirect_with_a_message(here):
    (desk,) = make_desks(here, 1)

    answer = client_of(here, "organisation.change_desk").post(f"/desks/{desk.pk}/rename/", {"name": "Metals"})

    assert (answer.status_code, answer["Location"]) == (303, "/desks/")
    assert [str(message) for message in get_messages(answer.wsgi_request)] == ["Renamed."]
    desk.refresh_from_db()
    assert desk.name == "Metals"


def test_a_refusal_is_shown_on_the_form_and_nothing_has_changed(here):
    (desk,) = make_desks(here, 1)

    answer = client_of(here, "organisation.change_desk").post(f"/desks/{desk.pk}/rename/", {"name": "taken"})

    assert answer.status_code == 422
    html = answer.content.decode()
    assert "That name is taken. Choose another." in html
    assert 'value="taken"' in html
    assert Desk.objects.get().name == desk.name


def test_a_wrong_field_is_shown_with_what_was_written(here):
    (desk,) = make_desks(here, 1)

    answer = client_of(here, "organisation.change_desk").post(f"/desks/{desk.pk}/rename/", {"name": "x" * 99})

    assert answer.status_code == 422
    assert "at most 80 characters" in answer.content.decode()


def test_a_foreign_row_cannot_be_changed(here):
    (desk,) = make_desks(builders.entity("UK"), 1)

    answer = client_of(here, "organisation.change_desk").post(f"/desks/{desk.pk}/rename/", {"name": "mine"})

    assert answer.status_code == 404
    assert Desk.objects.get().name == desk.name


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(here, method):
    (desk,) = make_desks(here, 1)

    assert getattr(client_of(here, "organisation.change_desk"), method)(f"/desks/{desk.pk}/rename/").status_code == 405


@pytest.mark.parametrize(
    ("back", "location"),
    [
        ("/desks/?sort=-name", "/desks/?sort=-name"),
        ("https://evil.example/", "/desks/"),
        ("//evil.example/", "/desks/"),
        ("/\\evil.example", "/desks/"),
        ("javascript:alert(1)", "/desks/"),
        ("desks/", "/desks/"),
    ],
)
def test_the_way_back_stays_in_the_house(here, back, location):
    (desk,) = make_desks(here, 1)
    client = client_of(here, "organisation.change_desk")

    answer = client.post(f"/desks/{desk.pk}/rename/", {"name": "x", "back": back})

    assert answer["Location"] == location


def test_picked_rows_are_changed_together(here):
    desks = make_desks(here, 3)
    client = client_of(here, "organisation.change_desk", "organisation.view_desk")
    ids = [desk.pk for desk in desks[:2]]

    page = client.get("/desks/rename/", {"ids": ids, "back": "/desks/?sort=code"})
    answer = client.post("/desks/rename/", {"ids": ids, "name": "Both", "back": "/desks/?sort=code"})

    assert "2 picked rows" in page.content.decode()
    assert answer["Location"] == "/desks/?sort=code"
    assert [desk.name for desk in Desk.objects.order_by("pk")] == ["Both", "Both", desks[2].name]


def test_one_foreign_row_among_the_picked_refuses_all(here):
    (own,) = make_desks(here, 1)
    (foreign,) = make_desks(builders.entity("UK"), 1)

    answer = client_of(here, "organisation.change_desk").post(
        "/desks/rename/", {"ids": [own.pk, foreign.pk], "name": "x"}
    )

    assert answer.status_code == 404
    assert not Desk.objects.filter(name="x").exists()


@pytest.mark.parametrize("ids", [[], ["one"], ["1;drop"], ["99999999999999999999"], list(range(600))])
def test_picks_that_make_no_sense_are_not_found(here, ids):
    assert (
        client_of(here, "organisation.change_desk").post("/desks/rename/", {"ids": ids, "name": "x"}).status_code == 404
    )


def test_a_gated_action_goes_through_the_gate(here, monkeypatch):
    asked = []
    gate = hooks.Gate(lambda **request: asked.append(request), lambda action: {})
    monkeypatch.setattr(hooks, "_gates", [gate])

    answer = client_of(here, "organisation.add_desk").post("/desks/ask/", {"reason": "needed"})

    assert answer.status_code == 303
    (request,) = asked
    assert (request["action"], request["payload"], request["reason"]) == (
        "organisation.desk.open",
        {"name": "new"},
        "needed",
    )
    assert isinstance(request["actor"], Person)
    assert request["actor"].request_id == answer["X-Request-Id"]


def test_without_a_gate_nothing_is_asked(here, monkeypatch):
    monkeypatch.setattr(hooks, "_gates", [])

    with pytest.raises(AssertionError, match="nobody takes requests"):
        client_of(here, "organisation.add_desk").post("/desks/ask/", {"reason": "needed"})


# Lists


def test_a_place_that_does_not_exist_is_said_and_the_first_page_shown(here):
    make_desks(here, 2)

    answer = client_of(here, "organisation.view_desk").get("/desks/?after=nonsense")

    assert "named a place in the list that does not exist" in answer.content.decode()
    assert len(answer.context["rows"]) == 2


def test_an_empty_place_leads_back_to_the_first_page(here):
    make_desks(here, 2)

    answer = client_of(here, "organisation.view_desk").get("/desks/?after=ZZZZ~99999")

    assert "no rows here any more" in answer.content.decode()
    assert answer.context["total"].count == 2


def test_picks_buttons_and_exports_are_for_those_who_may(here):
    make_desks(here, 1)
    looker = client_of(here, "organisation.view_desk").get("/desks/").content.decode()
    doer = client_of(
        here, "organisation.change_desk", "organisation.add_desk", "organisation.export_rows", "organisation.view_desk"
    ).get("/desks/?sort=-name")
    html = doer.content.decode()

    for sign in ('name="ids"', "/desks/ask/", "export=csv", 'formaction="/desks/rename/"'):
        assert sign not in looker
        assert sign in html
    assert doer.context["exports"][0] == ("CSV", "?sort=-name&export=csv")


def test_tabs_and_buttons_of_a_row(here):
    (desk,) = make_desks(here, 1)
    client = client_of(here, "organisation.view_desk", "organisation.change_desk")

    page = client.get(f"/desks/{desk.pk}/?tab=secret")
    assert page.context["tabs"] == [("Facts", "?tab=facts", True)]
    assert [button["label"] for button in page.context["buttons"]] == ["Rename"]

    Desk.objects.update(name="fixed")
    assert client.get(f"/desks/{desk.pk}/").context["buttons"] == []


# The frame


def test_the_rail_shows_what_the_person_may_open(here):
    navigation.register(
        Item("Work", "Audit", "entries", "audit.view_entry", order=20, key="a"),
        Item("Work", "Desks", "desks", "organisation.view_desk", order=10, key="d", counter=lambda user: 123),
    )

    page = client_of(here, "organisation.view_desk").get("/desks/")

    (section,) = page.context["sections"]
    assert [(item.label, item.url, item.key, item.count) for item in section.items] == [
        ("Desks", "/desks/", "d", "99+")
    ]
    assert 'href="/desks/" aria-current="page"' in page.content.decode()
    assert page.context["entities"] == ["CY"]


def test_two_items_cannot_share_a_route_or_a_key():
    navigation.register(Item("Work", "Desks", "desks", "organisation.view_desk", order=1, key="d"))

    with pytest.raises(AssertionError, match="lead to desks"):
        navigation.register(Item("Work", "Again", "desks", "x.y", order=2))
    with pytest.raises(AssertionError, match="same key"):
        navigation.register(Item("Work", "Other", "entries", "x.y", order=2, key="d"))


def test_the_actor_has_the_request_and_the_address(here, settings):
    request = RequestFactory().get("/", REMOTE_ADDR="10.1.2.3", headers={"X-Forwarded-For": "6.6.6.6, 9.8.7.6"})
    request.user = builders.user("mara")
    request.request_id = "abc"

    assert requests.actor_of(request) == Person(request.user.pk, "Mara", "abc", "10.1.2.3")
    settings.TRUSTED_PROXIES = 1
    assert requests.ip_of(request) == "9.8.7.6"
    settings.TRUSTED_PROXIES = 3
    assert requests.ip_of(request) == "10.1.2.3"
    assert requests.ip_of(RequestFactory().get("/", REMOTE_ADDR="unix:")) is None


def test_pages_are_described_not_programmed():
    """What a page class may leave out is decided once, here: a page without a way to rows is no page."""
    with pytest.raises(TypeError, match="abstract"):
        ActionPage()
    assert ListPage.export_permission == "organisation.export_rows"
