"""What is asked for about an alert, and about a rule that makes alerts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from backoffice.organisation.models import User
from payments.models import FraudRule, Outcome
from payments.models.fraud import PARAMETERS
from payments.services import fraud

_WORDS = forms.Textarea(attrs={"rows": 3})
_INSIDE = "Read by those who work on alerts. Nothing of it is to reach the client."
_SEEN = "Everybody who may see the request reads this: nothing confidential."


class AssignAlertForm(forms.Form):
    assignee = forms.ModelChoiceField(User.objects.none(), label="Assign to")
    text = forms.CharField(label="Note", widget=_WORDS, required=False, help_text=_INSIDE)

    def __init__(self, *args: Any, people: QuerySet[User], **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["assignee"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = people


class ExplainAlertForm(forms.Form):
    text = forms.CharField(label="What is known", widget=_WORDS, help_text=_INSIDE)


class CloseAlertForm(forms.Form):
    outcome = forms.ChoiceField(choices=[("", "Choose one"), *Outcome.choices])
    text = forms.CharField(label="Why", widget=_WORDS, help_text=_INSIDE)


class FraudRuleForm(forms.Form):
    everywhere = forms.BooleanField(required=False, label="For all entities without a version of their own")
    is_on = forms.BooleanField(required=False, label="The rule looks")
    parameters = forms.CharField(max_length=200)
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, rule: FraudRule, **more: Any) -> None:
        now = {"everywhere": rule.entity_id is None, "is_on": rule.is_on, "parameters": fraud.words(rule.parameters)}
        super().__init__(*args, **{**more, "initial": now})
        meant = [f"{name}: {p.meaning}, {p.least} to {p.most}" for name, p in PARAMETERS[rule.kind].items()]
        self.fields["parameters"].help_text = "; ".join(meant) + "."
