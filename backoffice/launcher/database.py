"""The addresses of the database: of our own server, or of one that the environment names.

The environment may name two roles (DATABASE_URL, DATABASE_OWNER_URL), which are used as they are, or an
administrator alone (DATABASE_URL): then the two roles and the database are made there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from backoffice.launcher.binaries import OLDEST_MAJOR
from backoffice.launcher.console import Refusal, say
from backoffice.launcher.folders import VAR, make_folder, read_json, write_json
from backoffice.launcher.identity import short_hash
from backoffice.launcher.postgres import APP, OWNER

ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = %s"
DATABASE_OWNER = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s"
RIGHTS = """SELECT current_setting('server_version_num')::int / 10000, rolsuper, rolcreaterole AND rolcreatedb
              FROM pg_roles WHERE rolname = current_user"""


@dataclass(frozen=True)
class Addresses:
    """Who reaches the database and the broker how.

    `admin` is known where the server is ours or an administrator's; `programs` (psql, pgbench) where it is ours.
    """

    app: str
    owner: str
    admin: str | None
    redis: str
    programs: Path | None = None

    @property
    def app_role(self) -> str:
        return urlsplit(self.app).username or APP


def query(python: Path, url: str, *statements: tuple[str, list[Any] | None]) -> list[list[Any]]:
    """Run statements, each committed by itself, and return the rows of each. `url` goes by standard input."""
    done = subprocess.run(  # noqa: S603
        [str(python), str(Path(__file__).with_name("sql.py"))],
        input=json.dumps({"url": url, "statements": list(statements)}),
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise Refusal(
            f"{without_password(url)} does not do what is needed: {lines[-1] if lines else 'no reason given'}"
        )
    return list(json.loads(done.stdout))


def make_roles_and_database(python: Path, admin: str, passwords: Mapping[str, str], database: str) -> None:
    """The owner, the application's role and the database; what exists already only gets its password set."""
    wanted = ((OWNER, "LOGIN CREATEDB"), (APP, "LOGIN"))
    existing = query(python, admin, *((ROLE_EXISTS, [role]) for role, _ in wanted), (DATABASE_OWNER, [database]))
    statements: list[tuple[str, list[Any] | None]] = []
    for (role, rights), found in zip(wanted, existing, strict=False):
        statements.append((f"{'ALTER' if found else 'CREATE'} ROLE {role} {rights} PASSWORD %s", [passwords[role]]))
    if not existing[-1]:
        # An administrator who is not superuser has to be a member of the role he gives a database to.
        statements.append((f"GRANT {OWNER} TO CURRENT_USER", None))
        statements.append((f'CREATE DATABASE "{database}" OWNER {OWNER}', None))
    query(python, admin, *statements)


def with_login(url: str, role: str, password: str, database: str) -> str:
    """The same server, but for this role and database."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role}:{quote(password, safe='')}@{place}", path=f"/{quote(database)}").geturl()


def without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def is_external() -> bool:
    return bool(os.environ.get("DATABASE_URL"))


class External:
    """A server that the environment names."""

    def __init__(self, python: Path, database: str, *, folder: Path = VAR) -> None:
        self.python = python
        self.database = database
        self.given = os.environ["DATABASE_URL"]
        self.owner = os.environ.get("DATABASE_OWNER_URL")
        place = urlsplit(self.given).netloc.rpartition("@")[2] + "?" + urlsplit(self.given).query
        self._kept = folder / f"server-{short_hash(Path(place))}.json"

    def addresses(self, redis: str) -> Addresses:
        """Make what has to be made, and say so; return the addresses."""
        if self.owner:
            return Addresses(self.given, self.owner, os.environ.get("DATABASE_ADMIN_URL") or None, redis)
        [[(major, superuser, may_create)]] = query(self.python, self.given, (RIGHTS, None))
        if major < OLDEST_MAJOR:
            raise Refusal(f"DATABASE_URL names a PostgreSQL {major}; {OLDEST_MAJOR} or newer is needed.")
        if not (superuser or may_create):
            raise Refusal(
                "DATABASE_URL alone has to be an administrator's address, and this role may not create roles and "
                "databases. Give an administrator's, or set DATABASE_OWNER_URL (migrations) beside DATABASE_URL."
            )
        passwords = self._passwords()
        say(f"DATABASE_URL is taken as an administrator's: {OWNER}, {APP} and the database {self.database} are used")
        make_roles_and_database(self.python, self.given, passwords, self.database)
        return Addresses(
            app=with_login(self.given, APP, passwords[APP], self.database),
            owner=with_login(self.given, OWNER, passwords[OWNER], self.database),
            admin=with_database(self.given, self.database) if superuser else None,
            redis=redis,
        )

    def _passwords(self) -> dict[str, str]:
        """Those we gave the roles earlier. Roles that are there already but not by us keep theirs: we refuse."""
        kept = read_json(self._kept)
        if kept is not None:
            return dict(kept)
        found = query(self.python, self.given, (ROLE_EXISTS, [OWNER]), (ROLE_EXISTS, [APP]))
        if any(found):
            raise Refusal(
                f"The server of DATABASE_URL has the roles {OWNER} or {APP} already, made by another installation. "
                "Give their own addresses: DATABASE_URL for the application, DATABASE_OWNER_URL for migrations."
            )
        fresh = {role: secrets.token_hex(24) for role in (OWNER, APP)}
        make_folder(self._kept.parent)
        write_json(self._kept, fresh)
        return fresh

    def drop(self) -> None:
        """Drop the database if it is one we made; one given to us by its two roles has to be empty already."""
        if self.owner:
            [[[tables]]] = query(self.python, self.owner, ("SELECT to_regclass('django_migrations')", None))
            if tables is not None:
                raise Refusal(
                    "The database that DATABASE_URL names is not bo's to empty, and it has tables. Empty it yourself, "
                    "or give an administrator's address alone: then bo makes databases of its own there."
                )
        elif read_json(self._kept) is not None:
            [found] = query(self.python, self.given, (DATABASE_OWNER, [self.database]))
            if found and found[0] == [OWNER]:
                say(f"dropping the database {self.database}")
                query(self.python, self.given, (f'DROP DATABASE "{self.database}" WITH (FORCE)', None))


def with_database(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{quote(database)}").geturl()
