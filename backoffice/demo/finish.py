"""The last step of the plan: numbers that depend on the order of everything, and the keys of planted breaks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from backoffice.demo import happenings
from backoffice.demo.chance import Dice
from backoffice.demo.faults import go_wrong
from backoffice.demo.faults.payouts import FIRST_BATCH
from backoffice.demo.money import wallets
from backoffice.demo.names import account
from backoffice.demo.plan import BankRow, Mt4Row, MtDeal, Planted, PspRow
from backoffice.demo.scene import MERCHANT, Scene

# The clients' money, and the house's own.
BANKS = {
    "bank-cy": ("CY", ("EUR", "USD", "GBP", "JPY", "CHF")),
    "bank-uk": ("GB", ("GBP", "USD", "SEK")),
    "house-cy": ("CY", ("EUR",)),
    "house-uk": ("GB", ("GBP",)),
}


def planned(seed: int, live: date) -> Scene:
    """The whole demo of a seed and a live day, planned."""
    scene = Scene(seed, live)
    happenings.happen(scene)
    wallets.happen(scene)
    go_wrong(scene)
    _number_deals(scene)
    _number_bank_lines(scene)
    return scene


def accounts(seed: int) -> dict[tuple[str, str], str]:
    """Our own bank accounts: bank and currency to IBAN."""
    dice = Dice(seed, "accounts")
    return {(bank, currency): account(dice, country) for bank, (country, owned) in BANKS.items() for currency in owned}


def statement_id(day: date, currency: str) -> str:
    return f"{day:%Y%m%d}{currency}"


def key_of(planted: Planted, scene: Scene, ibans: Mapping[tuple[str, str], str]) -> str:
    """The key of a planted break, with connections' names in braces where their numbers belong."""
    match planted.subject:
        case MtDeal(ticket=ticket):
            return f"deal:{{mt5-live}}:{ticket}"
        case Mt4Row(ticket=ticket):
            return f"deal:{{mt4-uk}}:{ticket}"
        case BankRow() as row:
            where = (ibans[row.bank, row.currency], statement_id(row.day, row.currency), row.number)
            return f"bank:{{{row.bank}}}:{'|'.join(where)}||1"
        case PspRow() as row:
            batch = str(FIRST_BATCH + list(scene.days.all).index(row.day))
            parts = (MERCHANT, batch, row.kind.casefold(), row.psp_reference, row.modification, row.currency)
            return f"psp:{{adyen-eu}}:{'|'.join(parts)}||1"
        case str() as text:
            return text


def _number_deals(scene: Scene) -> None:
    """Tickets in the order in which the server gets to know the deals."""
    scene.plan.deals.sort(key=lambda d: (d.shows_at, d.at, d.login, d.order, d.action, d.comment))
    for ticket, deal in enumerate(scene.plan.deals, start=500_001 + 1000 * (scene.seed % 97)):
        deal.ticket = ticket


def _number_bank_lines(scene: Scene) -> None:
    dice = Dice(scene.seed, "bank numbers")
    scene.plan.bank = dice.shuffled(scene.plan.bank)
    scene.plan.bank.sort(key=lambda row: (row.bank, row.day))
    for number, row in enumerate(scene.plan.bank, start=10_001):
        row.number = f"{row.day:%y%m%d}{number}"
