"""What decisions ask for. `seen` is the hash of what was on the screen, `token` what the whole page was made from."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import Permission

from backoffice.approvals import registry
from backoffice.approvals.registry import Action, Leaf
from backoffice.approvals.services import attachments
from backoffice.approvals.services.attachments import LARGEST
from backoffice.kernel.errors import DomainError
from backoffice.kernel.money import BadAmount, parse
from backoffice.kernel.plain import plain
from backoffice.organisation.models import LegalEntity
from backoffice.ui.fields import DayField


class SeenForm(forms.Form):
    """What every decision carries along from the page it was made on."""

    seen = forms.CharField(widget=forms.HiddenInput)
    token = forms.CharField(widget=forms.HiddenInput)


class DecisionForm(SeenForm):
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")


class RejectForm(SeenForm):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="The person who asked sees it.")


class WithdrawForm(forms.Form):
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")


class ManyForm(forms.Form):
    """`seen` is the page's tokens as "id:token", one after the other."""

    seen = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")

    def clean_seen(self) -> dict[int, str]:
        pairs = [pair.partition(":") for pair in self.cleaned_data["seen"].split()]
        if not all(pk.isdecimal() and token for pk, _, token in pairs):
            raise forms.ValidationError("The page is not complete. Go back to the list and pick again.")
        return {int(pk): token for pk, _, token in pairs}


class FilesInput(forms.FileInput):
    allow_multiple_selected = True


class AttachForm(forms.Form):
    file = forms.FileField(help_text=f"PDF, PNG, JPEG or plain text, at most {LARGEST // 1024 // 1024} MB.")


class AmountField(forms.CharField):
    """A plain decimal number."""

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse(text, field=str(self.label or "amount"))
        except BadAmount as error:
            raise forms.ValidationError(str(error)) from error


class FilesField(forms.FileField):
    """Several files, each of a kind and size that requests take; read here, as names with contents."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[tuple[str, bytes]]:
        files = [file for file in (data if isinstance(data, list) else [data]) if file]
        if len(files) > attachments.MOST:
            raise forms.ValidationError(f"At most {attachments.MOST} files. Put several pages into one PDF.")
        # One byte more than the largest says that it is too large; the rest is not read.
        found = [(file.name, file.read(LARGEST + 1)) for file in files]
        for name, content in found:
            try:
                attachments.kind_of(content)
            except DomainError as error:
                raise forms.ValidationError(f"{name}: {error}") from error
        return found


def ask_fields(name: str) -> dict[str, forms.Field]:
    """What every request says besides its content. The code of the reason is not asked for where the content has it."""
    action = registry.get(name)
    files = FilesField(
        required=False,
        help_text=f"PDF, PNG, JPEG or plain text, at most {attachments.MOST} of {LARGEST // 1024 // 1024} MB each. "
        "Who may see the request may open them.",
    )
    choices = [("", "Choose one"), *action.reasons.items()]
    code = {} if action.coded else {"reason_code": forms.ChoiceField(choices=choices, label="Kind of reason")}
    return {**code, "files": files}


class ReasonForm(forms.Form):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), help_text="The approver sees it; it is kept.")


class VersionForm(ReasonForm):
    """Another version of a payload: its texts, amounts, days, numbers and choices can change. What it is about
    (keys and ids) stays as it was, because that is what the request belongs to."""

    def __init__(self, *args: Any, action: Action, content: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.action, self.content = action, content
        found = registry.leaves(action.payload, content)
        self.leaves = {"p." + ".".join(map(str, leaf.path)): leaf for leaf in found if leaf.path != (action.coded,)}
        for name, leaf in self.leaves.items():
            self.fields[name] = _field(leaf)
        more = ask_fields(action.name)
        self.fields["reason_code"] = forms.ChoiceField(choices=[*action.reasons.items()], label="Kind of reason")
        self.fields["files"] = more["files"]
        self.order_fields([*self.leaves, "reason_code", "reason", "files"])

    def payload(self) -> Any:
        """The payload with what the form says."""
        content = copy.deepcopy(self.content)
        for name, leaf in self.leaves.items():
            place = content
            for step in leaf.path[:-1]:
                place = place[step]
            value = self.cleaned_data[name]
            place[leaf.path[-1]] = None if value in (None, "") and leaf.optional else plain(value)
        if self.action.coded:
            content[self.action.coded] = self.cleaned_data["reason_code"]
        return registry.load(self.action.payload, content)


def _field(leaf: Leaf) -> forms.Field:
    steps = [step + 1 if isinstance(step, int) else step for step in leaf.path]
    label = " ".join(str(step).replace("_", " ") for step in steps).capitalize()
    common: dict[str, Any] = {"label": label, "initial": leaf.value, "required": False}
    if leaf.hint is bool:
        return forms.BooleanField(**common)
    if leaf.hint is int:
        return forms.IntegerField(**{**common, "required": not leaf.optional})
    if leaf.hint is Decimal:
        return AmountField(**{**common, "required": not leaf.optional})
    if leaf.hint is date:
        return DayField(**{**common, "required": not leaf.optional})
    return forms.CharField(**common)


class PolicyForm(ReasonForm):
    """A rule; empty permissions mean the action's own approvers, no second approver, no third person."""

    action = forms.ChoiceField()
    entity = forms.ModelChoiceField(LegalEntity.objects.none(), required=False, help_text="None: all of them.")
    from_amount = AmountField(initial="0", help_text="Reporting currency; with the client's others of 24 hours.")
    risk_flag = forms.CharField(required=False, max_length=40, help_text="Only with this flag: CHARGEBACK_RISK.")
    approvers = forms.IntegerField(min_value=1, initial=1)
    approve_permission = forms.ChoiceField(required=False, label="Approvers hold")
    second_permission = forms.ChoiceField(required=False, label="One of them holds")
    execute_permission = forms.ChoiceField(required=False, label="Executed by a third person with")
    sla_hours = forms.IntegerField(min_value=1, initial=8, label="To be decided within", help_text="Business hours.")
    expires_after_hours = forms.IntegerField(min_value=1, initial=72, label="Expires after", help_text="Hours.")
    bulk = forms.BooleanField(required=False, label="May be approved together with others (never for money)")

    def __init__(self, *args: Any, entity_ids: list[int], **options: Any) -> None:
        super().__init__(*args, **options)
        named = {action.name: action.title for action in registry.all_actions()}
        chosen = sorted(named.items(), key=lambda pair: pair[1])
        self._choose("action", chosen)
        entity: Any = self.fields["entity"]
        entity.queryset = LegalEntity.objects.filter(pk__in=entity_ids)
        held = [("", "–"), *held_permissions()]
        for name in ("approve_permission", "second_permission", "execute_permission"):
            self._choose(name, held)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices


def held_permissions() -> Iterator[tuple[str, str]]:
    """Permissions that some role holds, with the roles, for choosing approvers."""
    roles: dict[str, list[str]] = {}
    rows = Permission.objects.exclude(group=None).order_by("content_type__app_label", "codename", "group__name")
    for app, codename, role in rows.values_list("content_type__app_label", "codename", "group__name"):
        roles.setdefault(f"{app}.{codename}", []).append(role)
    return ((name, f"{name} ({', '.join(held)})") for name, held in roles.items())
