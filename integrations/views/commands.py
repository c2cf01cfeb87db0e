"""Pages of commands to trade servers: what was asked, what became of it, and trying again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backoffice.kernel.actor import Person
from backoffice.ui.views import ActionPage, ListPage
from integrations import filters, tables
from integrations.models import Connection, ServerCommand
from integrations.services import commands, feeds


class CommandList(ListPage):
    title = "Server commands"
    queryset = ServerCommand.objects.select_related("connection", "entity", "message")
    table = tables.ServerCommandTable
    filters = filters.ServerCommandFilters
    permission = "integrations.view_servercommand"


class RetryCommands(ActionPage):
    """Have picked commands tried now, all or none."""

    title = "Try commands now"
    queryset = ServerCommand.objects.select_related("connection", "entity", "message")
    permission = "integrations.retry_servercommand"
    submit_label = "Try now"
    bulk = True
    nav = "server-commands"

    def facts(self, target: list[ServerCommand]) -> Sequence[tuple[str, Any]]:
        return [
            (f"Command {c.pk}, login {c.login}", f"{tables.wish_of(c)} ({tables.label_of(c)})") for c in target[:20]
        ]

    def consequences(self, target: list[ServerCommand]) -> Sequence[str]:
        return (
            "Each login is read first; only what still differs is changed, and it is read back.",
            "They are the same commands with the same keys: what was done already is not done again.",
        )

    def run(self, *, actor: Person, form: Any, target: list[ServerCommand]) -> int:
        return commands.retry(actor=actor, command_ids=[command.pk for command in target])

    def message(self, result: int) -> str:
        return f"{result} command{'s are' if result != 1 else ' is'} tried now. What becomes of it is on this page."


class PullLogins(ActionPage):
    queryset = Connection.objects.select_related("entity")
    permission = "integrations.pull_connection"
    submit_label = "Read now"
    nav = "connections"

    def heading(self) -> str:
        return f"Read the logins of {self.target.name}"

    def run(self, *, actor: Person, form: Any, target: Connection) -> feeds.UsersRead:
        return feeds.pull_users(actor=actor, connection_id=target.pk)

    def message(self, result: feeds.UsersRead) -> str:
        return f"{result.read} logins read, {result.gone} not there, {len(result.rejected)} unreadable."
