"""Rows for the pages of clients, trading accounts and facts, through the services that make them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from accounts.models import Client, FlagKind, Reason, Restriction, RestrictionKind, TradingAccount
from accounts.services import clients, flags, papers, restrictions
from accounts.services.clients import Login
from backoffice.organisation.models import LegalEntity
from integrations.models import BankLine, BankNotice, Connection, Deal, Fill, PspLine
from integrations.records import Record
from tests.builders import ROBOT
from tests.pages import Made, builds
from tests.worlds import World, bank_line, bank_notice, deal, deposit, fill, psp_line, world

STRANGER = 999  # a login nobody has opened


def broker(here: LegalEntity) -> World:
    """The small broker of tests/worlds.py in the entity `here`, built at the first call."""
    known = Client.objects.filter(entity=here, number="C-1").first()
    if known is None:
        made = world()
        assert made.client.entity_id == here.pk
        return made
    source = {connection.name: connection for connection in Connection.objects.filter(entity=here)}
    account = TradingAccount.objects.get(connection=source["mt5"], login=1001)
    return World(source["mt5"], source["lp"], source["adyen"], source["bank"], known, account)


def trade(w: World, number: int, **changes: Any) -> list[Deal]:
    """`number` more deals of the world's login, booked; the newest last."""
    known = Deal.objects.count()
    tickets = range(known + 1, known + number + 1)
    w.put(w.server, *(deal(ticket, profit=Decimal("1.25"), **changes) for ticket in tickets))
    w.book()
    return list(Deal.objects.filter(ticket__in=tickets).order_by("ticket"))


@builds("clients")
def many_clients(here: LegalEntity, number: int) -> Made:
    known = Client.objects.count()
    for n in range(known, known + number):
        clients.open_client(actor=ROBOT, entity_id=here.pk, number=f"N-{n}", name=f"Client {n}", country="CY")
    return Made(words=("Client 0",))


@builds(
    "client-application",
    "decide-application",
    "review-client",
    "suspend-client",
    "restrict-client",
    "ask-protect",
    "reactivate-client",
    "wake-client",
    "start-closing",
    "close-client",
    "reopen-client",
    "erase-client",
    "change-category",
    "add-note",
    "add-document",
    "record-kyc",
    "set-flag",
)
def one_of_many_clients(here: LegalEntity, number: int) -> Made:
    """The form of a step does not depend on how many clients, flags, notes and papers there are."""
    made = many_clients(here, number)
    client = Client.objects.filter(entity=here).order_by("pk")[0]
    for n in range(number):
        papers.add_note(actor=ROBOT, client_id=client.pk, text=f"note {n}")
        papers.add_document(actor=ROBOT, client_id=client.pk, kind="OTHER", name=f"paper {n}")
    return Made(kwargs={"pk": client.pk}, words=made.words)


def restricted(
    here: LegalEntity, number: int, kind: RestrictionKind = RestrictionKind.NO_WITHDRAWAL
) -> list[Restriction]:
    """`number` more clients with a restriction each."""
    many_clients(here, number)
    newest = Client.objects.filter(entity=here).order_by("-pk")[:number]
    return [
        restrictions.restrict(actor=ROBOT, client_id=client.pk, kind=kind, reason=Reason.SECURITY) for client in newest
    ]


@builds("reviews-due", "lift-restriction", "confirm-restriction")
def many_restrictions(here: LegalEntity, number: int) -> Made:
    rows = restricted(here, number)
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].client.number,))


@builds("lift-trading")
def many_without_trading(here: LegalEntity, number: int) -> Made:
    rows = restricted(here, number, RestrictionKind.READ_ONLY)
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].client.number,))


@builds("holds", "note-consent")
def many_holds(here: LegalEntity, number: int) -> Made:
    many_clients(here, number)
    newest = Client.objects.filter(entity=here).order_by("-pk")[:number]
    rows = [flags.set_flag(actor=ROBOT, client_id=client.pk, kind=FlagKind.AML_HOLD) for client in newest]
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].client.number,))


@builds("end-flag")
def many_flags(here: LegalEntity, number: int) -> Made:
    """Flags that everybody may know."""
    many_clients(here, number)
    newest = Client.objects.filter(entity=here).order_by("-pk")[:number]
    rows = [flags.set_flag(actor=ROBOT, client_id=client.pk, kind=FlagKind.DOCUMENT_EXPIRED) for client in newest]
    return Made(kwargs={"pk": rows[0].pk}, words=(rows[0].client.number,))


@builds("client", "trading-accounts")
def many_logins(here: LegalEntity, number: int) -> Made:
    """Logins of one client, each with money on it."""
    w = broker(here)
    known = TradingAccount.objects.count()
    logins = [2000 + known + n for n in range(number)]
    clients.open_trading_accounts(
        actor=ROBOT, logins=[Login(w.client.pk, w.server.pk, login, "USD") for login in logins]
    )
    w.put(w.server, *(deposit(login, "50.00", login=login) for login in logins))
    w.book()
    return Made(kwargs={"pk": w.client.pk}, words=("Ada Lovelace",))


@builds("trading-account", "deals")
def many_deals(here: LegalEntity, number: int) -> Made:
    w = broker(here)
    trade(w, number)
    w.snapshot(1001, "0", day=deal(1).server_time.date())
    return Made(kwargs={"pk": w.account.pk}, words=("EURUSD",))


@builds("change-terms", "mark-technical", "force-password")
def one_of_many_logins(here: LegalEntity, number: int) -> Made:
    made = many_logins(here, number)
    return Made(kwargs={"pk": TradingAccount.objects.get(login=1001).pk}, words=made.words)


@builds("fills")
def many_fills(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), Fill.objects.count()
    w.put(
        w.lp,
        *(
            fill(f"E{n}", f"X{n}", commission=Decimal("-1"), commission_currency="USD")
            for n in range(known, known + number)
        ),
    )
    return Made(words=("<code>E0</code>",))


@builds("psp-lines")
def many_psp_lines(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), PspLine.objects.count()
    w.put(w.psp, *(psp_line(f"P{n}", "20.00", fee="0.50") for n in range(known, known + number)))
    return Made(words=("<code>P0</code>",))


@builds("bank-lines")
def many_bank_lines(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), BankLine.objects.count()
    w.put(w.bank, *(bank_line(f"B{n}", "20.00", remittance=f"from {n}") for n in range(known, known + number)))
    return Made(words=("from 0",))


@builds("bank-notices")
def many_bank_notices(here: LegalEntity, number: int) -> Made:
    w, known = broker(here), BankNotice.objects.count()
    w.put(w.bank, *(bank_notice(f"N{n}", "20.00", remittance=f"from {n}") for n in range(known, known + number)))
    return Made(words=("from 0",))


@builds("unbooked")
def many_unbooked(here: LegalEntity, number: int) -> Made:
    w = broker(here)
    trade(w, number, login=STRANGER)
    return Made(words=(f"login {STRANGER}",))


@builds("deal")
def versions_of_a_deal(here: LegalEntity, number: int) -> Made:
    w = broker(here)
    return _versions(w, w.server, Deal, number, lambda n: deal(7, profit=Decimal(n + 1)), "Journal")


@builds("fill")
def versions_of_a_fill(here: LegalEntity, number: int) -> Made:
    w = broker(here)
    return _versions(w, w.lp, Fill, number, lambda n: fill("E7", "X7", price=Decimal(n + 1)), "E7")


@builds("psp-line")
def versions_of_a_psp_line(here: LegalEntity, number: int) -> Made:
    w = broker(here)
    return _versions(w, w.psp, PspLine, number, lambda n: psp_line("P7", str(n + 1)), "P7")


@builds("bank-line")
def versions_of_a_bank_line(here: LegalEntity, number: int) -> Made:
    w = broker(here)
    return _versions(w, w.bank, BankLine, number, lambda n: bank_line("B7", str(n + 1), remittance="rent"), "rent")


def _versions(w: World, source: Connection, model: Any, number: int, make: Callable[[int], Record], word: str) -> Made:
    """`number` more versions of one fact, each booked; the page shows the first."""
    known = model.objects.count()
    for n in range(known, known + number):
        w.put(source, make(n))
    w.book()
    assert model.objects.count() == known + number
    return Made(kwargs={"pk": model.objects.get(version=1).pk}, words=(word,))
