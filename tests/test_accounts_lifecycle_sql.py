"""What PostgreSQL refuses about clients by itself, tried as the application's role and as the owner of the tables."""

from __future__ import annotations

import pytest

from accounts.models import FlagKind, Reason, RestrictionKind, StatusChange
from accounts.services import flags, restrictions
from tests.attacks import execute, findings, refused
from tests.clients import floor

# These tests carry no django_db mark: as_role opens the connection.
both = pytest.mark.parametrize("session_role", ["application", "owner"], indirect=True)


@both
def test_a_step_is_explained_and_leaves_a_row_nobody_can_write(as_role):
    client = floor().client
    with refused("BO061"):
        execute(
            "UPDATE accounts_client SET status = 'SUSPENDED', status_at = clock_timestamp() WHERE id = %s", [client.pk]
        )
    with refused("BO061"):
        execute(
            "UPDATE accounts_client SET status_at = clock_timestamp(), status_reason = 'POLICY' WHERE id = %s",
            [client.pk],
        )
    execute(
        "UPDATE accounts_client SET status = 'SUSPENDED', status_at = clock_timestamp(), status_reason = 'POLICY'"
        " WHERE id = %s",
        [client.pk],
    )
    row = StatusChange.objects.get(client=client)
    assert (row.before, row.after, row.reason, row.by) == ("ACTIVE", "SUSPENDED", "POLICY", None)
    code = "42501" if as_role == "application" else "BO001"
    for attempt in ("UPDATE accounts_statuschange SET after = 'ACTIVE'", "DELETE FROM accounts_statuschange"):
        with refused(code):
            execute(attempt)
    if as_role == "application":
        with refused("42501"):
            execute(
                "INSERT INTO accounts_statuschange (client_id, before, after, at, reason)"
                " VALUES (%s, 'ACTIVE', 'CLOSED', now(), 'POLICY')",
                [client.pk],
            )


@both
def test_a_restriction_stands_as_it_was_written(as_role):
    f = floor()
    row = restrictions.restrict(
        actor=f.dana, client_id=f.client.pk, kind=RestrictionKind.NO_WITHDRAWAL, reason=Reason.SECURITY
    )
    for change in (
        "kind = 'NO_LOGIN'",
        f"set_by_id = {f.carl.user_id}",
        "expires_at = now()",
        "client_id = client_id + 1",
    ):
        with refused("BO062"):
            execute(f"UPDATE accounts_restriction SET {change}")
    with refused("42501" if as_role == "application" else "BO001"):
        execute("DELETE FROM accounts_restriction")
    restrictions.lift(actor=f.carl, restriction_id=row.pk, reason=Reason.CLEARED)
    with refused("BO062"):
        execute("UPDATE accounts_restriction SET lifted_at = NULL, lifted_by_id = NULL, lift_reason = ''")


@both
def test_a_flag_stands_as_it_was_written_and_its_setter_does_not_end_it(as_role):
    f = floor()
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD, note="x")
    for change in ("kind = 'STAFF'", "under_key = '{}'", "set_by_id = NULL", f"set_by_id = {f.cora.user_id}"):
        with refused("BO063"):
            execute(f"UPDATE accounts_flag SET {change}")
    with refused("23514"):
        execute("UPDATE accounts_flag SET ended_at = now(), ended_by_id = set_by_id")
    with refused("42501" if as_role == "application" else "BO001"):
        execute("DELETE FROM accounts_flag")
    with refused("BO063"):
        execute(
            "INSERT INTO accounts_flag (client_id, kind, under_key, set_at, ended_at)"
            " VALUES (%s, 'STAFF', '{}', now(), now())",
            [flag.client_id],
        )


@both
def test_verify_names_what_was_lifted_without_a_request(as_role):
    """SQL that keeps to the steps gets past PostgreSQL; that nobody had agreed to it does not get past verify."""
    f = floor()
    assert findings() == set()
    row = restrictions.restrict(
        actor=f.dana, client_id=f.client.pk, kind=RestrictionKind.NO_WITHDRAWAL, reason=Reason.SECURITY
    )
    flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind=FlagKind.AML_HOLD)
    for status in ("UNDER_REVIEW", "ACTIVE"):
        execute(
            "UPDATE accounts_client SET status = %s, status_at = clock_timestamp(), status_reason = 'CLEARED',"
            " status_by_id = %s WHERE id = %s",
            [status, f.cora.user_id, f.client.pk],
        )
    execute(
        "UPDATE accounts_restriction SET lifted_at = now(), lifted_by_id = %s, lift_reason = 'CLEARED'",
        [f.cora.user_id],
    )
    execute("UPDATE accounts_flag SET ended_at = now(), ended_by_id = %s", [f.cora.user_id])
    assert {subject for rule, subject in findings() if "agreed" in rule} == {
        f"client {f.client.pk}: UNDER_REVIEW to ACTIVE",
        f"restriction {row.pk}",
        f"flag {flag.pk}",
    }
