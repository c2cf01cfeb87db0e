"""Which adapters there are. The only place that knows a vendor; everything else asks by name."""

from __future__ import annotations

from collections.abc import Callable

from integrations.adapters import (
    adyen_payments,
    bai2_report,
    camt053,
    checkout,
    checkout_gateway,
    coinspaid_gateway,
    csv_profile,
    ecb_rates,
    lp_fills,
    mt4_trades,
    mt5_webapi,
    mt940,
    payouts,
    paypal_stl,
    stripe,
)
from integrations.adapters import adyen_settlement as adyen
from integrations.adapters import webhooks as webhook_readers
from integrations.hints import PspEvent
from integrations.models import ServerUser
from integrations.ports import FileReader, PspGatewayAdapter, Setting, TradeServerAdapter, WebhookReader

READERS: dict[str, FileReader] = {
    reader.name: reader
    for reader in (
        adyen.READER,
        adyen_payments.READER,
        bai2_report.READER,
        camt053.READER,
        checkout.READER,
        csv_profile.READER,
        ecb_rates.READER,
        lp_fills.READER,
        mt4_trades.READER,
        mt940.READER,
        paypal_stl.READER,
        stripe.READER,
    )
}
# Readers of PSPs that put a payout into one file and its lines into another: the two are held against each other when
# the second comes (services/totals.py).
PAYOUTS_APART = frozenset((checkout.READER.name, csv_profile.READER.name, stripe.READER.name))
PayoutSums = payouts.PayoutSums

# The reader that a mapping profile tells what columns are, the profiles that come with the product, and a look at a
# small file by one (also how a ledger of another house is read).
BY_PROFILE = csv_profile.READER.name
SHIPPED_PROFILES = csv_profile.SHIPPED
Looked = csv_profile.Looked
look_by_profile = csv_profile.look
# Readers of PSPs that pay out to a bank account: who sends that money is a setting of the connection, and the booking
# knows a bank line without a reference by it (accounts: booking/payouts.py).
PAYING_OUT = frozenset(
    (adyen.READER.name, checkout.READER.name, csv_profile.READER.name, paypal_stl.READER.name, stripe.READER.name)
)
PAYOUT_SENDER = (
    Setting(
        "payout_accounts",
        "Payouts come from",
        "IBANs or account numbers the PSP pays out from, with ; between them.",
        False,
    ),
    Setting(
        "payout_names",
        "Payouts are sent by",
        "Whole names of the sender as the bank shows them, with ; between them. Only where no account is named.",
        False,
    ),
)
SERVERS: dict[str, TradeServerAdapter] = {mt5_webapi.ADAPTER.name: mt5_webapi.ADAPTER}
GATEWAYS: dict[str, PspGatewayAdapter] = {
    gateway.name: gateway for gateway in (checkout_gateway.ADAPTER, coinspaid_gateway.ADAPTER)
}
WEBHOOKS: dict[str, WebhookReader] = {reader.name: reader for reader in webhook_readers.READERS}


def names() -> list[str]:
    return sorted([*READERS, *SERVERS, *GATEWAYS])


def title(name: str) -> str:
    found = READERS.get(name) or SERVERS.get(name) or GATEWAYS.get(name)
    return found.title if found else name


def settings_of(name: str) -> tuple[Setting, ...]:
    """The settings an adapter asks for; an unknown name has none."""
    found = READERS.get(name) or SERVERS.get(name) or GATEWAYS.get(name)
    own = tuple(found.settings) if found else ()
    return (*own, *PAYOUT_SENDER) if name in PAYING_OUT else own


def is_server(name: str) -> bool:
    """Whether the adapter asks a trade server (else it reads files)."""
    return name in SERVERS


def is_gateway(name: str) -> bool:
    """Whether the adapter tells a PSP to pay."""
    return name in GATEWAYS


# Called with connection id, login, key of the command and the confirmed reading.
Confirmed = Callable[[int, int, str, ServerUser], None]
_confirmed: list[Confirmed] = []


def on_confirmed(listener: Confirmed) -> None:
    """Have `listener` called in the transaction in which a command to a trade server is confirmed. Rooms above
    register when they start; one that raises undoes the confirmation, and the server is asked again later."""
    if listener not in _confirmed:
        _confirmed.append(listener)


def confirmed(connection_id: int, login: int, key: str, reading: ServerUser) -> None:
    """Tell everybody who wants to know."""
    for listener in _confirmed:
        listener(connection_id, login, key, reading)


# Called with key, state (DONE or REFUSED), ticket (DONE) and what there is to say (a refusal, a warning).
Operated = Callable[[str, str, int | None, str], None]
_operated: list[Operated] = []


def on_operated(listener: Operated) -> None:
    """Have `listener` called in the transaction in which a balance operation at a trade server ends. One that raises
    undoes the ending, and the operation is looked up again later."""
    if listener not in _operated:
        _operated.append(listener)


def operated(key: str, state: str, ticket: int | None, error: str) -> None:
    """Tell everybody who wants to know."""
    for listener in _operated:
        listener(key, state, ticket, error)


# Called with reference, state (SENT, PAID, FAILED or RETURNED), the PSP's reference and what there is to say.
Paid = Callable[[str, str, str, str], None]
_paid: list[Paid] = []


def on_paid(listener: Paid) -> None:
    """Have `listener` called in the transaction in which a payout gets further. One that raises undoes that, and the
    PSP is asked again later."""
    if listener not in _paid:
        _paid.append(listener)


def paid(reference: str, state: str, psp_reference: str, error: str) -> None:
    """Tell everybody who wants to know."""
    for listener in _paid:
        listener(reference, state, psp_reference, error)


# Tasks that are woken when a webhook was stored, by name.
_readers_of_webhooks: list[str] = []


def wake_on_webhooks(task: str) -> None:
    """Have a task woken after webhooks were stored; it pulls by cursor (selectors/events.py). Wake-ups may be lost or
    put together, so the task needs a line in the schedule as well."""
    if task not in _readers_of_webhooks:
        _readers_of_webhooks.append(task)


def readers_of_webhooks() -> tuple[str, ...]:
    return tuple(_readers_of_webhooks)


# Called with connection id and the event of a provider's question; why it must not go on, or nothing.
Objection = Callable[[int, PspEvent], str]
_objections: list[Objection] = []


def on_question(objection: Objection) -> None:
    """Have `objection` asked before a provider charges a client (Praxis' validation call). Reads only, and answers in
    milliseconds: the client is waiting."""
    if objection not in _objections:
        _objections.append(objection)


def objection_to(connection_id: int, event: PspEvent) -> str:
    """The first reason against it, empty when nobody has one."""
    return next(filter(None, (ask(connection_id, event) for ask in _objections)), "")
