"""The test database: real PostgreSQL, real roles.

Migrations run once, as the owner, into a template database. Every worker gets a copy of it and works as the
application's role. A test that commits (transaction=True) gets a fresh copy afterwards instead of Django's
TRUNCATE, which the append-only tables refuse - as they should.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg2
import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase

# TESTDB keeps two runs on one server apart.
PREFIX = "backoffice_test" + os.environ.get("TESTDB", "")
TEMPLATE = f"{PREFIX}_template"


def owner_url() -> str:
    return os.environ["DATABASE_OWNER_URL"]


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
    _admin([f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"'])


def _named(url: str, name: str) -> str:
    """The same server and role, another database."""
    return re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", url, count=1)


def build_template() -> None:
    """Migrate a database as the owner and take it as the template of all others."""
    _drop(TEMPLATE)
    _admin([f'CREATE DATABASE "{TEMPLATE}"'])
    environment = {**os.environ, "DATABASE_URL": _named(owner_url(), TEMPLATE)}
    for command in (["migrate", "--verbosity", "0"], ["protect"], ["load_roles"]):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=settings.BASE,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def pytest_sessionstart(session: pytest.Session) -> None:
    """Once per run, before xdist starts its workers."""
    first = not hasattr(session.config, "workerinput") and not session.config.option.collectonly
    if first and "DATABASE_OWNER_URL" in os.environ:
        build_template()


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
