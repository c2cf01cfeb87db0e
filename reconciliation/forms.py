"""What the actions on breaks and runs ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from backoffice.kernel import money
from backoffice.organisation.models import LegalEntity, User
from backoffice.ui.fields import DayField
from ledger.models import LedgerAccount
from reconciliation.models import Kind, Regime, SegregatedAccount
from reconciliation.services.by_hand import DIFFERENCES


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


class SearchLinesForm(forms.Form):
    """What lines to look for; everything is optional but the day."""

    day = DayField(label="Around the day")
    around = forms.IntegerField(min_value=0, max_value=45, label="Days before and after")
    amount = forms.DecimalField(required=False, max_digits=38, decimal_places=18, label="Amount, without sign")
    text = forms.CharField(required=False, max_length=100, label="Reference, name or text")
    ours_currency = forms.CharField(max_length=10, label="Currency of ours")
    theirs_currency = forms.CharField(max_length=10, label="Currency of theirs")


class ByHandForm(forms.Form):
    """Lines of two sides, what they differ by, and why they are the same money. `search` is the form above it."""

    ours = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        label="Ours: server and wallets",
        help_text="With our reference, not matched.",
    )
    theirs = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        label="Theirs: PSP and bank",
        help_text="Lines with something left of them.",
    )
    difference = forms.ChoiceField(choices=list(DIFFERENCES.items()), required=False, label="What they differ by is")
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=300,
        help_text="Why they are the same money, for the person who decides. Kept with the match.",
    )

    def __init__(self, *args: Any, search: SearchLinesForm, ours: Any, theirs: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.search = search
        for name, choices in (("ours", ours), ("theirs", theirs)):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)
            field.choices = choices
            if not choices:
                field.help_text = "No line fits. Look for other days, amounts or words above."


class StartRunForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    kind = forms.ChoiceField(choices=[(k.value, k.label) for k in Kind], label="Reconciliation")
    day = DayField(label="Business day")

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()


class CalculateForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    day = DayField(label="Close of")

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()


class SignForm(forms.Form):
    """The hash of what was looked at travels along: a newer calculation is not signed by accident."""

    seen = forms.CharField(widget=forms.HiddenInput)


class TopUpForm(forms.Form):
    to = forms.ModelChoiceField(SegregatedAccount.objects.none(), label="To the client bank account")
    amount = forms.CharField(max_length=40, help_text="In the currency of the account.")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), help_text="Shown to the approver and kept.")

    def __init__(self, *args: Any, accounts: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["to"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = accounts if accounts is not None else SegregatedAccount.objects.none()

    def clean_amount(self) -> Decimal:
        try:
            return money.parse(self.cleaned_data["amount"])
        except money.BadAmount as error:
            raise forms.ValidationError(f"{error} Write it like 1234.50.") from error


class SegregatedForm(forms.Form):
    account = forms.ModelChoiceField(LedgerAccount.objects.none(), label="Bank account in the books")
    bank = forms.CharField(max_length=80, help_text="As it stands on the report.")
    since = DayField(label="Holds client money from")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), help_text="Shown to the approver and kept.")

    def __init__(self, *args: Any, accounts: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["account"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = accounts if accounts is not None else LedgerAccount.objects.none()


class ClientMoneyRuleForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    regime = forms.ChoiceField(choices=Regime.choices)
    valid_from = DayField(label="From")
    rate_source = forms.CharField(max_length=40, required=False, help_text="Empty: the newest rate of any source.")
    rate_days = forms.IntegerField(min_value=0, max_value=31, initial=7, label="A rate may be this many days old")
    in_flight = forms.BooleanField(required=False, initial=True, label="Withdrawals on their way count")
    receipts = forms.BooleanField(required=False, initial=True, label="Receipts not yet allocated count")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), help_text="Shown to the approver and kept.")

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()


class RuleForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none(), help_text="Whose people decide; it holds for all.")
    parameters = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false", "class": "code"}),
        help_text="Amounts and shares are text, days are numbers.",
    )
    note = forms.CharField(max_length=200, help_text="What the change is for; kept with the rule.")

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()
