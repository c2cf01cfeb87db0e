"""What happened to a client, newest first, with before and after: from the audit log, as far as the reader may know,
and from the history of the client's own row. Personal values stand in both under the client's key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from accounts.models import Client, ClientCategory, ClientStatus, Document, KycResult, Reason, RestrictionKind
from accounts.models.personal import UNDER_KEY
from accounts.selectors import visible
from accounts.selectors.kept import reveal
from backoffice.audit import services as audit
from backoffice.audit.models import Entry
from backoffice.audit.services import personal
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope

_NEWEST = 40
_LABELS = {"email": "e-mail"}
_STATUS = dict(ClientStatus.choices)
_CATEGORY = dict(ClientCategory.choices)
_KINDS = dict(RestrictionKind.choices)
_REASONS = dict(Reason.choices)
_FLAGGED = {"client.flag_set": "marked", "client.flag_ended": "no longer"}
_SAYS = (
    "client.opened",
    "client.applied",
    "client.status",
    "client.category",
    "client.restricted",
    "client.restriction_reviewed",
    "client.restriction_ended",
    "client.login_changed",
    "client.login_confirmed",
    "client.password_forced",
    "client.document_added",
    "client.kyc_recorded",
    "client.erased",
    *_FLAGGED,
)


@dataclass(frozen=True, slots=True)
class Event:
    """One line: when, who (empty where nobody may be named), what, and what it was before and after."""

    at: datetime
    who: str
    what: str
    before: str = ""
    after: str = ""
    why: str = ""


def timeline(user: User, client: Client) -> list[Event]:
    """The newest events of a client for this reader."""
    words = visible.kinds_in_log(user, client)
    hidden = [flag for flag, text in words.items() if not text]
    rows = Entry.objects.filter(target=audit.name_of(client), action__in=_SAYS).exclude(data__flag__in=hidden)
    if not scope.may(user, visible.VIEW_KYC):
        rows = rows.exclude(action="client.kyc_recorded")
    newest = list(rows.order_by("-pk")[:_NEWEST])
    said = zip(newest, personal.shown([row.data for row in newest]), strict=True)
    events = [*_renamed(client), *(_event(row, data, words) for row, data in said)]
    return sorted(events, key=lambda event: event.at, reverse=True)[:_NEWEST]


def _renamed(client: Client) -> list[Event]:
    """Changes of personal values, between each row of the history and the one before. When all is erased there is
    nothing to compare."""
    if client.erased_at is not None:
        return []
    rows = list(client.history.select_related("history_user").order_by("-history_id")[: _NEWEST + 1])
    reveal(rows)
    return [
        Event(
            row.history_date,
            str(row.history_user or ""),
            _LABELS.get(name, name),
            getattr(older, name),
            getattr(row, name),
        )
        for row, older in pairwise(rows)
        for name in UNDER_KEY["accounts.historicalclient"]
        if getattr(older, name) != getattr(row, name)
    ]


def _event(row: Entry, data: Mapping[str, Any], flags: Mapping[int, str]) -> Event:
    if row.action in _FLAGGED:
        text = flags.get(data["flag"], "")
        who = "" if visible.is_neutral(text) else row.actor_label
        return Event(row.at, who, f"{_FLAGGED[row.action]} {text}")
    what, before, after = _words(row.action, data)
    return Event(row.at, row.actor_label, what, before, after, _REASONS.get(data.get("reason", ""), ""))


def _words(action: str, data: Mapping[str, Any]) -> tuple[str, str, str]:
    kind = _KINDS.get(data.get("kind", ""), "")
    match action:
        case "client.status":
            return "status", _STATUS.get(data["before"], ""), _STATUS.get(data["after"], "")
        case "client.category":
            return "category", _CATEGORY.get(data["before"], ""), _CATEGORY.get(data["after"], "")
        case "client.restricted":
            return f"restriction set: {kind}", "", ""
        case "client.restriction_reviewed":
            return f"restriction reviewed and kept: {kind}", "", ""
        case "client.restriction_ended":
            return f"restriction lifted: {kind}", "", ""
        case "client.login_changed":
            return f"login {data['login']}", *_differences(data["before"], data["after"])
        case "client.password_forced":
            return f"new password forced for login {data['login']}", "", ""
        case "client.login_confirmed":
            return f"login {data['login']} confirmed by the server", "", ""
        case "client.document_added":
            return f"document entered: {dict(Document.Kind.choices).get(data['kind'], '')} {data['name']}", "", ""
        case "client.kyc_recorded":
            return f"identity check: {dict(KycResult.Outcome.choices).get(data['outcome'], '')}", "", ""
        case "client.erased":
            return "personal data erased", "", ""
        case "client.applied":
            return "application entered", "", ""
    return "client registered", "", ""


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str]:
    """Only what changed: "trading on, group real" and "trading off, group closing"."""
    changed = [name for name in after if before.get(name) != after[name]]
    return _list(before, changed), _list(after, changed)


def _list(state: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(_say(name, state.get(name)) for name in names)


def _say(name: str, value: Any) -> str:
    match name:
        case "enabled":
            return "log-in on" if value else "log-in off"
        case "trading":
            return "trading on" if value else "trading off"
        case "technical":
            return "technical" if value else "counted in reports"
        case "leverage":
            return f"leverage 1:{value}" if value else "the server's own leverage"
    return f"{name} {value or 'unknown'}"
