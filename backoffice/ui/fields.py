"""Fields that every room's forms share."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

ISO_DAY = "%Y-%m-%d"


class DayField(forms.DateField):
    """A day, year first, like everywhere: 03/04/2026 means two things. It shows its value the way it takes it."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Write the day as 2026-11-20."}

    def __init__(self, *, help_text: str = "Year first: 2026-11-20.", **options: Any) -> None:
        widget = forms.DateInput(format=ISO_DAY, attrs={"inputmode": "numeric", "placeholder": "YYYY-MM-DD"})
        super().__init__(input_formats=[ISO_DAY], widget=widget, help_text=help_text, **options)
