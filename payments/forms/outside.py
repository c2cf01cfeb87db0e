"""What is asked for when money comes or goes: source, payee, amount, the way it is paid; payees; the desk's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet

from accounts.models import Client
from accounts.selectors.kept import reveal
from backoffice.kernel import money
from backoffice.organisation.models import Currency
from integrations import registry
from integrations.models import Connection
from payments.forms.inside import AmountField, PlaceField
from payments.models import CreditOn, MoneyRequest, Payee, PayeeKind, PayeeState, PayoutWay, SourceOrder
from payments.models.reasons import LABELS
from payments.selectors.rules import rule_for
from payments.selectors.sources import Source
from payments.selectors.splits import Share
from payments.services import rules
from payments.services.destinations import NETWORKS

_WORDS = forms.Textarea(attrs={"rows": 2})
_INSIDE = "Stays in the house; the client does not read it."
_SEEN = "Everybody who may see the request reads this: nothing confidential."
_ONE = ("", "Choose one")


class PayeeField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """One of a client's payees, called by its label; cleaned to its row."""

    said: Mapping[int, str] = {}

    def offer(self, rows: QuerySet[Payee]) -> None:
        found = list(rows.order_by("-pk"))
        reveal(found)
        self.said = {row.pk: f"{row.get_kind_display()} {row.label} · {row.currency_id}" for row in found}
        self.queryset = rows

    def label_from_instance(self, obj: Any) -> str:
        return self.said.get(obj.pk, str(obj))


class WithdrawalForm(forms.Form):
    source = PlaceField(label="From")
    payee = PayeeField(Payee.objects.none())
    amount = AmountField(help_text="In the currency of the source, which is the payee's, too.")
    original = forms.ChoiceField(
        label="Gives back", required=False, help_text="A card is paid by giving back what came by it."
    )
    text = forms.CharField(label="Note", widget=_WORDS, required=False, help_text=_INSIDE)

    def __init__(self, *args: Any, client: Client, sources: list[Source], **more: Any) -> None:
        super().__init__(*args, **more)
        place, payee, original = self.fields["source"], self.fields["payee"], self.fields["original"]
        assert isinstance(place, PlaceField) and isinstance(payee, PayeeField)
        assert isinstance(original, forms.ChoiceField)
        place.offer(client)
        payee.offer(client.payees.filter(state=PayeeState.VERIFIED))
        original.choices = [
            ("", "No deposit in particular"),
            *(
                (str(s.request_id), f"{s.reference} of {s.at:%Y-%m-%d}, {s.left.normalize():f} left")
                for s in sources
                if s.left > 0
            ),
        ]


class SplitForm(forms.Form):
    """A payee for each part of a withdrawal. `plan` comes back as it was shown: another plan is another page."""

    plan = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, offers: Sequence[tuple[Share, QuerySet[Payee]]], plan: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["plan"].initial = self.now = plan
        for number, (share, payees) in enumerate(offers, start=1):
            field = PayeeField(Payee.objects.none(), label=f"{number}. {share.words}")
            field.offer(payees)
            if len(field.said) == 1:
                field.initial = next(iter(field.said))
            elif not field.said:
                kinds = " or ".join(PayeeKind(method).label for method in share.methods)
                field.help_text = f"No verified payee fits ({kinds}). Have one verified first: see the client's page."
            self.fields[f"payee_{number}"] = field

    def clean_plan(self) -> str:
        if self.cleaned_data["plan"] != self.now:
            raise forms.ValidationError("The way back is another one by now. Open this page again and look at it.")
        return self.now

    def chosen(self) -> list[Payee]:
        """The payees in the order of the parts."""
        return [self.cleaned_data[name] for name in self.fields if name.startswith("payee_")]


class AskForm(forms.Form):
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)


class RejectForm(forms.Form):
    code = forms.ChoiceField(
        label="Reason", choices=[_ONE, *LABELS.items()], help_text="The client is told in words made for this reason."
    )
    note = forms.CharField(widget=_WORDS, help_text=_INSIDE)


class NoteForm(forms.Form):
    note = forms.CharField(widget=_WORDS, required=False, help_text=_INSIDE)


class SendForm(forms.Form):
    way = forms.ChoiceField(label="Way", choices=[])
    connection = forms.ModelChoiceField(Connection.objects.none(), label="PSP", required=False)
    typed = forms.CharField(label="Amount once more", required=False, max_length=40)

    def __init__(self, *args: Any, request: MoneyRequest, typing: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        assert request.payee is not None
        way, connection = self.fields["way"], self.fields["connection"]
        assert isinstance(way, forms.ChoiceField) and isinstance(connection, forms.ModelChoiceField)
        bank = request.payee.kind == PayeeKind.BANK
        ways = [PayoutWay.HAND, PayoutWay.FILE, PayoutWay.PSP] if bank else [PayoutWay.PSP]
        way.choices = [(choice.value, choice.label) for choice in ways]
        gateways = Connection.objects.filter(entity=request.entity_id, is_active=True, adapter__in=registry.GATEWAYS)
        connection.queryset = gateways
        if request.payee.connection_id is not None:
            del self.fields["connection"]
        if not typing:
            del self.fields["typed"]
        else:
            self.fields["typed"].required = True
            self.fields["typed"].help_text = "A large sum: type it as it stands above, without the currency."

    def clean_typed(self) -> Decimal:
        try:
            return money.parse(self.cleaned_data["typed"].replace(",", ""))
        except money.BadAmount as error:
            raise forms.ValidationError("Write it like 12000.00.") from error


class EnterPaymentForm(forms.Form):
    bank_reference = forms.CharField(
        label="Bank's reference", max_length=80, help_text="As the bank shows the payment."
    )


class DepositForm(forms.Form):
    target = PlaceField(label="To", required=False, help_text="Empty: the wallet of the currency.")
    currency = forms.ModelChoiceField(Currency.objects.all())
    amount = AmountField()
    method = forms.ChoiceField(choices=[_ONE, *PayeeKind.choices])
    connection = forms.ModelChoiceField(Connection.objects.none(), label="Came by", required=False)
    psp_reference = forms.CharField(label="Their reference", required=False, max_length=80)
    text = forms.CharField(label="Note", widget=_WORDS, required=False, help_text=_INSIDE)

    def __init__(self, *args: Any, client: Client, **more: Any) -> None:
        super().__init__(*args, **more)
        place, connection = self.fields["target"], self.fields["connection"]
        assert isinstance(place, PlaceField) and isinstance(connection, forms.ModelChoiceField)
        place.offer(client)
        connection.queryset = Connection.objects.filter(entity=client.entity_id).order_by("name")


class AllocateForm(forms.Form):
    number = forms.CharField(label="Client", max_length=20, help_text="The number of the client whose money it is.")
    text = forms.CharField(label="Why", widget=_WORDS, help_text=_INSIDE)

    def __init__(self, *args: Any, entity_id: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self.entity_id = entity_id

    def clean_number(self) -> Client:
        found = Client.objects.filter(entity=self.entity_id, number=self.cleaned_data["number"].strip()).first()
        if found is None:
            raise forms.ValidationError("There is no client with this number in the legal entity of the receipt.")
        return found


class PayeeForm(forms.Form):
    kind = forms.ChoiceField(choices=[_ONE, *PayeeKind.choices])
    currency = forms.ModelChoiceField(Currency.objects.all())
    holder = forms.CharField(max_length=150, help_text="As the client gave it.")
    replaces = PayeeField(Payee.objects.none(), required=False, help_text="The old one is retired then.")
    iban = forms.CharField(label="IBAN", max_length=42, required=False)
    account = forms.CharField(
        label="Account number", max_length=34, required=False, help_text="Where there is no IBAN."
    )
    bic = forms.CharField(label="BIC", max_length=11, required=False)
    bank = forms.CharField(max_length=60, required=False)
    town = forms.CharField(max_length=60, required=False, help_text="The holder's, for a bank account.")
    country = forms.CharField(max_length=2, required=False, help_text="Two letters: DE, GB.")
    connection = forms.ModelChoiceField(
        Connection.objects.none(), label="PSP", required=False, help_text="At which a card or e-wallet is known."
    )
    token = forms.CharField(label="Card token", max_length=120, required=False, help_text="Never the card number.")
    last4 = forms.CharField(label="Last four digits", max_length=4, required=False)
    brand = forms.CharField(max_length=20, required=False)
    address = forms.CharField(max_length=120, required=False, help_text="Of the e-wallet or on the chain.")
    network = forms.ChoiceField(choices=[("", "None"), *NETWORKS.items()], required=False)
    tag = forms.CharField(label="Memo or tag", max_length=60, required=False)
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, client: Client, **more: Any) -> None:
        super().__init__(*args, **more)
        replaces, connection = self.fields["replaces"], self.fields["connection"]
        assert isinstance(replaces, PayeeField) and isinstance(connection, forms.ModelChoiceField)
        replaces.offer(client.payees.exclude(state=PayeeState.RETIRED).filter(replaced_by=None))
        connection.queryset = Connection.objects.filter(entity=client.entity_id, adapter__in=registry.GATEWAYS)

    def details(self) -> dict[str, str]:
        """The values that say where the money goes."""
        names = ("iban", "account", "bic", "bank", "town", "country", "token", "last4", "brand", "address", "network")
        return {name: self.cleaned_data[name] for name in (*names, "tag")}


class RuleForm(forms.Form):
    everywhere = forms.BooleanField(required=False, label="For all entities without rules of their own")
    source_order = forms.ChoiceField(label="Return to source", choices=SourceOrder.choices)
    priority = forms.CharField(required=False, help_text="For “by method”: CARD, EWALLET, BANK, CRYPTO.")
    windows = forms.CharField(label="Refund windows", required=False, help_text="Days by method: CARD 120.")
    profit_methods = forms.CharField(label="Profit goes by", help_text="Methods: BANK, CRYPTO.")
    tolerance = AmountField(help_text="A source may be short by this, for fees.")
    cool_off_days = forms.IntegerField(label="A payee is young for", min_value=0, max_value=365, help_text="Days.")
    typed_from = AmountField(label="Typed amount from", help_text="In the entity's reporting currency.")
    credit_on = forms.ChoiceField(label="Credit a deposit on", choices=CreditOn.choices)
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, entity_id: int, **more: Any) -> None:
        more["initial"] = {**rules.words(rule_for(entity_id)), **(more.get("initial") or {})}
        super().__init__(*args, **more)
