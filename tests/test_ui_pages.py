"""Every list, detail and action page of the URL map, attacked in the same way. A new page is covered when it is
in the map; one whose address has arguments needs a builder in tests/pages_<room>.py."""

from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from backoffice.organisation.models import LegalEntity, User
from backoffice.ui import hooks, navigation, paging
from backoffice.ui.views import ActionPage, ListPage
from tests import builders, pages, signed_in
from tests.pages import PUBLIC, Found, Made

URLCONFS = ("backoffice.urls", "tests.ui_site")
PAGES = [found for urlconf in URLCONFS for found in pages.pages(urlconf)]
LISTS = [found for found in PAGES if found.page and issubclass(found.page, ListPage)]
SEARCHED = [found for found in LISTS if found.page and found.page.filters and not found.page.table.small]
ACTIONS = [found for found in PAGES if found.page and issubclass(found.page, ActionPage)]
SCOPED = [found for found in PAGES if found.page and found.page.entity_path]
EXPORT = "organisation.export_rows"
# Lists of what waits for somebody: a partial index leaves the open ones, and those few are looked through.
WORK = {"new-withdrawals", "to-pay", "in-doubt", "file-payouts"}

pytestmark = pytest.mark.django_db


def name(found: Found) -> str:
    return f"{found.urlconf}:{found.route}"


every_page = pytest.mark.parametrize("found", PAGES, ids=name)
every_list = pytest.mark.parametrize("found", LISTS, ids=name)
every_searched_list = pytest.mark.parametrize("found", SEARCHED, ids=name)
every_action = pytest.mark.parametrize("found", ACTIONS, ids=name)
every_scoped_page = pytest.mark.parametrize("found", SCOPED, ids=name)


@pytest.fixture(autouse=True)
def site(request, settings, monkeypatch):
    """The page's own URL map; the test site has no navigation of the product."""
    found = request.node.callspec.params.get("found") if hasattr(request.node, "callspec") else None
    settings.ROOT_URLCONF = found.urlconf if found else "tests.ui_site"
    if settings.ROOT_URLCONF == "tests.ui_site":
        monkeypatch.setattr(navigation, "_items", {})


@pytest.fixture
def here() -> LegalEntity:
    return builders.entity("CY")


def sign_in(*permissions: str, entities: tuple[LegalEntity, ...] = (), user: str = "mara") -> Client:
    client = Client()
    client.force_login(builders.user(user, *permissions, entities=entities))
    return client


def made(found: Found, here: LegalEntity, number: int = 1) -> Made:
    assert found.builder is not None, f"add a builder for {found.route} to tests/pages_<room>.py"
    return found.builder(here, number)


@every_page
def test_a_page_names_its_permission_and_the_permission_exists(found):
    assert found.page.permission, f"{found.page.__name__} has no permission"
    builders.user("mara", found.page.permission)


@every_page
def test_a_visitor_is_sent_to_the_sign_in(found):
    answer = Client().get(found.address())

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("sign-in"))


@every_page
def test_without_the_permission_the_answer_names_it(found, here):
    answer = sign_in(entities=(here,)).get(found.address())

    assert answer.status_code == 403
    assert found.page.permission in answer.content.decode()


def lists_rows(found):
    """A list of rows that belong to entities, and not of the entities to choose from."""
    rows = getattr(found.page, "queryset", None)
    return issubclass(found.page, ListPage) and (rows is None or rows.model is not LegalEntity)


@every_page
def test_with_the_permission_the_page_opens(found, here):
    rows = made(found, here)

    answer = sign_in(found.page.permission, entities=(here,)).get(found.address(rows))

    assert answer.status_code in ((409,) if found.route == "refusing" else (200,))
    assert answer["Cache-Control"] == "no-store, private"
    assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-Id"])
    html = answer.content.decode()
    assert_obeys_the_policy(html)
    assert [word for word in rows.words if word not in html] == []


@every_scoped_page
def test_rows_of_another_entity_are_not_there(found, here):
    rows = made(found, here)
    stranger = sign_in(found.page.permission, entities=(builders.entity("UK"),), user="stan")

    answer = stranger.get(found.address(rows))

    if found.arguments or getattr(found.page, "bulk", False):
        assert answer.status_code == 404
    else:
        assert answer.status_code == 200
    html = answer.content.decode()
    assert [word for word in rows.words if word in html] == []
    if lists_rows(found) and not found.arguments:
        assert answer.context["rows"] == []
        assert answer.context["total"].count == 0


@every_page
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(found, here):
    address = found.address(made(found, here))
    client = sign_in(found.page.permission, entities=(here,))
    client.get(address)  # content types and the like are read once per process

    with CaptureQueriesContext(connection) as one:
        client.get(address)
    size = min(getattr(found.page, "page_size", 50), 50)
    made(found, here, size - 1)
    with CaptureQueriesContext(connection) as many:
        answer = client.get(address)

    more = 0
    if lists_rows(found):
        assert len(answer.context["rows"]) == size
        if answer.context["pager"]["next"]:
            more = 2  # a list of more than one page asks how long it is: an estimate and a count
    # On a slow machine a minute may have passed, and the session notes that it was seen.
    asked = [query["sql"] for query in many if not query["sql"].startswith('UPDATE "signin_session"')]
    assert len(asked) <= len(one) + more, "\n".join(sql[:200] for sql in asked)


@every_action
def test_nothing_is_changed_without_the_token_of_the_form(found, here):
    address = found.address(made(found, here))
    client = Client(enforce_csrf_checks=True)
    client.force_login(builders.user("mara", found.page.permission, entities=(here,)))

    assert client.post(address, {}).status_code == 403


@every_list
def test_an_export_needs_its_own_permission(found, here, monkeypatch):
    monkeypatch.setattr(hooks, "_recorders", [lambda event: None])
    if not lists_rows(found):
        return
    address = found.address(made(found, here))
    address += ("&" if "?" in address else "?") + "export=csv"

    refused = sign_in(found.page.permission, entities=(here,)).get(address)
    allowed = sign_in(found.page.permission, found.page.export_permission, entities=(here,), user="chris").get(address)

    assert refused.status_code == 403
    assert found.page.export_permission in refused.content.decode()
    assert allowed.status_code == 200
    head = b"".join(allowed.streaming_content).decode("utf-8-sig").splitlines()[0]
    assert head.startswith(found.page.table.columns[0].label)


@every_list
def test_the_number_of_queries_of_an_export_does_not_depend_on_its_rows(found, here, monkeypatch):
    if not lists_rows(found):
        return
    monkeypatch.setattr(hooks, "_recorders", [lambda event: None])
    address = found.address(made(found, here))
    address += ("&" if "?" in address else "?") + "export=csv"
    client = sign_in(found.page.permission, found.page.export_permission, entities=(here,))

    def export() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            lines = b"".join(client.get(address).streaming_content).splitlines()
        return len(lines), len(queries)

    export()  # content types and the like are read once per process
    few, one = export()
    made(found, here, 20)
    lines, many = export()

    assert lines >= few + 20
    assert many <= one


@every_list
def test_every_sort_is_total_and_has_an_index(found, here):
    table, queryset = found.page.table, rows_of(found, here)
    assert table.default_sort.removeprefix("-") in table.sorts
    for column in table.columns:
        assert column.sort is None or column.sort in table.sorts, column.label
    for fields in table.sorts.values():
        paging.check(queryset, fields)
        if not table.small and found.route not in WORK:
            assert sorted_by_index(queryset, fields), f"no index begins with {fields}"


@every_searched_list
def test_every_text_filter_has_an_index(found, here):
    if found.route in WORK:
        return
    queryset = rows_of(found, here).select_related(None).order_by()
    for field, filter_ in found.page.filters.base_filters.items():
        for lookup in getattr(filter_, "lookups", list)():
            assert found_by_index(queryset, lookup), f"{field}: {lookup} reads the whole table"


@pytest.mark.parametrize("urlconf", URLCONFS)
def test_every_view_asks_for_a_sign_in_unless_it_is_on_the_list(urlconf):
    public = {found.route for found in pages.walk(urlconf) if not getattr(found.view, "login_required", True)}

    assert public <= PUBLIC


def test_sign_in_leads_back_and_changes_the_session(here):
    user = builders.user("mara", "organisation.view_desk", entities=(here,))
    user.set_password("a long enough password")
    user.save()
    signed_in.enrolled(user)
    client = Client()
    first = client.get("/desks/?sort=-name", follow=True)
    assert first.redirect_chain == [("/sign-in/?next=/desks/%3Fsort%3D-name", 302)]
    assert first["Cache-Control"] == "no-store, private"

    wrong = client.post("/sign-in/?next=/desks/", {"username": "mara", "password": "wrong"})
    right = client.post("/sign-in/?next=/desks/", {"username": "mara", "password": "a long enough password"})

    assert "do not fit together" in wrong.content.decode()
    assert (right.status_code, right["Location"]) == (302, "/second-factor/?next=%2Fdesks%2F")
    code = client.post(right["Location"], {"code": signed_in.code(), "next": "/desks/"})
    assert (code.status_code, code["Location"]) == (303, "/desks/")
    assert client.get("/desks/").status_code == 200


def test_nobody_is_signed_out_by_a_link(here):
    client = sign_in("organisation.view_desk", entities=(here,))

    assert client.get("/sign-out/").status_code == 405
    assert client.get("/desks/").status_code == 200
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/desks/").status_code == 302


def test_a_part_of_a_page_fetched_after_the_session_ended_moves_the_whole_page():
    answer = Client().get(
        "/desks/?search=x", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/desks/?sort=name"}
    )

    assert answer.status_code == 200
    assert answer["HX-Redirect"] == "/sign-in/?next=%2Fdesks%2F%3Fsort%3Dname"


def assert_obeys_the_policy(html: str) -> None:
    """The content security policy forbids these; a browser would drop them without a word."""
    tags = re.findall(r"<[a-zA-Z][^>]*>", html)
    assert not [tag for tag in tags if re.search(r"\s(style|on[a-z]+)\s*=", tag)]
    assert not [tag for tag in tags if tag.startswith("<script") and "src=" not in tag]
    assert not [tag for tag in tags if re.search(r"""(href|src|action)=["']?\s*(javascript:|https?:|//)""", tag)]


def rows_of(found: Found, here: LegalEntity):
    """The page's own queryset, before what a person may see."""
    request = RequestFactory().get("/")
    request.user = builders.user("mara", found.page.permission, entities=(here,))
    view = found.page()
    view.setup(request, **made(found, here).kwargs)
    return view.rows()


def plan_of(queryset) -> str:
    """The plan when reading the whole table is not on offer."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    try:
        return queryset.explain(format="json")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = on")


def found_by_index(queryset, lookup: str) -> bool:
    """Whether the planner finds the text by an index. Over a handful of rows every index costs it the same, and what it
    takes depends on the statistics of the moment: then the catalog tells if an index of all rows begins with it."""
    *path, column, how = lookup.replace("pk__", "id__").split("__")
    plan = plan_of(queryset.filter(**{lookup: "12345"}))
    if re.search(rf'"Index Cond": "[^"]*{column}', plan):
        return True
    model = queryset.model
    for step in path:
        model = model._meta.get_field(step).related_model
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_indexdef(indexrelid, 1, true) FROM pg_index"
            " WHERE indrelid = %s::regclass AND indpred IS NULL AND indisvalid",
            [model._meta.db_table],
        )
        return how == "exact" and (column,) in cursor.fetchall()


def sorted_by_index(queryset, fields) -> bool:
    """Whether the planner can deliver this order from an index, without sorting."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
    try:
        plan = json.dumps(plan_of(queryset.select_related(None).order_by(*fields)))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = on; SET LOCAL enable_incremental_sort = on")
    return '"Sort"' not in plan.replace("\\", "")


def test_the_guards_of_this_file_see_what_they_guard(here):
    queryset = User.objects.all()
    assert not sorted_by_index(queryset, ("first_name", "pk"))
    assert sorted_by_index(queryset, ("username",))
    assert "Index Cond" not in plan_of(queryset.filter(first_name__istartswith="x"))
    with pytest.raises(AssertionError):
        assert_obeys_the_policy('<p style="color: red">')
    with pytest.raises(AssertionError):
        assert_obeys_the_policy("<script>alert(1)</script>")
    with pytest.raises(AssertionError):
        assert_obeys_the_policy('<a href="javascript:alert(1)">')
