"""A database of its own for each benchmark: migrated as the owner, measured as the application's role."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import Any

import psycopg2

PREFIX = "backoffice_bench_"


def named(url: str, name: str) -> str:
    """The same server and role, another database."""
    return re.sub(r"/[^/?]*(\?|$)", rf"/{name}\1", url, count=1)


def fresh(name: str, settings: str) -> None:
    """Make the database, migrate it, and set Django up to work in it."""
    owner = os.environ["DATABASE_OWNER_URL"]
    drop(name)
    create(f"{PREFIX}{name}")
    environment = {**os.environ, "DATABASE_URL": named(owner, PREFIX + name), "DJANGO_SETTINGS_MODULE": settings}
    for command in (["migrate", "--verbosity", "0"], ["protect"], ["load_roles"]):
        subprocess.run([sys.executable, "manage.py", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    os.environ["DATABASE_OWNER_URL"] = named(owner, PREFIX + name)
    os.environ["DATABASE_URL"] = named(os.environ["DATABASE_URL"], PREFIX + name)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings
    import django

    django.setup()


def create(database: str) -> None:
    _on_server(f'CREATE DATABASE "{database}"')


def drop(name: str) -> None:
    database = name if name.startswith(PREFIX) else PREFIX + name
    for attempt in range(100):
        try:
            _on_server(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            return
        except psycopg2.Error:  # an autovacuum at work, whose connection only a superuser may end
            if attempt == 99:
                raise
            time.sleep(0.1)


def as_owner(*statements: str) -> list[tuple[Any, ...]]:
    """Run statements as the owner, each in its own transaction; the rows of the last."""
    return _run(os.environ["DATABASE_OWNER_URL"], statements)


def _on_server(statement: str) -> None:
    _run(named(os.environ["DATABASE_OWNER_URL"], "postgres"), [statement])


def _run(url: str, statements: Any) -> list[tuple[Any, ...]]:
    link = psycopg2.connect(url)
    link.autocommit = True
    try:
        with link.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        link.close()
