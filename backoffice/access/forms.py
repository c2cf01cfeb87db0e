"""What requests about roles ask for. Entities and desks offered are those the asking person works in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from backoffice.access.models import BREAK_GLASS_MOST
from backoffice.organisation import pairs
from backoffice.organisation.duties import TITLES
from backoffice.organisation.models import Desk, LegalEntity, User
from backoffice.ui.fields import DayField

ROLES = [("", "Choose one"), *((code, f"{code} – {title}") for code, title in TITLES.items())]
WAIVABLE = [("", "Choose one"), *((known.number, str(known)) for known in pairs.PAIRS if known.waiver)]
HOURS = [(hours, f"{hours} hour{'s' if hours > 1 else ''}") for hours in (1, 2, 4, BREAK_GLASS_MOST.seconds // 3600)]


def people() -> QuerySet[User]:
    return User.objects.filter(is_active=True).order_by("first_name", "last_name", "username")


class _Places(forms.Form):
    """Forms that name entities; `entities` are those the person works in."""

    def __init__(self, *args: Any, entities: QuerySet[LegalEntity] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = entities if entities is not None else LegalEntity.objects.none()
        for name, queryset in (
            ("user", people()),
            ("entities", mine.order_by("code")),
            ("desks", Desk.objects.filter(entity__in=mine).select_related("entity")),
        ):
            field = self.fields.get(name)
            if isinstance(field, forms.ModelChoiceField):
                field.queryset = queryset


class GrantForm(_Places):
    user = forms.ModelChoiceField(User.objects.none(), label="Person")
    role = forms.ChoiceField(choices=ROLES)
    entities = forms.ModelMultipleChoiceField(
        LegalEntity.objects.none(), widget=forms.CheckboxSelectMultiple, help_text="Where they work."
    )
    desks = forms.ModelMultipleChoiceField(
        Desk.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="With desks, the person sees only the clients of these desks in the desks' entities.",
    )
    until = DayField(required=False, help_text="Last day of the role, year first: 2026-11-20. Empty: no end.")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="The approver sees it.")


class RevokeForm(forms.Form):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="The approver sees it.")


class BreakGlassForm(_Places):
    role = forms.ChoiceField(choices=ROLES)
    entities = forms.ModelMultipleChoiceField(LegalEntity.objects.none(), widget=forms.CheckboxSelectMultiple)
    hours = forms.TypedChoiceField(choices=HOURS, coerce=int, label="For", help_text="Counted from now.")
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="What cannot wait, and who is not there."
    )


class WaiverForm(_Places):
    user = forms.ModelChoiceField(User.objects.none(), label="Person")
    pair = forms.TypedChoiceField(choices=WAIVABLE, coerce=int)
    until = DayField(help_text="Last day of the waiver, within a year: 2026-11-20.")
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="Why the firm cannot keep the two apart, and what it does instead. Shown on the matrix.",
    )
