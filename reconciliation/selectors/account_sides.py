"""The sides of a break about a login: what we want of it, and what its server has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Exists, OuterRef
from django.urls import reverse

from accounts.models import TradingAccount
from backoffice.ui.components import Difference
from integrations.models import ServerCommand, ServerUser
from reconciliation.models import Break
from reconciliation.selectors.side_steps import Sides, Step


def never_read(connection_id: int) -> list[int]:
    """Logins of ours that no reading has shown yet: they may be in a group that is not read."""
    read = ServerUser.objects.filter(connection_id=OuterRef("connection_id"), login=OuterRef("login"))
    rows = TradingAccount.objects.filter(~Exists(read), connection_id=connection_id).order_by("login")
    return list(rows.values_list("login", flat=True))


def account_sides(item: Break, refs: Mapping[str, Any]) -> Sides:
    """Both sides as the run saw them."""
    wanted: Mapping[str, Any] = refs.get("wanted") or {}
    found: Mapping[str, Any] | None = refs.get("found")
    rows = [
        Difference("Login", refs.get("login"), refs.get("login") if found else None),
        Difference("Log-in", _switch(wanted, "enabled"), _switch(found, "enabled")),
        Difference("Trading", _switch(wanted, "trading"), _switch(found, "trading")),
        Difference("Technical", _switch(wanted, "technical"), _switch(found, "technical")),
        Difference("Out of reports", _switch(wanted, "exclude_reports"), _switch(found, "exclude_reports")),
        Difference("Group", wanted.get("group") or _ANY, found and found["group"], same=_free(wanted, "group")),
        Difference("Leverage", _ratio(wanted) or _ANY, _ratio(found), same=_free(wanted, "leverage")),
    ]
    said = [row for row in rows if (row.left, row.right) != (None, None)]
    return Sides(("Wanted", "Server"), said, _path(item, refs))


_ANY = "as the server has it"


def _free(wanted: Mapping[str, Any], name: str) -> bool | None:
    """Nothing is wanted of this field, so no value of it is a difference."""
    return None if wanted.get(name) else True


def _switch(state: Mapping[str, Any] | None, name: str) -> str | None:
    return None if not state or name not in state else "on" if state[name] else "off"


def _ratio(state: Mapping[str, Any] | None) -> str | None:
    return f"1:{state['leverage']}" if state and state.get("leverage") else None


def _path(item: Break, refs: Mapping[str, Any]) -> list[Step]:
    path: list[Step] = []
    found = TradingAccount.objects.filter(entity_id=item.entity_id, pk=refs.get("trading_account", 0))
    account = found.select_related("client").first()
    if account:
        login = f"Login {account.login} of {account.client.name}"
        path.append(Step("Wanted", login, reverse("trading-account", args=[account.pk])))
    of_login = {"connection_id": refs.get("connection", 0), "login": refs.get("login", 0)}
    command = ServerCommand.objects.filter(entity_id=item.entity_id, **of_login).select_related("message").first()
    if command:
        what = f"Command {command.pk}: {command.message.get_state_display()}"
        path.append(Step("Last command", what, reverse("server-commands") + f"?login={command.login}"))
    reading = ServerUser.objects.filter(**of_login).first()
    if reading:
        path.append(Step("Server", f"Read {reading.read_at:%Y-%m-%d %H:%M:%S} UTC", ""))
    return path
