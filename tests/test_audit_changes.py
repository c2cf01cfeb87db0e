"""Writes around the application leave a row or are refused, whoever sends them and by whichever path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from guardian.models import UserObjectPermission

from accounts.models import Client
from accounts.services import clients
from backoffice.audit import services as audit
from backoffice.audit.models import Change, Entry
from backoffice.audit.selectors import watched
from backoffice.audit.services.watching import watch
from backoffice.kernel.tables import Access
from backoffice.organisation.models import Desk, LegalEntity, User
from tests.attacks import NO_RIGHT, execute, refused
from tests.builders import ROBOT, entity, user


def changes(table: str) -> list[tuple[str, int]]:
    return list(Change.objects.filter(table_name=table).order_by("id").values_list("operation", "rows"))


@pytest.fixture
def desk(db: None) -> Desk:
    found = Desk.objects.create(entity=entity("CY"), code="A", name="first")
    Desk.objects.create(entity=entity("CY"), code="B", name="second")
    Change.objects.order_by("-id").first()
    return found


def added(work: Callable[[], Any], table: str = "organisation_desk") -> list[tuple[str, int]]:
    """What was noted of a table while this was done."""
    before = len(changes(table))
    work()
    return changes(table)[before:]


def _skip_history(desk: Desk) -> None:
    desk.skip_history_when_saving = True  # type: ignore[attr-defined]
    desk.name = "skipped"
    desk.save()


def _save(desk: Desk) -> None:
    desk.name = "saved"
    desk.save()


def _expression(desk: Desk) -> None:
    desk.entity_id = F("entity_id")  # type: ignore[assignment]
    desk.name = F("code")  # type: ignore[assignment]
    desk.save_base(raw=True)


def _bulk_update(desk: Desk) -> None:
    rows = list(Desk.objects.all())
    for row in rows:
        row.name += "!"
    Desk.objects.bulk_update(rows, ["name"])


# The write paths on which simple-history is known to lose rows, and those on which it does not.
PATHS: dict[str, tuple[Callable[[Desk], Any], list[tuple[str, int]]]] = {
    "save": (_save, [("UPDATE", 1)]),
    "queryset update": (lambda d: Desk.objects.update(name="x"), [("UPDATE", 2)]),
    "bulk_update": (_bulk_update, [("UPDATE", 2)]),
    "bulk_create": (
        lambda d: Desk.objects.bulk_create([Desk(entity=d.entity, code=c, name=c) for c in "XY"]), [("INSERT", 2)],
    ),
    "update_or_create": (
        lambda d: Desk.objects.update_or_create(entity=d.entity, code="A", defaults={"name": "u"}), [("UPDATE", 1)],
    ),
    "an expression": (_expression, [("UPDATE", 1)]),
    "without history": (_skip_history, [("UPDATE", 1)]),
    "raw SQL": (lambda d: execute("UPDATE organisation_desk SET name = 'raw'"), [("UPDATE", 2)]),
    "raw SQL that changes nothing": (lambda d: execute("UPDATE organisation_desk SET name = name"), []),
    "raw SQL that hits nothing": (lambda d: execute("UPDATE organisation_desk SET name = 'x' WHERE id = 0"), []),
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_write_path_leaves_a_row(desk: Desk, path: str) -> None:
    work, expected = PATHS[path]
    assert added(lambda: work(desk)) == expected


@pytest.mark.parametrize("session_role", ["owner"], indirect=True)
def test_many_to_many_and_the_owners_own_tables_leave_rows(as_role: str) -> None:
    here, mara = entity("CY"), user("mara")
    role = Group.objects.create(name="role")
    assert added(lambda: mara.groups.add(role), "organisation_user_groups") == [("INSERT", 1)]
    assert added(mara.groups.clear, "organisation_user_groups") == [("DELETE", 1)]
    assert added(lambda: role.user_set.add(mara), "organisation_user_groups") == [("INSERT", 1)]
    assert added(lambda: Group.objects.filter(pk=role.pk).update(name="renamed"), "auth_group") == [("UPDATE", 1)]
    permission = Permission.objects.latest("pk")
    assert added(lambda: role.permissions.add(permission), "auth_group_permissions") == [("INSERT", 1)]
    assert added(lambda: mara.user_permissions.add(permission), "organisation_user_user_permissions") == [("INSERT", 1)]
    table = "guardian_userobjectpermission"
    right = UserObjectPermission(
        content_type=permission.content_type, permission=permission, object_pk=here.pk, user=mara
    )
    assert added(lambda: UserObjectPermission.objects.bulk_create([right]), table) == [("INSERT", 1)]
    assert added(lambda: UserObjectPermission.objects.filter(user=mara).delete(), table) == [("DELETE", 1)]


def test_a_row_says_what_changed_and_from_whom(desk: Desk) -> None:
    execute("UPDATE organisation_desk SET name = 'renamed' WHERE id = %s", [desk.pk])

    change = Change.objects.filter(table_name="organisation_desk").latest("id")
    assert change.keys == [str(desk.pk)]
    assert change.content == [{"key": str(desk.pk), "before": {"name": "first"}, "after": {"name": "renamed"}}]
    assert change.role == connection.settings_dict["USER"]


def test_large_statements_have_keys_and_the_largest_a_number(desk: Desk) -> None:
    def make(number: int, letter: str) -> Change:
        Desk.objects.bulk_create([Desk(entity=desk.entity, code=f"{letter}{n}", name="x") for n in range(number)])
        return Change.objects.filter(table_name="organisation_desk").latest("id")

    assert len(make(100, "a").content) == 100
    middle = make(101, "b")
    assert (middle.rows, middle.content, len(middle.keys)) == (101, [], 101)
    large = make(1_001, "c")
    assert (large.rows, large.content, large.keys) == (1_001, [], [])


@pytest.mark.django_db
def test_secrets_and_personal_data_are_marks(here: LegalEntity | None = None) -> None:
    mara = user("mara")
    mara.set_password("a long enough password")
    mara.email = "mara@example.com"
    mara.save()
    created = Change.objects.filter(table_name="organisation_user").order_by("id")
    text = str([change.content for change in created])
    assert "mara@example.com" not in text and "md5$" not in text
    last = created.last()
    assert last is not None
    assert last.content[0]["after"]["password"] == last.content[0]["after"]["email"] == "(hidden)"
    clients.open_client(actor=ROBOT, entity_id=entity().pk, number="C1", name="Eva Ek", country="SE", email="e@x.se")
    assert "Eva Ek" not in str(Change.objects.filter(table_name="accounts_client").latest("id").content)
    assert "e@x.se" not in str(list(Entry.objects.values_list("data", flat=True)))


@pytest.mark.django_db
def test_a_sign_in_alone_is_no_change() -> None:
    user("mara")
    assert added(lambda: User.objects.update(last_login="2026-11-19T08:00:00Z"), "organisation_user") == []


def test_a_change_meets_its_entry_in_the_transaction(desk: Desk) -> None:
    with transaction.atomic():
        Desk.objects.filter(pk=desk.pk).update(name="by a use case")
        entry = audit.record(actor=ROBOT, action="desk.renamed", target=desk)
    entry.refresh_from_db()
    assert Change.objects.filter(table_name="organisation_desk").latest("id").xid == entry.xid


def test_the_application_can_neither_forge_nor_silence_a_row(desk: Desk) -> None:
    columns = "at, xid, table_name, operation, rows, keys, content, role"
    for statement in (
        f"INSERT INTO audit_change ({columns}) SELECT {columns} FROM audit_change",
        "UPDATE audit_change SET role = 'x'",
        "DELETE FROM audit_change",
        "ALTER TABLE organisation_desk DISABLE TRIGGER audit_note_update",
        "SET session_replication_role = replica",
        "SELECT audit_note_change()",
        "SELECT * FROM audit_compare('[]', '[]', '{}', '{}', '{}')",
    ):
        with refused(NO_RIGHT):
            execute(statement)
    # A table of the caller's own named like ours does not take the row.
    execute("CREATE TEMP TABLE audit_change (LIKE public.audit_change)")
    execute("UPDATE organisation_desk SET name = 'x'")
    execute("DROP TABLE pg_temp.audit_change")
    assert changes("organisation_desk")[-1] == ("UPDATE", 2)


@pytest.mark.parametrize("session_role", ["owner", "superuser"], indirect=True)
def test_the_owner_leaves_rows_too_and_may_not_truncate(as_role: str) -> None:
    here = entity("CY")
    Desk.objects.create(entity=here, code="A", name="first")
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    if as_role == "superuser":
        execute("SET session_replication_role = replica")
    execute("UPDATE organisation_desk SET name = 'by hand'")
    execute("DELETE FROM organisation_desk")
    assert changes("organisation_desk")[-2:] == [("UPDATE", 1), ("DELETE", 1)]
    assert Change.objects.latest("id").role == connection.settings_dict["USER"]
    for table in ("organisation_desk", "accounts_client", "auth_group", "organisation_historicaldesk"):
        with refused("BO001"):
            execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("session_role", ["owner"], indirect=True)
def test_what_was_is_not_edited(as_role: str) -> None:
    Desk.objects.create(entity=entity("CY"), code="A", name="first")
    history = Desk.history.model
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert history.objects.count() == 1
    for work in (
        lambda: history.objects.update(name="x"),
        lambda: history.objects.all().delete(),
        lambda: execute("UPDATE organisation_historicaldesk SET name = 'x'"),
    ):
        with refused("BO001"):
            work()


@pytest.mark.django_db
def test_every_table_is_watched_append_only_or_has_its_reason() -> None:
    assert watched.differences() == []
    tables = {row.table for row in watched.tables()}
    assert {
        "accounts_client", "accounts_tradingaccount", "integrations_connection", "approvals_policy",
        "organisation_user", "organisation_user_groups", "organisation_user_user_permissions", "auth_group",
        "auth_group_permissions", "guardian_userobjectpermission", "guardian_groupobjectpermission",
    } <= tables  # fmt: skip
    from django.apps import apps

    from backoffice.kernel.tables import access_of

    known = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    known |= {config.label for config in apps.get_app_configs()}
    assert set(watched.UNWATCHED) - {"axes"} <= known, "a reason for a table that is not there"
    for model in apps.get_models(include_auto_created=True):
        name = model._meta.db_table
        refuses = access_of(model) in (Access.APPEND, Access.READ) and watched._refuses_changes(model)
        assert name in tables or refuses or watched._reason(model), name


@pytest.mark.parametrize("session_role", ["owner"], indirect=True)
def test_a_new_table_without_triggers_fails_until_protect_has_run(as_role: str) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("DROP TRIGGER audit_note_insert ON accounts_client")
    execute("ALTER TABLE auth_group DISABLE TRIGGER audit_note_delete")
    execute("DROP TRIGGER history_kept ON accounts_historicalclient")
    assert watched.differences() == [
        "accounts_client is not watched: insert",
        "auth_group is not watched: delete",
        "accounts_historicalclient may be changed",
    ]
    call_command("protect", verbosity=0)
    assert watched.differences() == []
    assert watch() == len(watched.tables())


@pytest.mark.django_db
def test_clients_opened_in_bulk_leave_one_row_per_statement() -> None:
    here, at = entity(), "2026-11-19T08:00:00Z"
    rows = [Client(entity=here, number=f"C{n}", name="x", country="SE", opened_at=at, status_at=at) for n in range(300)]
    assert added(lambda: Client.objects.bulk_create(rows), "accounts_client") == [("INSERT", 300)]
