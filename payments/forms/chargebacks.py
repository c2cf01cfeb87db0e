"""What is asked for about a chargeback case: opening one, moving it, whose it is, what is booked."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from accounts.models import BookingCursor, Client, TradingAccount, Wallet
from backoffice.kernel.money import Money
from backoffice.organisation.models import Currency
from integrations import registry
from integrations.models import Connection, WebhookEndpoint
from ledger.selectors.balances import balances
from payments.forms.inside import AmountField
from payments.models import CasePosting, CaseState, ChargebackCase, MoneyRequest, RequestKind
from payments.models.chargebacks import STEPS
from payments.services.cases import BEGINNINGS

_WORDS = forms.Textarea(attrs={"rows": 2})
_SEEN = "Everybody who may see the request reads this: nothing confidential."
_ONE = ("", "Choose one")
_DEADLINE = "As the provider says it, in UTC. Leave it empty where the provider names none."


def _moment(required: bool = False) -> forms.DateTimeField:
    return forms.DateTimeField(
        label="Deadline",
        required=required,
        help_text=_DEADLINE,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


def providers(entity_id: int) -> QuerySet[Connection]:
    """Connections of an entity that payments come by: they bring PSP lines or messages, pay out, or a deposit names
    them."""
    booked = Q(pk__in=BookingCursor.objects.filter(fact_kind="psp").values("connection"))
    tells = Q(pk__in=WebhookEndpoint.objects.values("connection")) | Q(adapter__in=registry.GATEWAYS)
    used = Q(pk__in=MoneyRequest.objects.filter(entity=entity_id, kind="D").values("connection"))
    return Connection.objects.filter(booked | tells | used, entity=entity_id, is_active=True).order_by("name")


class RowField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One of a client's wallets, logins or charges, as people call it."""

    def label_from_instance(self, obj: Any) -> str:
        if isinstance(obj, CasePosting):
            return f"{Money(obj.amount, obj.currency_id)} of {obj.at:%Y-%m-%d}"
        return f"Login {obj.login}" if isinstance(obj, TradingAccount) else f"Wallet {obj.currency_id}"


class OpenCaseForm(forms.Form):
    state = forms.ChoiceField(label="What the provider says", choices=[(s.value, s.label) for s in BEGINNINGS])
    connection = forms.ModelChoiceField(Connection.objects.none(), label="Provider")
    deposit = forms.ModelChoiceField(MoneyRequest.objects.none(), required=False)
    amount = AmountField(label="Disputed amount")
    currency = forms.ModelChoiceField(Currency.objects.order_by("pk"))
    dispute_reference = forms.CharField(
        label="Dispute's reference", max_length=80, required=False, help_text="The provider's name of the dispute."
    )
    psp_reference = forms.CharField(
        label="Payment's reference", max_length=80, required=False, help_text="The provider's name of the payment."
    )
    reason_code = forms.CharField(max_length=20, required=False)
    method = forms.CharField(label="Card scheme or method", max_length=40, required=False)
    deadline_at = _moment()
    text = forms.CharField(label="Note", widget=_WORDS, required=False)

    def __init__(self, *args: Any, client: Client, connections: QuerySet[Connection], **more: Any) -> None:
        super().__init__(*args, **more)
        connection, deposit = self.fields["connection"], self.fields["deposit"]
        assert isinstance(connection, forms.ModelChoiceField) and isinstance(deposit, forms.ModelChoiceField)
        connection.queryset = connections
        deposit.queryset = MoneyRequest.objects.filter(client=client, kind=RequestKind.DEPOSIT).order_by("-pk")


class MoveCaseForm(forms.Form):
    to = forms.ChoiceField(label="It is now", choices=[])
    deadline_at = _moment()
    text = forms.CharField(label="In words", widget=_WORDS)

    def __init__(self, *args: Any, case: ChargebackCase, **more: Any) -> None:
        super().__init__(*args, **more)
        to, after = self.fields["to"], STEPS[CaseState(case.state)]
        assert isinstance(to, forms.ChoiceField)
        to.choices = [_ONE, *((s.value, s.label) for s in CaseState if s in after)]


class CaseNoteForm(forms.Form):
    deadline_at = _moment()
    text = forms.CharField(label="Note", widget=_WORDS)


class AssignCaseForm(forms.Form):
    number = forms.CharField(label="Client number", max_length=20)
    deposit = forms.CharField(label="Deposit", max_length=10, required=False, help_text="Its reference, D-…")
    text = forms.CharField(label="How you know", widget=_WORDS)

    def __init__(self, *args: Any, clients: QuerySet[Client], **more: Any) -> None:
        super().__init__(*args, **more)
        self.clients = clients

    def clean_number(self) -> Client:
        found = self.clients.filter(number=self.cleaned_data["number"].strip()).first()
        if found is None:
            raise forms.ValidationError("You work with no client of this number in the case's legal entity.")
        return found

    def clean_deposit(self) -> MoneyRequest | None:
        said, client = self.cleaned_data["deposit"].strip().upper(), self.cleaned_data.get("number")
        if not said or client is None:
            return None
        found = MoneyRequest.objects.filter(client=client, kind=RequestKind.DEPOSIT, reference=said).first()
        if found is None:
            raise forms.ValidationError("The client has no deposit of this reference.")
        return found


class ChargeForm(forms.Form):
    wallet = RowField(Wallet.objects.none())
    amount = AmountField(help_text="At most what is free in the wallet. The rest stays as the house's loss.")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, case: ChargebackCase, left: Decimal, **more: Any) -> None:
        rows = Wallet.objects.filter(client=case.client_id, currency=case.currency_id)
        wallet = rows.first()
        if wallet is not None:
            free = -balances([wallet.account_id])[wallet.account_id]
            more["initial"] = {"wallet": wallet.pk, "amount": f"{min(free, left).normalize():f}"}
        super().__init__(*args, **more)
        field = self.fields["wallet"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = rows


class FromLoginForm(forms.Form):
    account = RowField(TradingAccount.objects.none(), label="Login")
    wallet = RowField(Wallet.objects.none(), label="To")
    amount = AmountField(help_text="In the case's currency, which is that of login and wallet.")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, case: ChargebackCase, **more: Any) -> None:
        super().__init__(*args, **more)
        account, wallet = self.fields["account"], self.fields["wallet"]
        assert isinstance(account, forms.ModelChoiceField) and isinstance(wallet, forms.ModelChoiceField)
        account.queryset = TradingAccount.objects.filter(client=case.client_id, currency=case.currency_id)
        wallet.queryset = Wallet.objects.filter(client=case.client_id, currency=case.currency_id)


class ReturnForm(forms.Form):
    posting = RowField(CasePosting.objects.none(), label="Charge")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, case: ChargebackCase, **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["posting"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = case.postings.filter(kind="CHARGE", reversed_by=None)
        field.empty_label = None
