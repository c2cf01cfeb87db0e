"""What is asked for when money moves inside the house: from where to where, how much, and why."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django import forms

from accounts.models import Client, TradingAccount, Wallet
from backoffice.kernel import clock, money
from backoffice.organisation.models import Currency
from backoffice.organisation.selectors import currencies
from payments.services.inside import SORTS, Sides

_WORDS = forms.Textarea(attrs={"rows": 2})
_SEEN = "Everybody who may see the request reads this: nothing confidential."
_SORTS = {
    "CORRECTION": "correction of the balance",
    "CREDIT": "credit (not the client's money)",
    "BONUS": "bonus (becomes the client's money)",
    "FEE": "fee taken from the client",
}
Place = Wallet | TradingAccount


class AmountField(forms.CharField):
    """A plain decimal number; what else people write is refused and not guessed at."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=40, widget=forms.TextInput(attrs={"inputmode": "decimal"}), **more)

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return money.parse(text, field=str(self.label or "amount"))
        except money.BadAmount as error:
            raise forms.ValidationError(f"{error} Write it like 1234.50.") from error


class PlaceField(forms.ChoiceField):
    """A wallet or a login of one client; cleaned to its row."""

    places: dict[str, Place]

    def offer(self, client: Client, *, wallets_only: bool = False) -> None:
        self.places = {f"wallet:{row.pk}": row for row in client.wallets.select_related("currency")}
        if not wallets_only:
            logins = client.trading_accounts.select_related("connection", "currency")
            self.places |= {f"account:{row.pk}": row for row in logins}
        self.choices = [("", "Choose one"), *((key, label(row)) for key, row in self.places.items())]

    def clean(self, value: Any) -> Any:
        key = super().clean(value)
        return self.places[key] if key else None


def label(place: Place) -> str:
    """How a place is called in a choice."""
    if isinstance(place, Wallet):
        return f"Wallet {place.currency_id}"
    return f"Login {place.login} · {place.connection.name} · {place.currency_id}"


def sides(source: Place | None, target: Place | None) -> Sides:
    """The same two places as ids."""
    return Sides(
        source_wallet=source.pk if isinstance(source, Wallet) else None,
        source_account=source.pk if isinstance(source, TradingAccount) else None,
        target_wallet=target.pk if isinstance(target, Wallet) else None,
        target_account=target.pk if isinstance(target, TradingAccount) else None,
    )


class TransferForm(forms.Form):
    source = PlaceField(label="From")
    target = PlaceField(label="To", required=False)
    other = forms.CharField(
        label="Or to the wallet of client",
        required=False,
        max_length=20,
        help_text="The number of another client of the same legal entity.",
    )
    amount = AmountField(help_text="In the currency of both sides.")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, client: Client, **more: Any) -> None:
        super().__init__(*args, **more)
        self.client = client
        for name in ("source", "target"):
            field = self.fields[name]
            assert isinstance(field, PlaceField)
            field.offer(client)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        source, target, other = data.get("source"), data.get("target"), data.get("other")
        if bool(target) == bool(other):
            self.add_error("target", "Choose where it goes: one of the client's own places, or another client.")
        elif other and source:
            data["target"] = self._wallet_of(other, source.currency_id)
        return data

    def _wallet_of(self, number: str, currency: str) -> Wallet | None:
        found = Wallet.objects.filter(
            client__number=number, client__entity_id=self.client.entity_id, currency_id=currency
        ).first()
        if found is None:
            self.add_error("other", f"There is no client {number} with a wallet in {currency}. Open one on their page.")
        return found


class AdjustmentForm(forms.Form):
    sort = forms.ChoiceField(label="What", choices=[("", "Choose one"), *((key, _SORTS[key]) for key in SORTS)])
    target = PlaceField(label="On")
    amount = AmountField(help_text="Plus is to the client, minus from the client; a fee is what is taken, as plus.")
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, client: Client, **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["target"]
        assert isinstance(field, PlaceField)
        field.offer(client)


class ConversionForm(forms.Form):
    source = PlaceField(label="From")
    target = PlaceField(label="To")
    amount = AmountField(label="Amount sold", help_text="In the currency of the wallet it comes from.")
    rate = AmountField(
        label="Rate",
        required=False,
        help_text="What one unit sold buys. Empty: the reference rate of the day. More than 5 % off it is refused.",
    )
    reason = forms.CharField(label="In words", widget=_WORDS, help_text=_SEEN)

    def __init__(self, *args: Any, client: Client, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in ("source", "target"):
            field = self.fields[name]
            assert isinstance(field, PlaceField)
            field.offer(client, wallets_only=True)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        source, target, amount = data.get("source"), data.get("target"), data.get("amount")
        if source is None or target is None or amount is None:
            return data
        if source == target:
            self.add_error("target", "Choose another wallet than the one it comes from.")
            return data
        reference = currencies.rate(source.currency_id, target.currency_id, clock.today())
        rate = data.get("rate") or reference
        if abs(rate - reference) > reference * Decimal("0.05"):
            self.add_error("rate", f"The reference rate is {reference.normalize():f}: this is more than 5 % off.")
        step = Decimal(1).scaleb(-currencies.exponent(target.currency_id))
        data["rate"] = rate
        data["rate_source"] = "reference rate" if rate == reference else "agreed"
        data["amount_to"] = (amount * rate).quantize(step, ROUND_HALF_EVEN)
        return data


class OpenWalletForm(forms.Form):
    currency = forms.ModelChoiceField(Currency.objects.order_by("code"))
