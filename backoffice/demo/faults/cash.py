"""Faults in money on its way: between ledger, trade server, PSP and banks.

What a run of the live day must be the first to see is dated so that its other side, or the end of its window,
falls on the live day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from backoffice.demo.chance import Dice
from backoffice.demo.clients import Login
from backoffice.demo.days import utc
from backoffice.demo.faults.base import Fault, amount_of
from backoffice.demo.names import iban, person
from backoffice.demo.plan import BankRow, HandJournal
from backoffice.demo.scene import Scene
from backoffice.kernel.money import quantise

# Business days a deposit has to arrive (the rule of the cash reconciliation).
WINDOW = 3
_SERVERS = {"CY": "mt5-live", "UK": "mt4-uk"}


def missing_internal(scene: Scene, dice: Dice) -> None:
    """Money came with a reference of ours, and nobody was credited."""
    login = some_login(scene, dice)
    reference = scene.reference("D")
    if login.entity == "CY" and dice.chance(50):
        scene.settled(reference, login.currency, deposit_of(dice, login), scene.days.live, login.exponent)
    else:
        scene.wire(login, deposit_of(dice, login), scene.days.live, reference)
    scene.plant("MISSING_INTERNAL", login.entity, f"ref:{reference}", "money came and nobody was credited")


def missing_external(scene: Scene, dice: Dice) -> None:
    """A client was credited and the money never comes; today its time is up."""
    login = some_login(scene, dice)
    reference = scene.reference("D")
    amount = deposit_of(dice, login)
    way = "card" if login.entity == "CY" and dice.chance(60) else "wire"
    credited_before(scene, dice, login, amount, f"{reference} {way}", back=WINDOW)
    why = "credited three business days ago, never delivered"
    scene.plant("MISSING_EXTERNAL", login.entity, f"ref:{reference}", why, amount=-amount)


def missing_server_op(scene: Scene, dice: Dice) -> None:
    """Finance credits a client by hand, with approval, and the trade server never hears of it."""
    login = some_login(scene, dice)
    reference = scene.reference("D")
    amount = Decimal(dice.number(2, 18) * 50) * (150 if login.currency == "JPY" else 1)
    scene.act(utc(scene.days.live, 15, dice.number(0, 20)), HandJournal(login, amount, reference, scene.days.live))
    scene.plant("MISSING_SERVER_OP", login.entity, f"ref:{reference}", "credited by hand, not at the server")
    if login.entity == "CY":
        scene.balance_differs(login, -amount, "a credit by hand that the server does not have")


def amount(scene: Scene, dice: Dice) -> None:
    """The PSP or the bank delivers another amount than was credited."""
    login = some_login(scene, dice)
    reference = scene.reference("D")
    credited = deposit_of(dice, login)
    short = quantise(min(amount_of(dice, login), credited / 2), login.exponent)
    credited_before(scene, dice, login, credited, reference, back=dice.number(1, 2))
    if login.entity == "CY" and dice.chance(60):
        scene.settled(reference, login.currency, credited - short, scene.days.live, login.exponent)
    else:
        scene.wire(login, credited - short, scene.days.live, reference)
    scene.plant("AMOUNT", login.entity, f"ref:{reference}", "less arrived than was credited", amount=-short)


def currency(scene: Scene, dice: Dice) -> None:
    """The PSP settles the figure in another currency than the account's, far from any rate of the day."""
    login = scene.take_login(dice, "mt5-live", currency=dice.one(("USD", "GBP")))
    reference = scene.reference("D")
    credited = deposit_of(dice, login)
    credited_before(scene, dice, login, credited, f"{reference} card", back=1)
    scene.settled(reference, "EUR", quantise(credited, 2), scene.days.live, 2)
    scene.plant("CURRENCY", "CY", f"ref:{reference}", "settled in euro, credited in the account's currency")


def timing(scene: Scene, dice: Dice) -> None:
    """The PSP settles on the live day; the server credits late that evening, which is its next day already."""
    login = scene.take_login(dice, "mt5-live")
    reference = scene.reference("D")
    paid = deposit_of(dice, login)
    scene.settled(reference, login.currency, paid, scene.days.live, login.exponent)
    scene.operation(login, paid, utc(scene.days.live, 22, dice.number(15, 50)), f"{reference} card")
    scene.plant("TIMING", "CY", f"ref:{reference}", "credited on the server's next day", amount=paid)


def exchanged(scene: Scene, dice: Dice) -> None:
    """The PSP settles in euro what it converted near the rate of the day."""
    login = scene.take_login(dice, "mt5-live", currency=dice.one(("USD", "GBP")))
    reference = scene.reference("D")
    credited = deposit_of(dice, login)
    credited_before(scene, dice, login, credited, f"{reference} card", back=1)
    at = utc(scene.days.back(1), 12)
    euros = quantise(scene.market.convert(credited, login.currency, "EUR", at) * Decimal("0.985"), 2)
    scene.settled(reference, "EUR", euros, scene.days.live, 2)
    scene.plant("FX_DIFF", "CY", f"ref:{reference}", "settled in euro, near the rate of the day")


def fee_taken(scene: Scene, dice: Dice) -> None:
    """A client was credited what the PSP will pay out, not what was paid."""
    login = scene.take_login(dice, "mt5-live")
    reference = scene.reference("D")
    paid = deposit_of(dice, login)
    row = scene.settled(reference, login.currency, paid, scene.days.live, login.exponent)
    credited_before(scene, dice, login, paid - row.fee, f"{reference} card", back=1)
    scene.plant("FEE_TAKEN", "CY", f"ref:{reference}", "credited without the fee", amount=row.fee)


def reserve(scene: Scene, dice: Dice) -> None:
    """The PSP holds and releases money in a currency that the entity does not work in, so that neither is booked."""
    held = dice.cents(10_000, 90_000)
    for amount_ in (-held, held):
        row = scene.psp("ReserveAdjustment", "", "CHF", amount_, scene.days.live)
        scene.plant("RESERVE", "CY", row, "held in a currency without accounts", amount=amount_)


def duplicate_credit(scene: Scene, dice: Dice) -> None:
    """The same deposit is booked twice at the server: the answer to the first was lost, and somebody repeated it."""
    login = some_login(scene, dice)
    reference = scene.reference("D")
    credited = deposit_of(dice, login)
    at = utc(scene.days.live, dice.number(9, 15), dice.number(0, 59))
    for again in range(2):
        scene.operation(login, credited, at + timedelta(minutes=2 * again), reference)
    if login.entity == "UK" or dice.chance(50):
        scene.wire(login, credited, scene.days.live, reference)
    scene.plant("DUPLICATE_CREDIT", login.entity, f"ref:{reference}", "booked twice at the server")


def duplicate_psp(scene: Scene, dice: Dice) -> None:
    """The PSP settles a payment a second time, on the same day or the next."""
    login = scene.take_login(dice, "mt5-live")
    reference = scene.reference("D")
    credited = deposit_of(dice, login)
    credited_before(scene, dice, login, credited, f"{reference} card", back=2)
    for day in (scene.days.back(dice.number(0, 1)), scene.days.live):
        scene.settled(reference, login.currency, credited, day, login.exponent)
    scene.plant("DUPLICATE_PSP", "CY", f"ref:{reference}", "the PSP settled it twice", amount=credited)


def unidentified(scene: Scene, dice: Dice) -> None:
    entity = dice.one(("CY", "UK"))
    row = stray(scene, dice, entity, scene.days.live)
    scene.plant("UNIDENTIFIED", entity, row, "a bank line that says nothing we know", amount=row.amount)


def stray(scene: Scene, dice: Dice, entity: str, day: date) -> BankRow:
    """A receipt whose text names nothing of ours."""
    text = dice.one(("INVOICE 2231", "thank you", "for my trading", "transfer own funds", "ЗАПЛАТА", "入金"))
    bank, own = ("bank-uk", "GBP") if entity == "UK" else ("bank-cy", dice.one(("EUR", "USD")))
    name, country = person(dice, entity)
    row = scene.bank_line(bank, day, own, dice.cents(5_000, 250_000), text, code=("PMNT", "RCDT", "XBCT"), name=name)
    row.account = iban(dice, country)
    return row


def returned(scene: Scene, dice: Dice) -> None:
    """A payment to a client comes back today."""
    login = some_login(scene, dice)
    reference = scene.reference("W")
    paid = deposit_of(dice, login)
    credited_before(scene, dice, login, -paid, f"{reference} bank", back=2)
    sent = scene.wire(login, -paid, scene.days.back(1), reference)
    code, text = ("PMNT", "ICDT", "RRTN"), "Return: account closed"
    back = replace(sent, day=scene.days.live, amount=paid, is_reversal=True, code=code, remittance=text)
    scene.plan.bank.append(back)
    scene.plant("RETURNED", login.entity, f"ref:{reference}", "a payment to a client came back", amount=paid)


def chargeback(scene: Scene, dice: Dice) -> None:
    """The card scheme takes back a payment of weeks ago, and a fee with it."""
    past = [row for row in scene.plan.psp if row.kind == "Settled" and row.day <= scene.days.back(8)]
    payment = scene.disputed or dice.one([row for row in past if row.reference not in scene.touched])
    scene.disputed = None
    scene.touched.add(payment.reference)
    fee = Decimal(dice.number(10, 25)) * (150 if payment.currency == "JPY" else 1)
    row = scene.psp("Chargeback", payment.reference, payment.currency, -payment.gross, scene.days.live, fee=fee)
    row.psp_reference = payment.psp_reference
    scene.plant("CHARGEBACK", "CY", row, "the card scheme took the money back", amount=-payment.gross)


def fee(scene: Scene, dice: Dice) -> None:
    """The PSP takes more than was agreed."""
    login = scene.take_login(dice, "mt5-live")
    reference = scene.reference("D")
    credited = deposit_of(dice, login)
    credited_before(scene, dice, login, credited, f"{reference} card", back=1)
    row = scene.settled(reference, login.currency, credited, scene.days.live, login.exponent)
    more = dice.cents(50, 900) if login.exponent else Decimal(dice.number(50, 900))
    row.fee += more
    scene.plant("FEE", "CY", row, "the PSP took more than the agreed rate", amount=more)


def unknown_currency(scene: Scene, dice: Dice) -> None:
    """Money on an account in a currency that the entity does not work in."""
    entity = dice.one(("CY", "UK"))
    bank, strange = ("bank-cy", "CHF") if entity == "CY" else ("bank-uk", "SEK")
    name, country = person(dice, entity)
    amount_ = dice.cents(10_000, 300_000)
    row = scene.bank_line(bank, scene.days.live, strange, amount_, "payment", code=("PMNT", "RCDT", "XBCT"), name=name)
    row.account = iban(dice, country)
    scene.plant("UNKNOWN_CURRENCY", entity, row, "a currency the entity has no accounts in", amount=amount_)


def bad_line(scene: Scene, dice: Dice) -> None:
    """A record type of the PSP that this version does not know."""
    kind = dice.one(("EpaPaid", "BPPaidOut"))
    row = scene.psp(kind, "", dice.one(("EUR", "USD")), -dice.cents(500, 9_000), scene.days.live)
    scene.plant("BAD_LINE", "CY", row, "a record type of the PSP that nobody knows", amount=row.gross)


def some_login(scene: Scene, dice: Dice) -> Login:
    """A login of either entity, mostly of the one with the PSP."""
    return scene.take_login(dice, dice.weighted((("mt5-live", 7), ("mt4-uk", 3))))


def deposit_of(dice: Dice, login: Login) -> Decimal:
    return Decimal(dice.number(2, 60) * 50) * (150 if login.currency == "JPY" else 1)


def credited_before(scene: Scene, dice: Dice, login: Login, amount: Decimal, comment: str, *, back: int) -> None:
    """The operation at the trade server, some business days before the live one."""
    at = utc(scene.days.back(back), dice.number(8, 16), dice.number(0, 59))
    scene.operation(login, amount, at, comment)


FAULTS: Mapping[str, Fault] = {
    "MISSING_INTERNAL": missing_internal,
    "MISSING_EXTERNAL": missing_external,
    "MISSING_SERVER_OP": missing_server_op,
    "AMOUNT": amount,
    "CURRENCY": currency,
    "TIMING": timing,
    "FX_DIFF": exchanged,
    "FEE_TAKEN": fee_taken,
    "RESERVE": reserve,
    "DUPLICATE_CREDIT": duplicate_credit,
    "DUPLICATE_PSP": duplicate_psp,
    "UNIDENTIFIED": unidentified,
    "RETURNED": returned,
    "CHARGEBACK": chargeback,
    "FEE": fee,
    "UNKNOWN_CURRENCY": unknown_currency,
    "BAD_LINE": bad_line,
}
