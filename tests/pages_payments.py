"""Rows for the pages of the payments desk, through the services that make them."""

from __future__ import annotations

from decimal import Decimal

from accounts.models import Client, Wallet
from accounts.services import clients, wallets
from backoffice.approvals.services import requests
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.money import Money
from backoffice.organisation.models import LegalEntity
from integrations.models import BankLine
from ledger.models import Kind
from ledger.services import chart
from payments.actions import files as file_actions
from payments.actions import outside
from payments.models import MoneyRequest, OwnBank, Payee, PaymentFile, Payout
from payments.selectors import files as file_rows
from payments.services import confirming, deposits, payees, sending, withdrawals
from tests.builders import ROBOT, person, user
from tests.pages import Made, builds
from tests.pages_accounts import broker
from tests.payments_desk import decided, put, verified_by
from tests.worlds import bank_line


def client_of(here: LegalEntity) -> Client:
    found = Client.objects.filter(entity=here, number="M-1").first()
    if found is None:
        found = clients.open_client(actor=ROBOT, entity_id=here.pk, number="M-1", name="Grace Hopper", country="US")
    return found


def wallet_of(client: Client) -> Wallet:
    wallet = wallets.open_wallet(actor=ROBOT, client_id=client.pk, currency="USD")
    put(wallet, "100000.00", f"pages:{client.pk}:{MoneyRequest.objects.count()}")
    return wallet


def payee_of(client: Client) -> Payee:
    known = Payee.objects.filter(client=client, state="VERIFIED").first()
    return known or verified_by(_staff(client, "sue"), _staff(client, "carl"), client, days=30)


def _staff(client: Client, name: str) -> Person:
    """People of the desk in the client's entity, with what their part needs."""
    rights = {
        "sue": ("payments.propose_payee",),
        "carl": ("payments.approve_payee",),
        "fred": ("payments.ask_withdrawal", "payments.submit_withdrawal"),
        "fiona": ("payments.approve_withdrawal",),
        "pat": ("payments.send_payout",),
    }
    return person(user(name, *rights[name], entities=(client.entity,)))


def requests_of(here: LegalEntity, number: int) -> list[MoneyRequest]:
    """`number` more withdrawals that wait to be reviewed."""
    client = client_of(here)
    wallet, payee = wallet_of(client), payee_of(client)
    return [
        withdrawals.submit(
            actor=ROBOT, client_id=client.pk, amount=Money(Decimal(10), "USD"), payee_id=payee.pk, wallet_id=wallet.pk
        )
        for _ in range(number)
    ]


WORDS = ("M-1",)


@builds(
    "withdrawals",
    "new-withdrawals",
    "money-request",
    "ask-withdrawal",
    "reject-withdrawal",
    "take-back-withdrawal",
    "split-withdrawal",
)
def many_withdrawals(here: LegalEntity, number: int) -> Made:
    rows = requests_of(here, number)
    return Made(kwargs={"pk": rows[0].pk}, words=WORDS)


@builds("to-pay", "send-withdrawal", "enter-payment", "give-up-payment")
def many_approved(here: LegalEntity, number: int) -> Made:
    client = client_of(here)
    rows = requests_of(here, number)
    for row in rows:
        decided(row, _staff(client, "fred"), _staff(client, "fiona"))
    return Made(kwargs={"pk": rows[0].pk}, words=WORDS)


@builds("in-doubt")
def many_in_doubt(here: LegalEntity, number: int) -> Made:
    """Deposits whose line came and was of another amount."""
    w = broker(here)
    rows = deposits_of(here, number)
    known = BankLine.objects.count()
    w.put(w.bank, *(bank_line(f"Q{known + n}", "9.00", remittance=row.reference) for n, row in enumerate(rows)))
    w.book()
    confirming.confirm_all()
    return Made(words=WORDS)


def deposits_of(here: LegalEntity, number: int) -> list[MoneyRequest]:
    client = client_of(here)
    return [
        deposits.announce(actor=ROBOT, client_id=client.pk, amount=Money(Decimal(20), "USD"), method="BANK")
        for _ in range(number)
    ]


@builds("deposits", "ask-deposit", "drop-deposit")
def many_deposits(here: LegalEntity, number: int) -> Made:
    return Made(kwargs={"pk": deposits_of(here, number)[0].pk}, words=WORDS)


@builds("submit-withdrawal", "announce-deposit", "propose-payee")
def one_client_with_many_requests(here: LegalEntity, number: int) -> Made:
    requests_of(here, number)
    return Made(kwargs={"pk": client_of(here).pk}, words=("Grace Hopper",))


@builds("receipts", "allocate-receipt")
def many_receipts(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), BankLine.objects.count()
    w.put(w.bank, *(bank_line(f"Z{n}", "20.00", remittance=f"from {n}") for n in range(known, known + number)))
    w.book()
    row = BankLine.objects.get(line_key=f"Z{known}")
    return Made(kwargs={"pk": row.pk}, words=(f"from {known}",))


@builds("payees", "payee", "ask-payee", "retire-payee")
def many_payees(here: LegalEntity, number: int) -> Made:
    client, known = client_of(here), Payee.objects.count()
    rows = [
        payees.propose(
            actor=ROBOT, client_id=client.pk, kind="BANK", currency="USD", holder="Grace Hopper",
            details={"account": f"{n:08d}", "bic": "CHASUS33", "town": "New York", "country": "US"},
        )
        for n in range(known, known + number)
    ]  # fmt: skip
    return Made(kwargs={"pk": rows[0].pk}, words=("CHASUS33",))


@builds("payment-rules")
def versions_of_the_rules(here: LegalEntity, number: int) -> Made:
    maker = person(user("sam", "payments.ask_paymentrule", entities=(here,)))
    checker = person(user("mia", "payments.approve_paymentrule", entities=(here,)))
    for _ in range(number):
        payload = outside.ChangeRule(
            entity_id=here.pk, everywhere=False, source_order="LIFO", priority="", windows="", profit_methods="BANK",
            tolerance=Decimal(0), cool_off_days=7, typed_from=Decimal(4711), credit_on="LINE",
        )  # fmt: skip
        asked = requests.submit(actor=maker, action=outside.CHANGE_RULE, payload=payload, reason="the board")
        requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    return Made(words=("4,711",))


@builds("propose-payment-rules", "change-payment-rules")
def rules_of(here: LegalEntity, number: int) -> Made:
    return Made(kwargs={"pk": here.pk})


def ready_for_files(here: LegalEntity, number: int) -> list[Payout]:
    """Approved withdrawals that payments has sent by payment file."""
    client = client_of(here)
    rows = requests_of(here, number)
    for row in rows:
        decided(row, _staff(client, "fred"), _staff(client, "fiona"))
        sending.send(actor=_staff(client, "pat"), request_id=row.pk, way="FILE")
    return list(Payout.objects.filter(request__in=rows).order_by("pk"))


def house_bank(here: LegalEntity) -> OwnBank:
    """An account of the house to pay US dollars from."""
    return file_rows.own_banks().filter(entity=here).first() or another_bank(here)


def another_bank(here: LegalEntity) -> OwnBank:
    known = OwnBank.objects.count()
    account = chart.open_account(
        actor=ROBOT, entity_id=here.pk, code=f"bank.CY17{known or ''}", currency="USD", name="Bank account",
        kind=Kind.ASSET, striped=True,
    )  # fmt: skip
    maker = person(user("sam", "payments.ask_ownbank", entities=(here,)))
    checker = person(user("mia", "payments.approve_ownbank", entities=(here,)))
    payload = file_actions.ChangeBank(
        account_id=account.pk, holder="Example Ltd", iban="CY17002001280000001200527600", number="", bic="BCYPCY2N",
        clearing_system="", clearing_member="", street="", town="Limassol", country="CY", charges="SHAR",
    )  # fmt: skip
    asked = requests.submit(actor=maker, action=file_actions.CHANGE_BANK, payload=payload, reason="we bank there")
    requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    return OwnBank.objects.latest("pk")


@builds("file-payouts")
def many_ready_for_files(here: LegalEntity, number: int) -> Made:
    house_bank(here)
    rows = ready_for_files(here, number)
    return Made(ids=tuple(row.pk for row in rows), words=("M-1",))


@builds("make-batch")
def a_batch(here: LegalEntity, number: int) -> Made:
    return Made(ids=many_ready_for_files(here, number).ids)


@builds("payment-files", "payment-file", "hand-out-file", "discard-file")
def many_files(here: LegalEntity, number: int) -> Made:
    bank, maker = house_bank(here), person(user("paula", "payments.ask_paymentfile", entities=(here,)))
    checker = person(user("finn", "payments.approve_paymentfile", entities=(here,)))
    for payout in ready_for_files(here, number):
        payload = file_actions.batch(bank, "SWIFT", clock.today(), [payout])
        asked = requests.submit(actor=maker, action=file_actions.MAKE_FILE, payload=payload, reason="today")
        requests.approve(actor=checker, request_id=asked.pk, seen_hash=asked.payload_hash)
    file = PaymentFile.objects.latest("pk")
    return Made(kwargs={"pk": file.pk}, words=(file.message_id,))


@builds("import-status-report")
def nothing_to_choose(here: LegalEntity, number: int) -> Made:
    return Made()


@builds("own-banks", "choose-own-bank", "change-own-bank")
def accounts_to_pay_from(here: LegalEntity, number: int) -> Made:
    banks = [another_bank(here) for _ in range(number)]
    return Made(kwargs={"pk": banks[-1].account_id}, words=("bank.CY17",))
