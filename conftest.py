"""The test database: real PostgreSQL, real roles.

Migrations run once, as the owner, into a template database, which later runs take as it is while nothing that makes
tables, rights and roles has changed. Every worker gets a copy of it and works as the application's role. A test that
commits (transaction=True) gets a fresh copy afterwards instead of Django's TRUNCATE, which the append-only tables
refuse - as they should.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase

# TESTDB keeps two runs on one server apart.
PREFIX = "backoffice_test" + os.environ.get("TESTDB", "")
# What the schema, the rights and the roles come from: another template for other content.
SCHEMA = ("*/migrations/*.py", "*/sql/*.sql", "*/models.py", "*/models/*.py")
ROLES = ("roles.py", "matrix_money.py", "duties.py", "pairs.py", "protection.py", "tables.py")
COMMANDS = ("load_roles.py", "protect.py")
OWN_ROOMS = ("backoffice", "ledger", "integrations", "accounts", "payments", "reconciliation", "reporting")
UNUSED_FOR = timedelta(hours=6)
_LONG_AGO = "2000-01-01T00:00:00+00:00"
BASE = Path(__file__).resolve().parent


def owner_url() -> str:
    return os.environ["DATABASE_OWNER_URL"]


@cache
def template() -> str:
    """The name of the template that fits the files as they were when the run began."""
    if "BACKOFFICE_TEST_TEMPLATE" in os.environ:
        return os.environ["BACKOFFICE_TEST_TEMPLATE"]
    digest = hashlib.sha256(owner_url().encode())
    files = {
        file for room in OWN_ROOMS for part in SCHEMA for file in (BASE / room).glob(f"**/{part.removeprefix('*/')}")
    }
    files |= {file for room in OWN_ROOMS for name in (*ROLES, *COMMANDS) for file in (BASE / room).rglob(name)}
    for file in sorted([*files, BASE / "requirements" / "base.txt"]):
        digest.update(f"{file.relative_to(BASE)}\0".encode() + file.read_bytes())
    return f"backoffice_test_template_{digest.hexdigest()[:12]}"


def _admin(statements: list[str], url: str | None = None) -> None:
    link = psycopg2.connect(url or _named(owner_url(), "postgres"))
    link.autocommit = True
    with link.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    link.close()


def _use(name: str) -> None:
    connections["default"].close()
    connections["default"].settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name


def _drop(name: str) -> None:
    """Drop a database as its owner, who may end the connections of our roles but not an autovacuum at work."""
    for _ in range(100):
        try:
            return _admin([f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'])
        except psycopg2.errors.InsufficientPrivilege:
            time.sleep(0.1)
    raise AssertionError(f"{name} cannot be dropped: is somebody connected as a superuser?")


def _clone(name: str) -> None:
    _drop(name)
    _admin([f'CREATE DATABASE "{name}" TEMPLATE "{template()}"'])


def _named(url: str, name: str) -> str:
    """The same server and role, another database."""
    return re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", url, count=1)


def build_template() -> None:
    """Migrate a database as the owner and take it as the template of all others, if there is none that fits."""
    link = psycopg2.connect(_named(owner_url(), "postgres"))
    link.autocommit = True
    with closing(link), link.cursor() as cursor:
        # Two runs on one server make it once.
        cursor.execute("SELECT pg_advisory_lock(hashtext('backoffice test template'))")
        cursor.execute(
            "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE %s",
            ["backoffice\\_test\\_template\\_%"],
        )
        known = dict(cursor.fetchall())
        if template() not in known:
            _migrate(making := f"{template()}_making")
            cursor.execute(f'ALTER DATABASE "{making}" RENAME TO "{template()}"')
        cursor.execute(f'COMMENT ON DATABASE "{template()}" IS %s', [datetime.now(UTC).isoformat()])
        for name, used in known.items():
            if name != template() and datetime.now(UTC) - datetime.fromisoformat(used or _LONG_AGO) > UNUSED_FOR:
                _drop(name)


def _migrate(name: str) -> None:
    _drop(name)
    _admin([f'CREATE DATABASE "{name}"'])
    environment = {**os.environ, "DATABASE_URL": _named(owner_url(), name)}
    for command in (["migrate", "--verbosity", "0"], ["protect"], ["load_roles"]):
        subprocess.run(
            [sys.executable, "manage.py", *command], cwd=BASE, env=environment, check=True, stdout=subprocess.DEVNULL
        )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Once per run, before xdist starts its workers."""
    first = not hasattr(session.config, "workerinput") and not session.config.option.collectonly
    if first and "DATABASE_OWNER_URL" in os.environ:
        build_template()
        os.environ["BACKOFFICE_TEST_TEMPLATE"] = template()


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[None]:
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    name = f"{PREFIX}_{worker}"
    with django_db_blocker.unblock():
        _clone(name)
        _use(name)
    yield
    with django_db_blocker.unblock():
        connections["default"].close()
        _drop(name)


def _fresh_copy(self: TransactionTestCase) -> None:
    from ledger.services import journal

    name = connections["default"].settings_dict["NAME"]
    connections.close_all()
    journal._months_open.clear()  # what it remembers of a database goes with it
    _clone(name)
    _use(name)


TransactionTestCase._fixture_teardown = _fresh_copy


@pytest.fixture
def session_role(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Whose rights the test's own connection has: "application", "owner" or "superuser" (indirect parameter)."""
    role = getattr(request, "param", "application")
    url = {"application": None, "owner": owner_url(), "superuser": os.environ.get("DATABASE_ADMIN_URL")}[role]
    if role == "superuser" and not url:
        pytest.skip("this run has no database superuser")
    link = connections["default"]
    before = {name: link.settings_dict[name] for name in ("USER", "PASSWORD")}
    with django_db_blocker.unblock():
        link.close()
    if url:
        link.settings_dict.update(USER=urlsplit(url).username, PASSWORD=unquote(urlsplit(url).password or ""))
    yield role
    with django_db_blocker.unblock():
        link.close()
    link.settings_dict.update(before)


@pytest.fixture
def as_role(session_role: str, db: None) -> str:
    """A test database connection of `session_role`, rolled back afterwards. Such a test carries no django_db mark."""
    return session_role


@pytest.fixture
def owner() -> Iterator[Any]:
    """A cursor of the owner role on the test's database, outside the test's own transaction."""
    name = connection.settings_dict["NAME"]
    link = psycopg2.connect(_named(owner_url(), name))
    link.autocommit = True
    with link.cursor() as cursor:
        yield cursor
    link.close()


@pytest.fixture
def superuser() -> Iterator[Any]:
    """A cursor of the database superuser on the test's database; skips where the run has none."""
    url = os.environ.get("DATABASE_ADMIN_URL")
    if not url:
        pytest.skip("this run has no database superuser")
    name = connection.settings_dict["NAME"]
    link = psycopg2.connect(_named(url, name))
    link.autocommit = True
    with link.cursor() as cursor:
        yield cursor
    link.close()
