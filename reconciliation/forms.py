"""What the actions on breaks and runs ask for."""

from __future__ import annotations

from typing import Any

from django import forms

from backoffice.organisation.models import LegalEntity, User
from backoffice.ui.fields import DayField
from reconciliation.models import Kind


class AssignForm(forms.Form):
    assignee = forms.ModelChoiceField(User.objects.none(), label="Assign to")

    def __init__(self, *args: Any, people: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["assignee"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = people if people is not None else User.objects.none()


class ExplainForm(forms.Form):
    explanation = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}), help_text="Where the difference comes from, for the next reader."
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="Kept with the break.")


class StartRunForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    kind = forms.ChoiceField(choices=[(k.value, k.label) for k in Kind], label="Reconciliation")
    day = DayField(label="Business day")

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()
