"""What the lists of requests, notices and rules show."""

from __future__ import annotations

from django.urls import reverse
from django.utils.safestring import SafeString

from backoffice.approvals import registry
from backoffice.approvals.models import OPEN, Notice, NoticeKind, Policy, Request, State
from backoffice.kernel import clock
from backoffice.ui import components, formats
from backoffice.ui.columns import Column, Kind
from backoffice.ui.components import Tone
from backoffice.ui.markup import Child, join, tag
from backoffice.ui.tables import BulkAction, Table

TONES: dict[str, Tone] = {
    State.PENDING: Tone.WARN,
    State.APPROVED: Tone.INFO,
    State.EXECUTED: Tone.GOOD,
    State.REJECTED: Tone.BAD,
    State.WITHDRAWN: Tone.NEUTRAL,
    State.EXPIRED: Tone.NEUTRAL,
    State.RETURNED: Tone.WARN,
}
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def sla(request: Request) -> SafeString:
    """How long is left until the request should be decided, louder when half of the time is gone and when all is."""
    if request.state not in OPEN:
        return components.nothing("decided")
    left = (request.due_at - clock.now()).total_seconds()
    whole = (request.due_at - request.requested_at).total_seconds()
    size, unit = next((step for step in _STEPS if abs(left) >= step[0]), _STEPS[-1])
    count = int(abs(left) // size)
    tone = Tone.BAD if left < 0 else Tone.WARN if left < whole / 2 else Tone.NEUTRAL
    text = f"{count} {unit} overdue" if left < 0 else f"{count} {unit} left"
    return tag("span", text, class_=f"age {tone}", title=f"to be decided by {formats.moment(request.due_at)} UTC")


def _decide_links(row: Request) -> SafeString:
    """The keys a and r open these from the row one stands on."""
    doing = "approve" if row.state == State.PENDING else "execute"
    links: list[Child] = [
        tag("a", doing.capitalize(), href=reverse(f"{doing}-request", args=[row.pk]), data_shortcut="a"),
        tag("a", "Reject", href=reverse("reject-request", args=[row.pk]), data_shortcut="r"),
    ]
    return join(links, " · ")


_WHAT = Column(lambda r: title_of(r.action), "What", hide_narrow=True)
_SUMMARY = Column("summary", "Summary", wrap=True, width=60)
_AMOUNT = Column("amount", "Amount", Kind.MONEY, currency="currency")
_ENTITY = Column("entity.code", "Entity", Kind.CODE, hide_narrow=True)
_MAKER = Column("maker", "Asked by", Kind.ACTOR)
_ASKED = Column(lambda r: components.age(r.requested_at), "Asked", export=lambda r: r.requested_at)
_DUE = Column(sla, "To decide", export=lambda r: r.due_at, sort="due")
_STATE = Column("state", "State", Kind.STATUS, tones=TONES, labels=dict(State.choices))


class RequestTable(Table):
    columns = (
        Column("pk", "Request", Kind.CODE, sort="id"),
        _WHAT,
        _SUMMARY,
        _AMOUNT,
        _ENTITY,
        _MAKER,
        _ASKED,
        _DUE,
        _STATE,
        Column("expires_at", "Expires", Kind.DATETIME, hide_narrow=True),
    )
    sorts = {"id": ("pk",), "due": ("due_at", "pk")}
    default_sort = "-id"
    empty = "No request fits."
    empty_hint = "Requests that need a second person appear here."

    def link(self, row: Request) -> str:
        return reverse("request", args=[row.pk])


class DecideTable(RequestTable):
    columns = (
        Column("pk", "Request", Kind.CODE, sort="id"),
        _WHAT,
        _SUMMARY,
        _AMOUNT,
        _ENTITY,
        _MAKER,
        _ASKED,
        _DUE,
        Column("bulk", "In bulk", Kind.FLAG, hide_narrow=True),
        Column(_decide_links, "Decide", export=lambda r: ""),
    )
    default_sort = "due"
    bulk = (BulkAction("Approve", "approve-requests", "approvals.view_request"),)
    empty = "Nothing waits for your decision."
    empty_hint = "Requests of other people that you may approve or execute appear here."


class MyTable(RequestTable):
    empty = "You have asked for nothing that is open."
    empty_hint = "Choose states in the filter to see what was decided."


class NoticeTable(Table):
    columns = (
        Column("request_id", "Request", Kind.CODE),
        Column("request.summary", "Summary", wrap=True, width=60),
        Column("kind", "Why", Kind.STATUS, labels=dict(NoticeKind.choices), tones={NoticeKind.WAITS: Tone.WARN}),
        Column("request.state", "State", Kind.STATUS, tones=TONES, labels=dict(State.choices)),
        Column("at", "Told", Kind.DATETIME, sort="id"),
        Column("read_at", "Read", Kind.DATETIME),
    )
    bulk = (BulkAction("Mark as read", "read-notices", "approvals.view_request"),)
    empty = "Nothing to tell."
    empty_hint = "You are told once about each request that you may decide, and about each of yours that was decided."

    def link(self, row: Notice) -> str:
        return reverse("request", args=[row.request_id])

    def row_class(self, row: Notice) -> str:
        return "muted" if row.read_at else ""


class PolicyTable(Table):
    columns = (
        Column("pk", "Rule", Kind.CODE, sort="id"),
        Column(lambda p: title_of(p.action), "Action", export=lambda p: p.action),
        Column(lambda p: p.entity.code if p.entity else "all", "Entity", Kind.CODE),
        Column("from_amount", "From amount", Kind.NUMBER),
        Column("risk_flag", "Risk flag", Kind.CODE),
        Column("approvers", "Approvers", Kind.NUMBER),
        Column("second_permission", "Second approver", Kind.CODE, hide_narrow=True),
        Column("execute_permission", "Executor", Kind.CODE, hide_narrow=True),
        Column("sla_hours", "To decide (h)", Kind.NUMBER, hide_narrow=True),
        Column("expires_after_hours", "Expires (h)", Kind.NUMBER, hide_narrow=True),
        Column("bulk", "In bulk", Kind.FLAG, hide_narrow=True),
        Column("ended_at", "Ended", Kind.DATETIME),
    )
    small = True
    empty = "There are no rules."
    empty_hint = "Without a rule, one approval by the action's own permission is needed."

    def link(self, row: Policy) -> str:
        return reverse("policy", args=[row.pk])

    def row_class(self, row: Policy) -> str:
        return "muted" if row.ended_at else ""


def title_of(action: str) -> str:
    """The action's title; its code where this version has no such action any more."""
    known = {found.name: found.title for found in registry.all_actions()}
    return known.get(action, action)
