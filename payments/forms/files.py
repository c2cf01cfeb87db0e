"""What is asked for around payment files: the account and day of a batch, a reason, a bank's report, own accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from backoffice.kernel import clock
from backoffice.ui.fields import DayField
from payments.models.files import Charges, FileScheme, OwnBank

_WORDS = forms.Textarea(attrs={"rows": 2})
_SEEN = "Everybody who may see the request reads this: nothing confidential."


class BatchForm(forms.Form):
    bank = forms.ModelChoiceField(OwnBank.objects.none(), label="Pay from")
    scheme = forms.ChoiceField(choices=FileScheme.choices, help_text="SEPA for euro to accounts with an IBAN in SEPA.")
    execution_date = DayField(label="Day of execution")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, banks: QuerySet[OwnBank], **more: Any) -> None:
        more["initial"] = {"execution_date": clock.today(), **(more.get("initial") or {})}
        super().__init__(*args, **more)
        field = self.fields["bank"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = banks
        first = banks.first()
        if first is None:
            field.help_text = "None in this currency yet: an administrator proposes one, compliance approves it."
        else:
            field.initial = first.pk if len(banks) == 1 else None
        if first is not None and first.currency_id != "EUR":
            self.fields["scheme"].initial = FileScheme.SWIFT


class HandOutForm(forms.Form):
    reason = forms.CharField(label="Why once more", widget=_WORDS, required=False, max_length=300)

    def __init__(self, *args: Any, again: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        if not again:
            del self.fields["reason"]


class DiscardForm(forms.Form):
    reason = forms.CharField(label="Why it is not sent", widget=_WORDS, max_length=300)


class ReportForm(forms.Form):
    file = forms.FileField(allow_empty_file=True, label="Status report", help_text="pain.002 as the bank sent it.")


class OwnBankForm(forms.Form):
    holder = forms.CharField(max_length=70)
    iban = forms.CharField(max_length=42, required=False, label="IBAN")
    number = forms.CharField(max_length=34, required=False, label="Account number", help_text="Where there is no IBAN.")
    bic = forms.CharField(max_length=11, required=False, label="BIC")
    clearing_system = forms.CharField(max_length=5, required=False, help_text="GBDSC, USABA, CHBCC.")
    clearing_member = forms.CharField(max_length=35, required=False, help_text="Sort code, ABA number.")
    street = forms.CharField(max_length=70, required=False)
    town = forms.CharField(max_length=35)
    country = forms.CharField(max_length=2, help_text="Two letters.")
    charges = forms.ChoiceField(choices=Charges.choices, help_text="For what is not SEPA.")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)
