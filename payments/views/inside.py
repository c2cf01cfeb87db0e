"""Asking for money to move inside the house, from a client's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from accounts.models import Client, Wallet
from accounts.services import wallets
from accounts.views.steps import OfClient
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.ui.views import GatedPage
from ledger.selectors.balances import balances
from payments.actions import inside as actions
from payments.forms import inside as forms


class _OfMoney(OfClient):
    """An action on a client's money, with what there is."""

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        return {"client": target}

    def facts(self, target: Client) -> Sequence[tuple[str, Any]]:
        rows = target.wallets.select_related("currency")
        places: list[tuple[forms.Place, int]] = [(wallet, wallet.account_id) for wallet in rows]
        logins = target.trading_accounts.select_related("connection", "currency")
        places += [(login, login.balance_account_id) for login in logins]
        found = balances([account for _, account in places])
        return [(forms.label(place), Money(-found[account], place.currency_id)) for place, account in places]


class TransferMoney(_OfMoney, GatedPage):
    title = "Transfer"
    permission = "payments.ask_transfer"
    form = forms.TransferForm
    action = actions.TRANSFER

    def consequences(self, target: Client) -> Sequence[str]:
        return (
            "The money is set aside now and moves when another person has agreed.",
            "Where a login is involved, its trade server is told first; what it refuses is given back.",
        )

    def payload(self, form: Any, target: Client) -> actions.Transfer:
        data = form.cleaned_data
        sides = asdict(forms.sides(data["source"], data["target"]))
        return actions.Transfer(
            client_id=target.pk, amount=data["amount"], currency=data["source"].currency_id, **sides
        )


class AdjustMoney(_OfMoney, GatedPage):
    title = "Correction, credit, bonus or fee"
    permission = "payments.ask_adjustment"
    form = forms.AdjustmentForm
    action = actions.ADJUST

    def consequences(self, target: Client) -> Sequence[str]:
        return ("On a login it is booked by its trade server; on a wallet here. Both when another person has agreed.",)

    def payload(self, form: Any, target: Client) -> actions.Adjustment:
        data = form.cleaned_data
        sides = forms.sides(None, data["target"])
        return actions.Adjustment(
            client_id=target.pk,
            sort=data["sort"],
            target_wallet=sides.target_wallet,
            target_account=sides.target_account,
            amount=data["amount"],
            currency=data["target"].currency_id,
        )


class ConvertMoney(_OfMoney, GatedPage):
    title = "Conversion"
    permission = "payments.ask_transfer"
    form = forms.ConversionForm
    action = actions.CONVERT

    def consequences(self, target: Client) -> Sequence[str]:
        return ("The rate of now is kept; the money is set aside until another person has agreed.",)

    def payload(self, form: Any, target: Client) -> actions.Conversion:
        data = form.cleaned_data
        return actions.Conversion(
            client_id=target.pk,
            source_wallet=data["source"].pk,
            target_wallet=data["target"].pk,
            amount=data["amount"],
            currency=data["source"].currency_id,
            amount_to=data["amount_to"],
            currency_to=data["target"].currency_id,
            rate=data["rate"],
            rate_source=data["rate_source"],
        )


class OpenWallet(OfClient):
    title = "Open a wallet"
    permission = "payments.open_wallet"
    form = forms.OpenWalletForm
    submit_label = "Open"

    def run(self, *, actor: Person, form: Any, target: Client) -> Wallet:
        return wallets.open_wallet(actor=actor, client_id=target.pk, currency=form.cleaned_data["currency"].pk)

    def message(self, result: Wallet) -> str:
        return f"The wallet in {result.currency_id} is open."
