"""What the ledger's actions ask for."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import forms

from backoffice.kernel import clock, money
from backoffice.organisation.models import Currency, LegalEntity
from backoffice.ui.fields import DayField
from ledger.models import LedgerAccount
from ledger.services.manual import ManualLine

_LINES_HELP = "One line each: account, currency, amount. Debits are positive; each currency sums to zero."
_LINES_EXAMPLE = "expense.write_off USD 12.50\nclearing.client_money USD -12.50"


class ManualJournalForm(forms.Form):
    """A manual journal, its lines as text: that is how they come out of a mail or a sheet."""

    key = forms.CharField(widget=forms.HiddenInput)
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    business_date = DayField(label="Business day")
    description = forms.CharField(max_length=200)
    lines = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6, "class": "code", "placeholder": _LINES_EXAMPLE}),
        help_text=_LINES_HELP,
    )
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}), help_text="Shown to the approver and kept.")

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"key": uuid.uuid4().hex, "business_date": clock.today()})
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()

    def clean_key(self) -> str:
        try:
            return uuid.UUID(self.cleaned_data["key"]).hex
        except ValueError as error:
            raise forms.ValidationError("Reload the page and try again.") from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        entity, text = cleaned.get("entity"), cleaned.get("lines")
        if entity is not None and text:
            cleaned["parsed"] = self._parse(entity.pk, text)
        return cleaned

    def _parse(self, entity_id: int, text: str) -> tuple[ManualLine, ...]:
        lines: list[ManualLine] = []
        totals: dict[str, Decimal] = {}
        for number, line in enumerate((part for part in text.splitlines() if part.strip()), 1):
            words = line.split()
            if len(words) != 3:
                self.add_error("lines", f"Line {number}: write account, currency and amount, separated by spaces.")
                continue
            code, currency, amount_text = words
            account = LedgerAccount.objects.filter(entity_id=entity_id, code=code, currency_id=currency.upper()).first()
            if account is None:
                self.add_error("lines", f"Line {number}: there is no account {code} in {currency.upper()}.")
                continue
            try:
                amount = money.parse(amount_text, field="amount")
            except money.BadAmount as error:
                self.add_error("lines", f"Line {number}: {error}")
                continue
            lines.append(ManualLine(account.pk, amount))
            totals[account.currency_id] = totals.get(account.currency_id, Decimal(0)) + amount
        for currency, total in totals.items():
            if total:
                self.add_error("lines", f"{currency} is off by {total}: debits and credits have to be equal.")
        return tuple(lines)


class CloseDayForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    day = DayField(label="Close through")
    note = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()


class PeriodForm(CloseDayForm):
    """The month of a day."""

    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="What is red, and why all the same.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["note"]
        self.fields["day"].label = "A day of the month"


class ReopenForm(forms.Form):
    entity = forms.ModelChoiceField(LegalEntity.objects.none())
    through = DayField(label="Stay closed through", help_text="Days after this one take postings again.")
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, entities: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities if entities is not None else LegalEntity.objects.none()


class RateForm(forms.Form):
    """How much of the quote currency one unit of the base currency was at the close of a day."""

    entity = forms.ModelChoiceField(LegalEntity.objects.none(), help_text="Whose approvers decide. It holds for all.")
    day = DayField(help_text="The close of which day.")
    base = forms.ModelChoiceField(Currency.objects.order_by("code"), label="One unit of")
    quote = forms.ModelChoiceField(Currency.objects.order_by("code"), label="Is so many")
    rate = forms.CharField(max_length=40, help_text="With a point: 1.0850.")
    reason = forms.CharField(
        max_length=200, widget=forms.Textarea(attrs={"rows": 2}), help_text="Why no source has it; kept with the rate."
    )

    def __init__(self, *args: Any, entities: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["entity"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = entities

    def clean_rate(self) -> Decimal:
        try:
            return money.parse(self.cleaned_data["rate"], field="rate")
        except money.BadAmount as error:
            raise forms.ValidationError(str(error)) from error


class StatementForm(forms.Form):
    """From and to of a statement, in the address."""

    first = DayField(required=False, label="From")
    last = DayField(required=False, label="To")
