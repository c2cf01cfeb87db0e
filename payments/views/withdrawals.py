"""The steps of a withdrawal as pages: enter, send for approval, reject, take back, send, type the bank's reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from accounts.models import Client, Wallet
from accounts.selectors.kept import reveal
from accounts.views.steps import OfClient
from backoffice.approvals.registry import Level
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.selectors import scope
from backoffice.ui.views import ActionPage, Crumb, GatedPage
from payments.actions import outside as actions
from payments.forms import outside as forms
from payments.models import MoneyRequest, Payee, PayeeKind, RequestKind, RequestState
from payments.selectors import checks, page, sources, splits
from payments.services import payouts, sending, splitting, withdrawals

_RELATED = (
    "client", "entity", "payee__connection", "source_wallet", "source_account", "target_wallet", "target_account",
    "approval", "original",
)  # fmt: skip
WITHDRAWALS = MoneyRequest.objects.filter(kind=RequestKind.WITHDRAWAL).select_related(*_RELATED)


class SubmitWithdrawal(OfClient):
    title = "Withdrawal"
    permission = "payments.submit_withdrawal"
    form = forms.WithdrawalForm
    submit_label = "Enter the withdrawal"

    def form_arguments(self, target: Client) -> Mapping[str, Any]:
        currencies = target.wallets.values_list("currency_id", flat=True).union(
            target.trading_accounts.values_list("currency_id", flat=True)
        )
        known = [source for code in currencies for source in sources.sources_of(target.pk, code)]
        return {"client": target, "sources": known}

    def facts(self, target: Client) -> Sequence[tuple[str, Any]]:
        return [(f"Wallet {state.wallet.currency_id}, free", state.available) for state in page.wallets_of(target)]

    def consequences(self, target: Client) -> Sequence[str]:
        return ("The money is set aside at once. Nothing leaves before other people have agreed and sent it.",)

    def run(self, *, actor: Person, form: Any, target: Client) -> MoneyRequest:
        data, source = form.cleaned_data, form.cleaned_data["source"]
        wallet = isinstance(source, Wallet)
        return withdrawals.submit(
            actor=actor,
            client_id=target.pk,
            amount=Money(data["amount"], source.currency_id),
            payee_id=data["payee"].pk,
            wallet_id=source.pk if wallet else None,
            account_id=None if wallet else source.pk,
            original_id=int(data["original"]) if data["original"] else None,
            text=data["text"],
        )

    def message(self, result: MoneyRequest) -> str:
        return f"{result.reference} is entered, and the money is set aside."

    def success_url(self, result: MoneyRequest) -> str:
        return reverse("money-request", args=[result.pk])


class OfRequest(ActionPage):
    """An action on one request; goes back to the request's page."""

    nav = "withdrawals"

    def heading(self) -> str:
        return f"{self.submit_label} · {self.target.reference}"

    def crumbs(self) -> Sequence[Crumb]:
        return (Crumb(self.target.reference, reverse("money-request", args=[self.target.pk])),)

    def facts(self, target: MoneyRequest) -> Sequence[tuple[str, Any]]:
        return (
            ("Client", f"{target.client.number} {target.client.name}"),
            ("Amount", Money(target.amount, target.currency_id)),
            ("State", RequestState(target.state).label),
            *((("Payee", self._payee(target.payee)),) if target.payee else ()),
        )

    def _payee(self, payee: Payee) -> str:
        """With where it is, for those who may see it."""
        words = f"{payee.pk}, {payee.get_kind_display()}"
        if not scope.may(self.user, "payments.view_payee"):
            return words
        reveal([payee])
        return f"{words} {payee.label}"

    def success_url(self, result: Any) -> str:
        return reverse("money-request", args=[self.target.pk])


class AskWithdrawal(OfRequest, GatedPage):
    queryset = WITHDRAWALS
    permission = "payments.ask_withdrawal"
    form = forms.AskForm
    action = actions.PAY
    submit_label = "Send for approval"

    def consequences(self, target: MoneyRequest) -> Sequence[str]:
        loud = [check for check in checks.of_withdrawal(target) if check.level is not Level.GREEN]
        return (
            "Nothing leaves yet: approvers decide, and then a third person sends it.",
            *(f"{check.label}: {check.detail}." for check in loud),
        )

    def payload(self, form: Any, target: MoneyRequest) -> actions.PayWithdrawal:
        return actions.pay(target)


class SplitWithdrawal(OfRequest):
    """One request for every destination in the place of one that may not all go one way."""

    queryset = WITHDRAWALS
    permission = splitting.ASK
    form = forms.SplitForm
    submit_label = "Split"

    def form_arguments(self, target: MoneyRequest) -> Mapping[str, Any]:
        self.planned = splits.shares(target)
        offers = [(share, splits.payees_for(target, share)) for share in self.planned]
        return {"offers": offers, "plan": splits.token(self.planned)}

    def consequences(self, target: MoneyRequest) -> Sequence[str]:
        return (
            f"{target.reference} ends here; in its place there is a request for each part, with checks of its own.",
            "The money stays reserved, part by part. Each part is sent for approval, approved and paid by itself.",
        )

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> list[MoneyRequest]:
        portions = [
            splitting.Portion(share.amount, payee.pk, share.original_id)
            for share, payee in zip(self.planned, form.chosen(), strict=True)
        ]
        return splitting.split(actor=actor, request_id=target.pk, portions=portions)

    def message(self, result: list[MoneyRequest]) -> str:
        return f"Split into {', '.join(row.reference for row in result)}. Send each of them for approval."


class RejectWithdrawal(OfRequest):
    """For whoever is next: who reviews, who approves, who sends. The service asks for the permission of the moment."""

    queryset = WITHDRAWALS
    permission = "payments.reject_withdrawal"
    form = forms.RejectForm
    submit_label = "Reject"
    tone = "danger"

    def consequences(self, target: MoneyRequest) -> Sequence[str]:
        return ("The money is free again, to the cent.", "The client gets a mail with the words for this reason.")

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> MoneyRequest:
        data = form.cleaned_data
        return withdrawals.reject(actor=actor, request_id=target.pk, code=data["code"], note=data["note"])


class TakeBack(OfRequest):
    queryset = WITHDRAWALS
    permission = "payments.submit_withdrawal"
    form = forms.NoteForm
    submit_label = "Take back"

    def consequences(self, target: MoneyRequest) -> Sequence[str]:
        return ("The money is free again, to the cent.",)

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> MoneyRequest:
        return withdrawals.take_back(actor=actor, request_id=target.pk, text=form.cleaned_data["note"])


class SendWithdrawal(OfRequest):
    queryset = WITHDRAWALS
    permission = "payments.send_payout"
    form = forms.SendForm
    submit_label = "Send"
    tone = "primary"
    nav = "to-pay"

    def form_arguments(self, target: MoneyRequest) -> Mapping[str, Any]:
        return {"request": target, "typing": sending.needs_typing(target)}

    def consequences(self, target: MoneyRequest) -> Sequence[str]:
        assert target.payee is not None
        server = () if target.source_account is None else ("The trade server is debited first; then it is paid.",)
        bank = (
            "By hand: enter the payment at the bank, then type the bank's reference on the request's page.",
            "By file: it waits under “Payouts for files” until a file of it is approved and handed out.",
        )
        known = target.payee.connection
        psp = (f"{known.name} is told to pay it.",) if known is not None else ()
        return (*server, *(bank if target.payee.kind == PayeeKind.BANK else psp), "It is sent once only.")

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> MoneyRequest:
        data = form.cleaned_data
        chosen = data.get("connection")
        return sending.send(
            actor=actor,
            request_id=target.pk,
            way=data["way"],
            connection_id=chosen.pk if chosen else None,
            typed=data.get("typed"),
        )

    def message(self, result: MoneyRequest) -> str:
        return f"{result.reference} is {RequestState(result.state).label}."


class EnterPayment(OfRequest):
    queryset = WITHDRAWALS
    permission = "payments.send_payout"
    form = forms.EnterPaymentForm
    submit_label = "Enter the payment"
    nav = "to-pay"

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> MoneyRequest:
        reference = form.cleaned_data["bank_reference"]
        return sending.sent_by_hand(actor=actor, request_id=target.pk, bank_reference=reference)


class GiveUpPayment(OfRequest):
    queryset = WITHDRAWALS
    permission = "payments.send_payout"
    form = forms.RejectForm
    submit_label = "Cannot be paid"
    tone = "danger"
    nav = "to-pay"

    def consequences(self, target: MoneyRequest) -> Sequence[str]:
        return ("The money is the client's again, in the wallet. Another way is another request.",)

    def run(self, *, actor: Person, form: Any, target: MoneyRequest) -> MoneyRequest:
        data = form.cleaned_data
        return payouts.give_up(actor=actor, request_id=target.pk, code=data["code"], note=data["note"])
