"""Pages of roles and rights: the matrix, what was granted, and asking for changes. Nothing here changes a right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

from django.forms import Form
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from backoffice.access import actions, filters, forms, tables
from backoffice.access.models import Grant, Waiver
from backoffice.access.selectors import matrix
from backoffice.access.services import waivers
from backoffice.access.services.people import ADMINISTER
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.organisation.duties import TITLES, VERBS
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Button, Crumb, GatedPage, ListPage, Page
from backoffice.ui.views.lists import Listing

VIEW_MATRIX, VIEW = "access.view_matrix", "access.view_grant"
ASK_BUTTONS = (
    Button("Ask for a role", "ask-grant", actions.ASK, tone="primary"),
    Button("Ask for a waiver", "ask-waiver", actions.ASK),
    Button("Break-glass", "ask-break-glass", actions.ASK_GLASS, tone="danger"),
    Button("Administration of users", "admin:index", ADMINISTER),
)


def end_of(day: date) -> datetime:
    """The end of a business day of the house (UTC)."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


class Matrix(Page):
    """Who may do what, which roles exclude each other, and the waivers in force. Made to be printed."""

    title = "Roles and rights"
    permission = VIEW_MATRIX
    entity_path = ""
    template = "access/matrix.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        may_end = scope.may(request.user, waivers.APPROVE)
        context = {
            "titles": TITLES,
            "verbs": VERBS,
            "lines": matrix.lines(),
            "beside": matrix.beside_the_matrix(),
            "apart": matrix.apart(),
            "waivers": [
                (waiver, reverse("end-waiver", args=[waiver.pk]) if may_end else "")
                for waiver in matrix.waivers_in_force()
            ],
            "buttons": self.links(ASK_BUTTONS),
            "printed_at": clock.now(),
        }
        return self.page(context)


class Grants(ListPage):
    title = "Grants"
    permission = VIEW
    entity_path = ""
    queryset = Grant.objects.select_related("user")
    table = tables.GrantTable
    filters = filters.GrantFilters
    buttons = ASK_BUTTONS

    def listing(self) -> Listing:
        found = super().listing()
        assert isinstance(found.table, tables.GrantTable)
        found.table.offers = scope.may(self.user, actions.ASK)
        return found


class _Ask(GatedPage):
    """A request about somebody's rights. Who asked goes back to the matrix or the grants."""

    permission = actions.ASK
    entity_path = ""
    nav = "grants"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Grants", reverse("grants")),)

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {"entities": scope.entities_of(self.user)}

    def message(self, result: Any) -> str:
        return f"Sent for approval as request {result.pk}. Nothing has changed yet."


class AskGrant(_Ask):
    title = "Ask for a role"
    action = actions.GRANT
    form: ClassVar[type[Form]] = forms.GrantForm

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "Management decides; the person who gets the role does not.",
            "When it is given, the person's sessions end and they sign in with the new rights.",
        )

    def payload(self, form: Any, target: Any) -> actions.RoleGrant:
        data = form.cleaned_data
        return actions.RoleGrant(
            user_id=data["user"].pk,
            role=data["role"],
            entities=tuple(sorted(here.pk for here in data["entities"])),
            desks=tuple(sorted(desk.pk for desk in data["desks"])),
            until=end_of(data["until"]) if data["until"] else None,
        )


class AskRevoke(_Ask):
    action = actions.REVOKE
    form: ClassVar[type[Form]] = forms.RevokeForm
    queryset = Grant.objects.filter(ended_at=None).select_related("user")
    tone = "danger"

    def heading(self) -> str:
        return f"Take {self.target.role} from {self.target.user}"

    def form_arguments(self, target: Any) -> Mapping[str, Any]:
        return {}

    def consequences(self, target: Grant) -> Sequence[str]:
        return ("The places that only this role brought go with it, and the person's sessions end.",)

    def payload(self, form: Any, target: Grant) -> actions.RoleRevoke:
        return actions.RoleRevoke(user_id=target.user_id, role=target.role)


class AskBreakGlass(_Ask):
    title = "Break-glass"
    permission = actions.ASK_GLASS
    action = actions.BREAK_GLASS
    form: ClassVar[type[Form]] = forms.BreakGlassForm
    tone = "danger"
    nav = "today"

    def crumbs(self) -> Sequence[Crumb]:
        return ()

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "You get the role for these hours once management approves; it ends by itself.",
            "The auditors are told at once. Every step you take is in the audit log.",
            "You still cannot approve or execute what you asked for yourself.",
        )

    def payload(self, form: Any, target: Any) -> actions.BreakGlass:
        data = form.cleaned_data
        return actions.BreakGlass(
            user_id=self.user.pk,
            role=data["role"],
            entities=tuple(sorted(here.pk for here in data["entities"])),
            desks=(),
            until=clock.now().replace(microsecond=0) + timedelta(hours=data["hours"]),
        )


class AskWaiver(_Ask):
    title = "Ask for a waiver"
    action = actions.WAIVE
    form: ClassVar[type[Form]] = forms.WaiverForm

    def consequences(self, target: Any) -> Sequence[str]:
        return (
            "With management's consent the person may hold both sides of the pair until that day.",
            "Who asks, who approves and who executes one request stay different people.",
        )

    def payload(self, form: Any, target: Any) -> actions.PairWaiver:
        data = form.cleaned_data
        return actions.PairWaiver(
            user_id=data["user"].pk, pair=data["pair"], until=end_of(data["until"]), why=data["reason"].strip()
        )


class EndWaiver(ActionPage):
    """End a waiver at once: it protects, so one person does it."""

    permission = waivers.APPROVE
    entity_path = ""
    queryset = Waiver.objects.filter(ended_at=None).select_related("user")
    form: ClassVar[type[Form]] = forms.RevokeForm
    submit_label = "End it now"
    tone = "danger"
    nav = "matrix"

    def heading(self) -> str:
        return f"End the waiver of pair {self.target.pair} for {self.target.user}"

    def consequences(self, target: Waiver) -> Sequence[str]:
        return ("If the person still holds both roles, neither gives its side of the pair from now on.",)

    def run(self, *, actor: Person, form: Any, target: Waiver) -> Waiver:
        return waivers.end_waiver(actor=actor, waiver_id=target.pk, reason=form.cleaned_data["reason"])

    def message(self, result: Any) -> str:
        return "The waiver has ended."
