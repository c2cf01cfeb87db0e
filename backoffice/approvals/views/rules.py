"""The rules of approval and how they change: by a request that other people approve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, Q, QuerySet
from django.forms import Form
from django.urls import reverse

from backoffice.approvals import filters, forms, tables
from backoffice.approvals.actions import POLICY, PolicyChange
from backoffice.approvals.models import Policy
from backoffice.approvals.records import Rule
from backoffice.organisation.selectors import scope
from backoffice.ui.components import Crumb
from backoffice.ui.views import Button, DetailPage, GatedPage, ListPage, Page

M = TypeVar("M", bound=Model)
_SAME = tuple(name for name in Rule.__dataclass_fields__ if name != "entity_id")


class _Rules(Page):
    permission = "approvals.view_policy"
    nav = "policies"

    def visible(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """Rules of the person's entities and those for all entities."""
        scope.require(self.user, self.permission)
        return queryset.filter(Q(entity=None) | Q(entity__in=scope.entity_ids(self.user)))


class PolicyList(_Rules, ListPage):
    title = "Approval rules"
    queryset = Policy.objects.select_related("entity")
    table = tables.PolicyTable
    filters = filters.PolicyFilters
    buttons = (Button("Propose a rule", "propose-policy", "approvals.ask_policy", tone="primary"),)


class PolicyDetail(_Rules, DetailPage):
    queryset = Policy.objects.select_related("entity", "request__maker", "ended_by__maker")
    template = "approvals/policy.html"
    buttons = (
        Button("Propose a change", "change-policy", "approvals.ask_policy", when=lambda p: p.ended_at is None),
        Button("Propose to end it", "end-policy", "approvals.ask_policy", when=lambda p: p.ended_at is None),
    )

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb("Approval rules", reverse("policies")),)

    def heading(self) -> str:
        return tables.title_of(self.row.action)

    def context(self, row: Policy, tab: str) -> Mapping[str, Any]:
        return {
            "facts": [
                ("Entity", row.entity.code if row.entity else "all"),
                ("From amount", row.from_amount),
                ("Risk flag", row.risk_flag),
                ("Approvers", row.approvers),
                ("They hold", row.approve_permission or "the action's own permission"),
                ("One of them holds", row.second_permission),
                ("Executed by a third person with", row.execute_permission),
                ("To be decided within", f"{row.sla_hours} business hours"),
                ("Expires after", f"{row.expires_after_hours} hours"),
                ("In bulk", "yes" if row.bulk else "no"),
            ]
        }


class _Change(_Rules, GatedPage):
    permission = "approvals.ask_policy"
    action = POLICY
    form: ClassVar[type[Form]] = forms.PolicyForm

    def form_arguments(self, target: Policy | None) -> Mapping[str, Any]:
        return {"entity_ids": scope.entity_ids(self.user), **({"initial": _initial(target)} if target else {})}

    def payload(self, form: Any, target: Policy | None) -> PolicyChange:
        entity = form.cleaned_data["entity"]
        values = {name: form.cleaned_data[name] for name in _SAME}
        rule = Rule(entity_id=entity.pk if entity else None, **values)
        return PolicyChange(self.where(rule.entity_id), target.pk if target else None, rule)

    def where(self, entity_id: int | None) -> int:
        """The entity in which the request is decided; for a rule of all entities, the person's first."""
        return entity_id or min(scope.entity_ids(self.user), default=0)

    def consequences(self, target: Policy | None) -> Sequence[str]:
        return (
            "Another person has to approve it before it holds.",
            "Requests that wait by then keep the rules they were asked under.",
        )

    def success_url(self, result: Any) -> str:
        return reverse("request", args=[result.pk])


class ProposePolicy(_Change):
    title = "Propose a rule"


class ChangePolicy(_Change):
    title = "Propose a change of a rule"
    queryset = Policy.objects.filter(ended_at=None)


class EndPolicy(_Change):
    title = "Propose to end a rule"
    queryset = Policy.objects.filter(ended_at=None)
    form = forms.ReasonForm

    def form_arguments(self, target: Policy | None) -> Mapping[str, Any]:
        return {}

    def payload(self, form: Any, target: Any) -> PolicyChange:
        return PolicyChange(self.where(target.entity_id), target.pk, None)


def _initial(policy: Policy) -> dict[str, Any]:
    return {"entity": policy.entity_id, **{name: getattr(policy, name) for name in _SAME}}
