"""The desk's morning after the live day: something in every state, each brought there by the people it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from accounts.models import Wallet
from backoffice.approvals.services import requests
from backoffice.demo.chance import Dice
from backoffice.demo.money import acts, payees, psps
from backoffice.demo.people import person
from backoffice.demo.plan import Holder
from backoffice.demo.scene import Scene
from backoffice.demo.simulator import Control
from backoffice.kernel.actor import System
from backoffice.outbox import services as outbox
from integrations.models import Connection, PayoutOrder
from ledger.selectors.balances import balances
from payments.actions.inside import ADJUST, TRANSFER, Adjustment, Transfer
from payments.models import MoneyRequest
from payments.selectors import splits
from payments.services import deposits, fraud, payouts, references, splitting, withdrawals
from payments.services.references import ALPHABET
from payments.services.splitting import Portion

_AT_ONCE = 10_000
_WORTH_WHILE = Decimal(400)


@dataclass(slots=True)
class Morning:
    """What everything of the morning needs. `left` are the clients that nothing has happened to yet, by method."""

    scene: Scene
    found: Mapping[str, Connection]
    psps: Mapping[str, Control]
    dice: Dice = field(init=False)
    left: dict[str, Iterator[Holder]] = field(init=False)

    def __post_init__(self) -> None:
        self.dice = Dice(self.scene.seed, "money desk")
        here = [h for h in self.scene.plan.holders if h.client.entity == "CY"]
        # The first cards' payment was taken back by the scheme: that client is paid nothing.
        cards = [h for h in here if h.method == "CARD"][1:]
        banks = [h for h in here if h.method == "BANK"][2:]
        uk = [h for h in self.scene.plan.holders if h.client.entity == "UK"]
        crypto = [h for h in here if h.method == "CRYPTO"]
        self.left = {"CARD": iter(cards), "BANK": iter(banks), "UK": iter(uk), "CRYPTO": iter(crypto)}

    def happen(self) -> None:
        """Everything; the trade server and the PSPs answer at once."""
        letters = Dice(self.scene.seed, "references")
        with references.given_by(lambda letter: f"{letter}-{letters.text(8, ALPHABET)}"):
            self._large()
            self._reviewed()
            self._split()
            self._on_their_way()
            self._not_paid()
            self._at_psps()
            self._deposits()
            self._inside()
        payees.this_morning(self.scene, self.found)
        outbox.send_due(limit=_AT_ONCE)
        fraud.find_all(actor=System("payments.fraud"))

    def _next(self, kind: str) -> Holder:
        return next(self.left[kind])

    def _part(self, holder: Holder) -> Decimal:
        """What a client asks for: a part of what is there, in tens."""
        return holder.paid_in * self.dice.number(20, 60) // 1_000 * 10

    def _wish(self, kind: str) -> MoneyRequest:
        holder = self._next(kind)
        return acts.submitted(holder, self._part(holder))

    def _large(self) -> None:
        """Two above the high threshold: one has its first approval, one waits to be sent."""
        first, second = [h for h in self.scene.plan.holders if h.client.entity == "CY" and h.method == "BANK"][:2]
        acts.agree(acts.asked(acts.submitted(first, Decimal(25_000))))
        other = acts.asked(acts.submitted(second, Decimal(18_500)), "The sale of a house; papers on file.")
        acts.agree(other)
        acts.agree(other, "mia")

    def _reviewed(self) -> None:
        """New ones, some before an approver: one to a payee that changed two days ago, for compliance, too."""
        changed = self._next("BANK")
        acts.agree(acts.asked(acts.submitted(changed, self._part(changed), payee=payees.newest(changed))))
        for kind in ("BANK", "UK", "CARD"):
            self._wish(kind)
        for kind in ("BANK", "CARD"):
            acts.asked(self._wish(kind))
        for kind in ("UK", "CARD", "CRYPTO"):
            acts.agreed(self._wish(kind))

    def _split(self) -> None:
        """More than came by card: the deposit goes back to the card, the rest to the bank."""
        holder = self._next("CARD")
        payees.decide(payees.propose(self.dice, holder, self.found, "BANK", other=True))
        more = Decimal(150)
        acts.agree(
            requests.submit(
                actor=person("fred"), action=ADJUST, payload=_correction(acts.wallet(holder), more),
                reason="The platform stood still for an hour.", reason_code="CORRECTION",
            )
        )  # fmt: skip
        whole = acts.submitted(holder, holder.paid_in + more)
        portions = [
            Portion(share.amount, splits.payees_for(whole, share)[0].pk, share.original_id)
            for share in splits.shares(whole)
        ]
        splitting.split(actor=person("fred"), request_id=whole.pk, portions=portions)

    def _on_their_way(self) -> None:
        """To be paid by hand and by file, and entered at the bank."""
        for kind, way in (("BANK", "HAND"), ("BANK", "FILE"), ("UK", "FILE")):
            self._sent(kind, way)
        acts.entered(self._sent("UK", "HAND"), f"HB-{self.dice.digits(8)}")

    def _sent(self, kind: str, way: str) -> MoneyRequest:
        request = self._wish(kind)
        acts.agreed(request)
        return acts.sent(request, way)

    def _not_paid(self) -> None:
        """Refused by the reviewer, taken back by the client, and given up by who should pay."""
        withdrawals.reject(
            actor=person("fred"), request_id=self._wish("BANK").pk, code="PAPERS", note="The proof of address is old."
        )
        withdrawals.take_back(actor=acts.CLIENTS, request_id=self._wish("UK").pk, text="Wants to go on trading.")
        hopeless = self._sent("UK", "HAND")
        why = "The bank knows no such account."
        payouts.give_up(actor=person("pat"), request_id=hopeless.pk, code="PAYEE_MISMATCH", note=why)

    def _at_psps(self) -> None:
        """Cards: two are paid, one is refused. Crypto: one is paid, one is in doubt, because the PSP has another amount
        under our reference and cannot say why."""
        doubtful = self._sent("CRYPTO", "PSP")
        order = PayoutOrder.objects.get(reference=doubtful.reference)
        self.psps[psps.CRYPTO].send("payout", psps.order_of(order, order.amount + psps.MISTAKE))
        self._sent("CRYPTO", "PSP")
        for kind in ("CARD", "CARD"):
            self._sent(kind, "PSP")
        outbox.send_due(limit=_AT_ONCE)
        self.psps[psps.CARDS].order("fault", kind="reject", count=1, path="/payments")
        self._sent("CARD", "PSP")
        outbox.send_due(limit=_AT_ONCE)

    def _deposits(self) -> None:
        """Announced ones, one that the client has proof of, one that is not coming."""
        for kind, method in (("BANK", "BANK"), ("UK", "BANK"), ("CARD", "CARD")):
            acts.announced(self._next(kind), Decimal(self.dice.number(4, 30) * 50), method)
        proven = acts.announced(self._next("BANK"), Decimal(self.dice.number(4, 30) * 50), "BANK")
        acts.ask_to_confirm(proven, "The client has sent the bank's confirmation.")
        gone = acts.announced(self._next("UK"), Decimal(300), "BANK")
        deposits.drop(actor=person("pat"), request_id=gone.pk, text="Entered twice by the client.")

    def _inside(self) -> None:
        """From a wallet to a login, by the trade server; from a login to the bank; a correction that waits."""
        holder = self._next("CARD")
        there, here = acts.login(holder), acts.wallet(holder)
        transfer = Transfer(
            client_id=there.client_id,
            source_wallet=here.pk,
            source_account=None,
            target_wallet=None,
            target_account=there.pk,
            amount=self._part(holder),
            currency=holder.login.currency,
        )
        why = "The client asked for it in the client area."
        acts.agree(
            requests.submit(actor=person("fred"), action=TRANSFER, payload=transfer, reason=why, reason_code="CLIENT")
        )
        waiting = acts.wallet(self._next("CRYPTO"))
        requests.submit(
            actor=person("fred"),
            action=ADJUST,
            payload=_correction(waiting, Decimal(25)),
            reason="A fee was taken twice.",
            reason_code="CORRECTION",
        )
        self._from_login()

    def _from_login(self) -> None:
        """A withdrawal that the server debits before it is paid by hand, of somebody who has asked for nothing else:
        what one client asks for within a day is added up."""
        for holder in reversed([h for h in self.scene.plan.holders if h.client.entity == "CY" and h.method == "BANK"]):
            account = acts.login(holder)
            balance = -balances([account.balance_account_id])[account.balance_account_id]
            if balance >= _WORTH_WHILE and not account.client.flags.filter(ended_at=None).exists():
                request = acts.submitted(holder, _WORTH_WHILE / 4, on_login=True)
                acts.agreed(request)
                acts.sent(request, "HAND")
                return


def _correction(wallet: Wallet, amount: Decimal) -> Adjustment:
    return Adjustment(
        client_id=wallet.client_id,
        sort="CORRECTION",
        target_wallet=wallet.pk,
        target_account=None,
        amount=amount,
        currency=wallet.currency_id,
    )
