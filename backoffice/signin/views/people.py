"""What administrators see and do about other people's sign-in. Whatever makes a door wider goes to approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import User
from backoffice.signin import actions, forms, tables
from backoffice.signin.models import AllowedNetwork, RoleRule
from backoffice.signin.selectors import own, standing
from backoffice.signin.selectors.looking import IMPERSONATE
from backoffice.signin.services import passwords, sessions
from backoffice.ui.requests import entities_of
from backoffice.ui.views import ActionPage, Button, Crumb, DetailPage, GatedPage, ListPage

VIEW, LINK, END = "signin.view_session", "signin.send_link", "signin.end_sessions"


class People(ListPage):
    title = "Sign-in"
    queryset = User.objects.all()
    table = tables.PeopleTable
    permission = VIEW
    entity_path = ""
    buttons = (
        Button("Networks", "networks", VIEW),
        Button("Second factor by role", "factor-rules", VIEW),
    )

    def rows(self) -> Any:
        return standing.people().prefetch_related("groups")


class PersonDetail(DetailPage):
    """Sessions and second factor of one person."""

    queryset = User.objects.all()
    template = "signin/person.html"
    permission = VIEW
    entity_path = ""
    nav = "people-sign-in"
    buttons = (
        Button("Send a password link", "send-link", LINK, when=lambda row: row.is_active),
        Button("End all sessions", "end-sessions", END),
        Button("Remove the second factor", "remove-factor", actions.ASK),
        Button("Look as this person", "impersonate", IMPERSONATE, when=lambda row: row.is_active),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Sign-in", reverse("people-sign-in")),)

    def context(self, row: User, tab: str) -> Mapping[str, Any]:
        found = standing.people().get(pk=row.pk)
        return {
            "rows": own.open_sessions(row.pk),
            "factor": tables.factor(found),
            "labels": tables.FACTOR,
            "tones": tables.FACTOR_TONES,
            "codes_left": own.codes_left(row.pk),
        }


class SendLink(ActionPage):
    title = "Send a password link"
    queryset = User.objects.all()
    permission = LINK
    entity_path = ""
    nav = "people-sign-in"
    submit_label = "Send the link"

    def consequences(self, target: User) -> Sequence[str]:
        return (
            f"{target} gets a mail with a link that works once, for an hour.",
            "The password stays as it is until the link is used. Nobody but the person sees the new one.",
            "The second factor stays as it is. A lock-out after wrong passwords ends now.",
        )

    def run(self, *, actor: Person, form: Any, target: User) -> Any:
        return passwords.send_link(actor=actor, user_id=target.pk)

    def message(self, result: Any) -> str:
        return "The link is on its way."


class EndSessions(ActionPage):
    title = "End all sessions"
    queryset = User.objects.all()
    permission = END
    entity_path = ""
    nav = "people-sign-in"
    submit_label = "End all sessions"
    tone = "danger"

    def run(self, *, actor: Person, form: Any, target: User) -> Any:
        return sessions.end_sessions(actor=actor, user_id=target.pk)

    def message(self, result: Any) -> str:
        return f"{result} session{'' if result == 1 else 's'} ended."


class _Rule(GatedPage):
    permission = actions.ASK
    entity_path = ""
    nav = "people-sign-in"


class RemoveFactor(_Rule):
    title = "Remove a lost second factor"
    queryset = User.objects.all()
    form = forms.ReasonForm
    action = actions.REMOVE_FACTOR

    def consequences(self, target: User) -> Sequence[str]:
        return (
            "Somebody else has to approve this. Make sure first that it is the person who asks: call them back.",
            f"All sessions of {target} end. The next sign-in leads to enrolling a new second factor.",
        )

    def payload(self, form: Any, target: User) -> actions.LostFactor:
        return actions.LostFactor(home(self.request), target.pk)


class AllowNetwork(_Rule):
    title = "Allow a network"
    form = forms.NetworkForm
    action = actions.ALLOW_NETWORK

    def payload(self, form: Any, target: Any) -> actions.Network:
        data = form.cleaned_data
        return actions.Network(home(self.request), data["role"].name, data["network"], data["note"])


class RemoveNetwork(_Rule):
    title = "Take a network back"
    queryset = AllowedNetwork.objects.filter(removed_at__isnull=True)
    form = forms.ReasonForm
    action = actions.REMOVE_NETWORK

    def facts(self, target: AllowedNetwork) -> Sequence[tuple[str, Any]]:
        return (("Role", target.role), ("Network", target.network), ("What it is", target.note))

    def payload(self, form: Any, target: AllowedNetwork) -> actions.Network:
        return actions.Network(home(self.request), target.role, target.network, target.note)


class ChangeFactorRule(_Rule):
    title = "Second factor of a role"
    form = forms.FactorRuleForm
    action = actions.REQUIRE_FACTOR

    def payload(self, form: Any, target: Any) -> actions.FactorRule:
        data = form.cleaned_data
        return actions.FactorRule(home(self.request), data["role"].name, data["required"])


class Networks(ListPage):
    title = "Networks"
    queryset = AllowedNetwork.objects.all()
    table = tables.NetworkTable
    permission = VIEW
    entity_path = ""
    nav = "people-sign-in"
    buttons = (Button("Allow a network", "allow-network", actions.ASK),)

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Sign-in", reverse("people-sign-in")),)


class FactorRules(ListPage):
    title = "Second factor by role"
    queryset = RoleRule.objects.all()
    table = tables.RuleTable
    permission = VIEW
    entity_path = ""
    nav = "people-sign-in"
    buttons = (Button("Change", "change-factor-rule", actions.ASK),)

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Sign-in", reverse("people-sign-in")),)


def home(request: HttpRequest) -> int:
    """The entity whose people decide a rule that holds for the whole house: the asker's first."""
    mine = entities_of(request)
    if not mine:
        raise DomainError("You work in no legal entity, so nobody could decide this. Ask somebody who does.")
    return mine[0][0]
