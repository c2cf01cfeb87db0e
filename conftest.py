"""The test database: real PostgreSQL, real roles.

Migrations run once, as the owner, into a template database. Every worker gets a copy of it and works as the
application's role. A test that commits (transaction=True) gets a fresh copy afterwards instead of Django's
TRUNCATE, which the append-only tables refuse - as they should.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.test import TransactionTestCase

# TESTDB keeps two runs on one server apart.
PREFIX = "backoffice_test" + os.environ.get("TESTDB", "")
TEMPLATE = f"{PREFIX}_template"


def owner_url() -> str:
    return os.environ["DATABASE_OWNER_URL"]


def _admin(statements: list[str], url: str | None = None) -> None:
    link = psycopg2.connect(url or re.sub(r"/[^/?]*(\?|$)", r"/postgres\1", owner_url(), count=1))
    link.autocommit = True
    with link.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    link.close()


def _use(name: str) -> None:
    connections["default"].close()
    connections["default"].settings_dict["NAME"] = name
    settings.DATABASES["default"]["NAME"] = name


def _clone(name: str) -> None:
    _admin([f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"'])


def build_template() -> None:
    """Migrate a database as the owner and take it as the template of all others."""
    _admin([f'DROP DATABASE IF EXISTS "{TEMPLATE}" WITH (FORCE)', f'CREATE DATABASE "{TEMPLATE}"'])
    here = connections["default"].settings_dict
    app = {key: here[key] for key in ("USER", "PASSWORD", "NAME")}
    match = re.match(r"\w+://([^:@]*)(?::([^@]*))?@", owner_url())
    assert match is not None
    here.update(USER=match[1], PASSWORD=match[2] or "", NAME=TEMPLATE)
    try:
        call_command("migrate", verbosity=0)
        call_command("protect", stdout=open(os.devnull, "w"))
        call_command("load_roles", stdout=open(os.devnull, "w"))
    finally:
        connections["default"].close()
        here.update(app)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Once per run, before xdist starts its workers."""
    if not hasattr(session.config, "workerinput") and "DATABASE_OWNER_URL" in os.environ:
        if not session.config.option.collectonly:
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
        _admin([f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'])


def _fresh_copy(self: TransactionTestCase) -> None:
    name = connections["default"].settings_dict["NAME"]
    connections.close_all()
    _clone(name)
    _use(name)


TransactionTestCase._fixture_teardown = _fresh_copy  # type: ignore[method-assign]


@pytest.fixture
def owner() -> Iterator[Any]:
    """A cursor of the owner role on the test's database, outside the test's own transaction."""
    name = connection.settings_dict["NAME"]
    link = psycopg2.connect(re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", owner_url(), count=1))
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
    link = psycopg2.connect(re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", url, count=1))
    link.autocommit = True
    with link.cursor() as cursor:
        yield cursor
    link.close()
