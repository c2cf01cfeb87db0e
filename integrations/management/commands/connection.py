"""`manage connection add|test|list`: connections from the command line.

    manage connection add --entity CY --adapter mt5_webapi --name mt5-live --set base_url=https://... \
        --secret-env password=MT5_PASSWORD
    manage connection test mt5-live

A secret comes from an environment variable (`--secret-env NAME=VARIABLE`) or, line by line, from standard
input (`--secret-stdin NAME`); it is never an argument, where `ps` would show it, and never printed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import CommandParser

from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.errors import DomainError, NotFound
from backoffice.organisation.models import LegalEntity
from integrations import registry
from integrations.models import Connection
from integrations.services import connections

ACTOR = System("manage connection")


class Command(Base):
    help = "Add, test or list connections to trade servers, liquidity providers, PSPs and banks."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a connection")
        add.add_argument("--json", action="store_true")
        add.add_argument("--adapter", required=True, help=f"one of {', '.join(registry.names())}")
        add.add_argument("--name", required=True)
        add.add_argument("--entity", help="code of the legal entity; may be left out when there is only one")
        add.add_argument("--paired-with", help="the trade server a liquidity provider covers")
        add.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="values")
        add.add_argument("--secret-env", action="append", default=[], metavar="KEY=VARIABLE")
        add.add_argument("--secret-stdin", action="append", default=[], metavar="KEY")
        test = actions.add_parser("test", help="try a connection")
        test.add_argument("--json", action="store_true")
        test.add_argument("name")
        shown = actions.add_parser("list", help="list connections")
        shown.add_argument("--json", action="store_true")

    def answer(self, **options: Any) -> dict[str, Any]:
        return {"add": _add, "test": _test, "list": _list}[options["action"]](options)

    def exit_code(self, result: dict[str, Any]) -> int:
        return 0 if result.get("ok", True) else 1


def _add(options: dict[str, Any]) -> dict[str, Any]:
    paired = options["paired_with"]
    connection = connections.add(
        actor=ACTOR,
        entity_id=_entity(options["entity"]).pk,
        name=options["name"],
        adapter=options["adapter"],
        settings=_pairs(options["values"]),
        secret_values=_secrets(options),
        paired_with_id=_connection(paired).pk if paired else None,
    )
    return {
        "id": connection.pk,
        "name": connection.name,
        "adapter": connection.adapter,
        "settings": connection.settings,
    }


def _test(options: dict[str, Any]) -> dict[str, Any]:
    probes = connections.test(actor=ACTOR, connection_id=_connection(options["name"]).pk)
    return {
        "name": options["name"],
        "ok": all(probe.ok for probe in probes),
        "probes": [{"name": p.name, "ok": p.ok, "detail": p.detail} for p in probes],
    }


def _list(options: dict[str, Any]) -> dict[str, Any]:
    rows = Connection.objects.select_related("entity").order_by("name")
    return {
        "connections": [
            {"name": c.name, "adapter": c.adapter, "entity": c.entity.code, "active": c.is_active} for c in rows
        ]
    }


def _secrets(options: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, variable in _pairs(options["secret_env"]).items():
        if not os.environ.get(variable):
            raise DomainError(f"The environment variable {variable} for the secret {key} is not set.")
        found[key] = os.environ[variable]
    for key in options["secret_stdin"]:
        found[key] = sys.stdin.readline().rstrip("\n")
        if not found[key]:
            raise DomainError(f"Standard input ended before the secret {key}.")
    return found


def _pairs(values: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values:
        key, separator, rest = value.partition("=")
        if not separator or not key:
            raise DomainError(f"{value!r}: write it as KEY=VALUE.")
        pairs[key] = rest
    return pairs


def _entity(code: str | None) -> LegalEntity:
    rows = list(LegalEntity.objects.filter(code=code) if code else LegalEntity.objects.all()[:2])
    if len(rows) != 1:
        known = ", ".join(LegalEntity.objects.values_list("code", flat=True)) or "none yet"
        raise NotFound(f"Name the legal entity with --entity (known: {known}).")
    return rows[0]


def _connection(name: str) -> Connection:
    found = Connection.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no connection named {name!r}.")
    return found
