"""Calling the product: what a program of ours finds in its environment, and the steps every database needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backoffice.launcher.console import say
from backoffice.launcher.database import Addresses, query
from backoffice.launcher.folders import ROOT, State, application_keys
from backoffice.launcher.processes import Supervisor

# What only the owner of the tables may do; everything else runs as the application's role.
AS_OWNER = ("migrate", "protect", "load_roles")
# The three in one process, which is most of what a second start takes.
PREPARE = f"""import django
from django.core.management import call_command
django.setup()
for name in {AS_OWNER!r}:
    call_command(name, no_color=True)
"""
# Nothing of the person's shell may point a program of ours elsewhere.
OURS = {
    "DATABASE_ADMIN_URL",
    "DATABASE_APP_ROLE",
    "DATABASE_OWNER_URL",
    "DATABASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "PYTHONHOME",
    "PYTHONPATH",
    "REDIS_URL",
    "VIRTUAL_ENV",
}


@dataclass(frozen=True)
class Django:
    """Runs manage.py and its like with the right addresses and no more secrets than needed."""

    python: Path
    state: State
    addresses: Addresses
    settings: str = "backoffice.settings.dev"

    def environment(self, *, owner: bool = False, roles: bool = False) -> dict[str, str]:
        """The environment of a program: as the application's role, or as the owner.

        `roles` adds the other roles' addresses beside it: for tests and benchmarks, which make databases. The web
        and worker processes get neither.
        """
        env = {name: value for name, value in os.environ.items() if name not in OURS}
        env |= {
            **application_keys(self.state.folder),
            "BACKOFFICE_STATE": str(self.state.folder),
            "DATABASE_APP_ROLE": self.addresses.app_role,
            "DATABASE_URL": self.addresses.owner if owner else self.addresses.app,
            "DJANGO_SETTINGS_MODULE": self.settings,
            "PYTHONUNBUFFERED": "1",
            "REDIS_URL": self.addresses.redis,
        }
        if self.addresses.programs:
            env["PATH"] = f"{env.get('PATH', os.defpath)}{os.pathsep}{self.addresses.programs}"
        if roles:
            env["DATABASE_OWNER_URL"] = self.addresses.owner
            if self.addresses.admin:
                env["DATABASE_ADMIN_URL"] = self.addresses.admin
        return env

    def command(self, *arguments: str) -> list[str]:
        return [str(self.python), str(ROOT / "manage.py"), *arguments]

    def manage(self, supervisor: Supervisor, *arguments: str, output: Any = None, terminal: bool = False) -> int:
        """Run a management command and return its exit status."""
        name = arguments[0] if arguments else "help"
        env = self.environment(owner=name in AS_OWNER)
        return supervisor.run(f"manage {name}", self.command(*arguments), env=env, output=output, terminal=terminal)

    def migrate(self, supervisor: Supervisor) -> None:
        """Bring the tables, the application role's rights and the staff roles up to date, as the owner."""
        argv = [str(self.python), "-c", PREPARE]
        env = self.environment(owner=True)
        supervisor.must("manage migrate", argv, env=env, log=self.state.log("migrate"))
        say("the tables, rights and roles are up to date")

    def has_tables(self) -> bool:
        """Whether the database was ever migrated."""
        [[[table]]] = query(self.python, self.addresses.owner, ("SELECT to_regclass('django_migrations')", None))
        return table is not None
