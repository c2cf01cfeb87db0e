"""Forms of sign-in. Nothing typed as a secret is ever shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from backoffice.audit import services as audit
from backoffice.signin.selectors.standing import address_fits
from backoffice.signin.services import rules
from backoffice.signin.signals import person_of
from backoffice.ui.requests import ip_of

# Argon2 takes any length; this only keeps somebody from sending megabytes.
LONGEST = 512


def password(label: str, *, new: bool = False, help_text: str = "") -> forms.CharField:
    """A password field. Blanks count, also at the ends."""
    return forms.CharField(
        label=label,
        strip=False,
        max_length=LONGEST,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password" if new else "current-password"}),
    )


class SignInForm(AuthenticationForm):
    """Name and password; the refusal is the same for an unknown name and for a wrong password."""

    password = password("Password")

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.error_messages = {
            **self.error_messages,
            "invalid_login": "The name and the password do not fit together. Check both and try again.",
        }

    def confirm_login_allowed(self, user: Any) -> None:
        """The password was right; the address has to be right too."""
        super().confirm_login_allowed(user)
        request = self.request
        if request is None or address_fits(user.pk, ip_of(request)):
            return
        with transaction.atomic():
            audit.record(actor=person_of(request, user), action="signin.address_refused", target=user)
        raise ValidationError(
            f"Your roles may not work from this address ({ip_of(request)}). Use the office network or its VPN, or ask "
            "a system administrator to have the network allowed.",
            code="address",
        )


class CodeForm(forms.Form):
    """The six digits of the authenticator."""

    code = forms.CharField(
        label="Code of your authenticator",
        max_length=12,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )


class RecoveryForm(forms.Form):
    """One of the ten codes for a lost phone."""

    code = forms.CharField(
        label="Recovery code",
        max_length=40,
        help_text="One you have not used yet, like 3-k7wq-m2pd-x9ra.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "spellcheck": "false"}),
    )


class AgainForm(forms.Form):
    """Who changes a door shows once more that they are who they say."""

    password = password("Your password")


class NewPasswordForm(forms.Form):
    """A new password, twice."""

    new = password("New password", new=True, help_text=" ".join(password_validation.password_validators_help_texts()))
    again = password("New password again", new=True)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "new" in data and "again" in data and data["new"] != data["again"]:
            self.add_error("again", "The two are not the same. Type the new password twice.")
        return data


class ChangePasswordForm(NewPasswordForm):
    old = password("Password until now")
    field_order = ("old", "new", "again")


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Reason", widget=forms.Textarea, help_text="Shown to whoever decides, and kept.")


class LookForm(forms.Form):
    reason = forms.CharField(label="Reason", widget=forms.Textarea, help_text="The auditors read it, with every page.")


def role_choice() -> forms.ModelChoiceField[Group]:
    """A role by its code."""
    return forms.ModelChoiceField(queryset=Group.objects.order_by("name"), to_field_name="name", label="Role")


class NetworkForm(ReasonForm):
    role = role_choice()
    network = forms.CharField(max_length=43, help_text="192.0.2.0/24, 2001:db8::/32, or a single address")
    note = forms.CharField(max_length=120, required=False, help_text="what it is: head office, VPN")
    field_order = ("role", "network", "note", "reason")

    def clean_network(self) -> str:
        try:
            return rules.spelled(self.cleaned_data["network"])
        except rules.BadNetwork as error:
            raise ValidationError(str(error)) from error


class FactorRuleForm(ReasonForm):
    role = role_choice()
    required = forms.TypedChoiceField(
        label="Second factor",
        choices=[("yes", "required"), ("no", "by choice")],
        coerce=lambda given: given == "yes",
    )
    field_order = ("role", "required", "reason")
