"""What making a report asks for."""

from __future__ import annotations

from typing import Any

from django import forms

from backoffice.organisation.models import LegalEntity
from backoffice.ui.fields import DayField
from reporting.definitions import DEFINITIONS
from reporting.models import Format


class ReportForm(forms.Form):
    report = forms.ChoiceField(choices=[(name, found.title) for name, found in sorted(DEFINITIONS.items())])
    day = DayField(label="Business day")
    entities = forms.ModelMultipleChoiceField(
        LegalEntity.objects.none(), widget=forms.CheckboxSelectMultiple, help_text="One report over all of them."
    )
    format = forms.ChoiceField(choices=[(form.value, form.label) for form in Format])

    def __init__(self, *args: Any, mine: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entities"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = mine if mine is not None else LegalEntity.objects.none()
