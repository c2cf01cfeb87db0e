"""The admin's forms for people: what may be changed at once, and what can only be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from backoffice.access.actions import GIVING
from backoffice.access.services import pairs
from backoffice.access.services.people import FIELDS
from backoffice.kernel.errors import DomainError
from backoffice.organisation.duties import TITLES
from backoffice.organisation.models import LegalEntity, User

if TYPE_CHECKING:  # generic for the type checker alone
    _ModelForm = forms.ModelForm[User]
else:
    _ModelForm = forms.ModelForm


class PersonForm(_ModelForm):
    """Names and address are saved at once; roles and where they hold become requests for management."""

    roles = forms.MultipleChoiceField(
        choices=[(code, f"{code} – {title}") for code, title in TITLES.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Ask for roles",
        help_text="Nothing is given here: each role becomes a request that management approves.",
    )
    entities = forms.ModelMultipleChoiceField(
        LegalEntity.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, label="In these entities"
    )
    reason_code = forms.ChoiceField(
        choices=[("", "Choose one"), *GIVING.items()], required=False, label="Kind of reason"
    )
    reason = forms.CharField(
        required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Reason", help_text="The approver sees it."
    )

    class Meta:
        model = User
        fields = ("username", *FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        entities = self.fields["entities"]
        assert isinstance(entities, forms.ModelMultipleChoiceField)
        entities.queryset = self.offered

    # Set by the admin page for the person who is asking.
    offered = LegalEntity.objects.none()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        roles = data.get("roles") or []
        if not roles:
            return data
        try:
            pairs.require_roles_fit(user_id=self.instance.pk, roles=roles)
        except DomainError as error:
            self.add_error("roles", str(error))
        if not data.get("entities"):
            self.add_error("entities", "Say in which legal entities.")
        if not data.get("reason_code"):
            self.add_error("reason_code", "Choose one.")
        if not (data.get("reason") or "").strip():
            self.add_error("reason", "Say why: the approver sees it.")
        return data
