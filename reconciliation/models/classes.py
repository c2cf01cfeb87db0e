"""The classes of breaks: what each means, who usually owns it, and which reconciliation finds it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models


class Kind(models.TextChoices):
    """What is compared with what."""

    TRADES = "trades", "trades: books, server, liquidity provider"
    BALANCES = "balances", "balances: server against ledger"
    CASH = "cash", "cash: ledger, server, PSP, payout, bank"
    ACCOUNTS = "accounts", "accounts: rights, group and leverage wanted against the server"


@dataclass(frozen=True, slots=True)
class BreakClass:
    """One class of difference. `owner` is the role whose work it is."""

    code: str
    kind: Kind
    title: str
    meaning: str
    owner: str


_ALL = (
    BreakClass("MISSING_IN_BOOKS", Kind.TRADES, "missing in books", "The server has the deal, our books do not.", "DLR"),
    BreakClass("MISSING_AT_SERVER", Kind.TRADES, "missing at server", "Our books have the deal, the server does not.", "DLR"),
    BreakClass("MISSING_AT_LP", Kind.TRADES, "missing at LP", "A deal sent to the liquidity provider has no fill.", "DLR"),
    BreakClass("FILL_WITHOUT_DEAL", Kind.TRADES, "fill without deal", "The liquidity provider filled an order that no deal belongs to.", "DLR"),
    BreakClass("SIDE", Kind.TRADES, "side", "Client and liquidity provider are on opposite sides.", "DLR"),
    BreakClass("SYMBOL", Kind.TRADES, "symbol", "The two symbols stand for different instruments.", "DLR"),
    BreakClass("VOLUME", Kind.TRADES, "volume", "Quantities differ after conversion to units.", "DLR"),
    BreakClass("PRICE", Kind.TRADES, "price", "Prices differ by more than the mark-up allowed.", "DLR"),
    BreakClass("DUPLICATE", Kind.TRADES, "duplicate", "The same order appears more than once on one side.", "DLR"),
    BreakClass("LATE", Kind.TRADES, "late", "The fill is later than the deal by more than allowed.", "DLR"),
    BreakClass("EDITED", Kind.TRADES, "edited after the fact", "The server's deal was changed or deleted after we read it.", "DLR"),
    BreakClass("UNKNOWN_LOGIN", Kind.TRADES, "unknown login", "A deal of a login that is nobody's account.", "SUP"),
    BreakClass("UNKNOWN_SYMBOL", Kind.TRADES, "unknown symbol", "A deal in a symbol that stands for no instrument.", "DLR"),
    BreakClass("BAD_DEAL", Kind.TRADES, "cannot be booked", "A deal of an unknown type or with an impossible amount.", "FMK"),
    BreakClass("BALANCE", Kind.BALANCES, "balance", "The server's balance is not the ledger's.", "FMK"),
    BreakClass("CREDIT", Kind.BALANCES, "credit", "The server's credit is not the ledger's.", "FMK"),
    BreakClass("ACCOUNT_UNKNOWN", Kind.BALANCES, "account not in books", "The server has an account that our books do not know.", "SUP"),
    BreakClass("ACCOUNT_GONE", Kind.BALANCES, "account not at server", "Our books have an account that the server does not list.", "SUP"),
    BreakClass("ACCOUNT_CURRENCY", Kind.BALANCES, "account currency", "Server and books keep the account in different currencies.", "FMK"),
    BreakClass("MISSING_INTERNAL", Kind.CASH, "missing internal", "PSP or bank has the money, ledger and server do not.", "PAY"),
    BreakClass("MISSING_EXTERNAL", Kind.CASH, "missing external", "Client was credited, PSP or bank never delivered.", "PAY"),
    BreakClass("MISSING_SERVER_OP", Kind.CASH, "not at server", "The ledger has the movement, the trade server does not.", "PAY"),
    BreakClass("AMOUNT", Kind.CASH, "amount", "Same reference, different amounts.", "PAY"),
    BreakClass("TIMING", Kind.CASH, "timing", "One side has it, and what we hold says that the other has it in a later cut-off.", "PAY"),
    BreakClass("FEE_TAKEN", Kind.CASH, "fee taken off", "Same reference; what is missing is the fee of the PSP or a charge that the bank names.", "FMK"),
    BreakClass("FX_DIFF", Kind.CASH, "exchange difference", "Same reference; the amount is the payment's at another rate than the day's.", "FMK"),
    BreakClass("RESERVE", Kind.CASH, "reserve not booked", "The PSP held or released money, and it is not in the books on its day.", "FMK"),
    BreakClass("CURRENCY", Kind.CASH, "currency", "Same reference, different currencies.", "PAY"),
    BreakClass("DUPLICATE_CREDIT", Kind.CASH, "duplicate at server", "The same reference was booked twice on the trade server.", "PAY"),
    BreakClass("DUPLICATE_PSP", Kind.CASH, "duplicate at PSP", "The PSP settled the same reference twice.", "PAY"),
    BreakClass("PAYOUT_MISSING", Kind.CASH, "payout not at bank", "A PSP payout has not reached the bank in time.", "FMK"),
    BreakClass("PAYOUT_AMOUNT", Kind.CASH, "payout amount", "The bank received another amount than the PSP paid out.", "FMK"),
    BreakClass("PAYOUT_UNKNOWN", Kind.CASH, "payout without report", "The bank received a payout that no PSP report explains.", "FMK"),
    BreakClass("UNIDENTIFIED", Kind.CASH, "unidentified at bank", "A bank line that says nothing we know.", "PAY"),
    BreakClass("AMBIGUOUS", Kind.CASH, "ambiguous", "Several payments fit the line, and nothing says which.", "PAY"),
    BreakClass("DIRECTION", Kind.CASH, "direction", "Same reference, but money goes the other way.", "PAY"),
    BreakClass("INTERNAL", Kind.CASH, "internal movement", "A movement inside the house does not net to nothing.", "FMK"),
    BreakClass("RETURNED", Kind.CASH, "returned payment", "A payment to a client came back.", "PAY"),
    BreakClass("CHARGEBACK", Kind.CASH, "chargeback", "The card scheme took the money back.", "PAY"),
    BreakClass("FEE", Kind.CASH, "fee", "The PSP's fee is not the agreed one.", "FMK"),
    BreakClass("UNKNOWN_CURRENCY", Kind.CASH, "unknown currency", "A line in a currency the entity does not work in.", "FMK"),
    BreakClass("BAD_LINE", Kind.CASH, "cannot be booked", "A line of an unknown type or with an impossible amount.", "FMK"),
    BreakClass("RIGHTS_DRIFT", Kind.ACCOUNTS, "rights at server", "The server lets the login do something else than we want.", "DLR"),
    BreakClass("GROUP_DRIFT", Kind.ACCOUNTS, "group at server", "The server has the login in another group than we want.", "DLR"),
    BreakClass("LEVERAGE_DRIFT", Kind.ACCOUNTS, "leverage at server", "The server gives the login another leverage than we want.", "DLR"),
    BreakClass("TECHNICAL_DRIFT", Kind.ACCOUNTS, "technical mark at server", "The server leaves the login out of its reports and we do not, or the other way round.", "DLR"),
    BreakClass("USER_MISSING", Kind.ACCOUNTS, "login not at server", "We want something of a login that the server does not have.", "SUP"),
)  # fmt: skip

CLASSES: dict[str, BreakClass] = {item.code: item for item in _ALL}
