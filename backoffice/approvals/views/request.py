"""One request: what exactly was asked, what it would do, how it stands, and what this person may do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from backoffice.approvals import registry, tables
from backoffice.approvals.models import OPEN, Part, Request, State
from backoffice.approvals.selectors import bars, progress, sight, verdicts
from backoffice.approvals.views.lists import Room
from backoffice.audit import services as audit
from backoffice.kernel.money import Money
from backoffice.organisation.models import User
from backoffice.organisation.selectors import scope
from backoffice.ui import formats
from backoffice.ui.components import Crumb, Difference
from backoffice.ui.requests import actor_of
from backoffice.ui.views import DetailPage


class RequestDetail(Room, DetailPage):
    """Frozen payload, human diff, automatic checks, what would happen, and the chain with names."""

    queryset = Request.objects.select_related("entity", "maker", "replaces", "replaced_by")
    template = "approvals/request.html"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Approvals", reverse("to-decide")),)

    def heading(self) -> str:
        return tables.title_of(self.row.action)

    def context(self, row: Request, tab: str) -> Mapping[str, Any]:
        chain = list(row.participations.select_related("person"))
        open_ = row.state in OPEN
        return {
            "tones": tables.TONES,
            "labels": dict(State.choices),
            "changes": [Difference(c["label"], c["before"], c["after"]) for c in row.preview.get("changes", [])],
            **_effects(row),
            "checks": verdicts.checks(row) if open_ else [],
            "flags": bars.risk_words(verdicts.flags_for(self.user, row)),
            "client": registry.named_client(self.user, row.client),
            "chain": chain,
            "missing": progress.sentences(row, progress.missing(row, chain)) if open_ else [],
            "others": self.others(row),
            "payload": [(name.replace("_", " "), formats.words(v)) for name, v in sorted(row.payload.items())],
            "reason": registry.words_of(row.action, row.reason_code),
            "counted": _counted(row),
            "sla": tables.sla(row),
            "files": row.attachments.all(),
            "sees_rules": scope.may(self.user, "approvals.view_policy"),
            "decisions": decisions(self.user, row),
            "blocked": why_not(self.user, row),
            "about": _page(row),
        }

    def others(self, row: Request) -> Sequence[Request]:
        """What else waits for the same client, as far as this person may see it."""
        if not row.client:
            return []
        rows = Request.objects.filter(client=row.client, state__in=OPEN).exclude(pk=row.pk)
        return list(sight.visible(self.user, rows).order_by("pk")[:20])


class RequestFile(Room):
    """A file beside a request: handed out to be kept, never shown inside the site. Who took it is noted."""

    title = "File"

    def get(self, request: HttpRequest, pk: int, file: int) -> HttpResponse:
        row = self.row_or_404(Request.objects.all(), pk)
        found = row.attachments.filter(pk=file).select_related("blob").first()
        if found is None:
            raise Http404
        with transaction.atomic():
            audit.read(
                actor=actor_of(request),
                what="request_file",
                target=row,
                data={"file": found.pk, "hash": found.blob_id, "name": found.name},
            )
        response = HttpResponse(bytes(found.blob.content), content_type="application/octet-stream")
        response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.name)}"
        response["X-Content-Type-Options"] = "nosniff"
        return response


def decisions(user: User, row: Request) -> list[Mapping[str, str]]:
    """What this person may do now, with the keys that do it; nothing for somebody who already took part."""
    mine = row.maker_id == user.pk
    parts = _part_of(row, user)
    concerned = bool(_concerned(user, row))
    deciding = not parts and not concerned and sight.may_decide(user, row)
    executing = not parts and not concerned and bool(row.execute_permission)
    going = not _against(row)
    added = row.participations.filter(part=Part.APPROVER).exists()
    choices = [
        ("approve", "Approve", "primary", "a", row.state == State.PENDING and deciding and going),
        (
            "execute",
            "Execute",
            "primary",
            "a",
            row.state == State.APPROVED and executing and going and scope.may(user, row.execute_permission),
        ),
        ("reject", "Reject", "danger", "r", row.state in OPEN and deciding),
        ("return", "Return for change", "", "c", row.state in OPEN and deciding),
        ("replace", "Make a new version", "primary", "c", mine and row.state == State.RETURNED and _newest(row)),
        ("attach", "Add a file", "", "", mine and row.state == State.PENDING and not added),
        ("withdraw", "Withdraw", "", "w", row.state in OPEN and mine),
    ]
    return [
        {"label": label, "url": reverse(f"{name}-request", args=[row.pk]), "tone": tone, "key": key}
        for name, label, tone, key, shown in choices
        if shown
    ]


def why_not(user: User, row: Request) -> str:
    """Why this person cannot decide, said plainly."""
    if row.state not in OPEN:
        return ""
    part = _part_of(row, user)
    if part:
        return f"You {part} this request: another person has to decide."
    if not sight.may_decide(user, row) and not (row.execute_permission and scope.may(user, row.execute_permission)):
        return f"Deciding needs the permission “{row.approve_permission}”."
    if _concerned(user, row):
        return "You took part in what this request is about: another person has to decide."
    against = _against(row)
    return f"It cannot be approved now: {against}." if against else ""


def _part_of(row: Request, user: User) -> str:
    """The part a person has already taken, in words; empty when none."""
    found = row.participations.filter(person=user).first()
    return found.get_part_display() if found else ""


def _concerned(user: User, row: Request) -> bool:
    action = registry.get(row.action)
    return user.pk in action.forbids(registry.load(action.payload, row.payload))


def _against(row: Request) -> str:
    action = registry.get(row.action)
    return action.blocked(registry.load(action.payload, row.payload))


def _page(row: Request) -> str:
    """Where what it is about is shown; its own page says who may open it."""
    action = registry.get(row.action)
    return action.page(registry.load(action.payload, row.payload))


def _newest(row: Request) -> bool:
    return not Request.objects.filter(replaces=row).exists()


def _counted(row: Request) -> Money | None:
    """The sum that was compared with the rules, where it is more than the request's own amount."""
    if row.amount is None or not row.client:
        return None
    return Money(Decimal(row.preview.get("counted", str(abs(row.amount)))), row.currency)


def _effects(row: Request) -> Mapping[str, Any]:
    """What would happen, apart: money that is booked (debit positive), the trade server, and the rest."""
    found: dict[str, list[Any]] = {"booked": [], "server": [], "besides": []}
    for effect in row.preview.get("effects", []):
        if effect.get("amount") is not None:
            others = {k: v for k, v in effect.items() if k not in ("account", "amount", "currency")}
            says = " ".join(filter(None, (str(effect.get("account", "")), formats.words(others) if others else "")))
            found["booked"].append((says, Money(Decimal(str(effect["amount"])), str(effect.get("currency", "")))))
        elif "server" in effect:
            rest = {k: v for k, v in effect.items() if k != "server"}
            found["server"].append((effect["server"], formats.words(rest)))
        else:
            found["besides"].append(formats.words(effect))
    return found
