"""The broker's clients and their logins, before anything has happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from backoffice.demo.chance import Dice
from backoffice.demo.days import Days
from backoffice.demo.names import iban, person

CLIENTS = {"CY": 240, "UK": 60}
SERVERS = {"CY": "mt5-live", "UK": "mt4-uk"}
# Groups of each server: name, currency, how often of a hundred, whether a commission is taken.
GROUPS: dict[str, tuple[tuple[str, str, int, bool], ...]] = {
    "mt5-live": (
        ("real\\STD-USD", "USD", 34, False),
        ("real\\RAW-USD", "USD", 14, True),
        ("real\\STD-EUR", "EUR", 26, False),
        ("real\\RAW-EUR", "EUR", 8, True),
        ("real\\STD-GBP", "GBP", 12, False),
        ("real\\STD-JPY", "JPY", 6, False),
    ),
    "mt4-uk": (("UK-STD-GBP", "GBP", 60, False), ("UK-PRO-GBP", "GBP", 15, True), ("UK-STD-USD", "USD", 25, False)),
}
# Where the MT5 server lets a login only close what it has, by currency.
CLOSE_ONLY = {currency: f"real\\CLOSE-{currency}" for currency in ("USD", "EUR", "GBP", "JPY")}
ARCHIVE = "archive\\2026"
EXPONENTS = {"USD": 2, "EUR": 2, "GBP": 2, "JPY": 0, "CHF": 2, "SEK": 2}
_LEVERAGES = ((30, 70), (100, 20), (200, 10))


@dataclass(slots=True)
class Login:
    """One account on a trade server. `activity` is positions a day in tenths; a reckless one takes far too much."""

    number: int
    client: Client = field(compare=False, repr=False)
    server: str
    group: str
    currency: str
    leverage: int
    with_commission: bool
    activity: int
    reckless: bool = False

    @property
    def entity(self) -> str:
        return self.client.entity

    @property
    def exponent(self) -> int:
        return EXPONENTS[self.currency]


@dataclass(slots=True)
class Client:
    number: str
    entity: str
    name: str
    country: str
    email: str
    iban: str
    professional: bool
    opened: date
    logins: list[Login] = field(default_factory=list)


def clients(seed: int, days: Days) -> list[Client]:
    """Everybody, in the order of their numbers; they opened their accounts in the weeks before the history."""
    found = []
    first_login = {"CY": 5_100_001, "UK": 700_101}
    for entity, count in CLIENTS.items():
        dice = Dice(seed, f"clients/{entity}")
        following = first_login[entity]
        for number in range(1, count + 1):
            client = _client(dice, entity, number, days)
            for _ in range(2 if dice.chance(22) else 1):
                following += dice.number(1, 9)
                client.logins.append(_login(dice, client, following))
            found.append(client)
        for login in dice.some([x for c in found if c.entity == entity for x in c.logins if x.activity > 9], 2):
            login.reckless = True
    return found


def stranger(dice: Dice, entity: str, number: int, days: Days) -> Client:
    """A client that comes later, opened on the live day, without logins yet."""
    client = _client(dice, entity, number, days)
    client.opened = days.live
    client.professional = False
    return client


def login_of(dice: Dice, client: Client, number: int, currency: str | None = None) -> Login:
    """A login for a client, in a group of the wanted currency."""
    login = _login(dice, client, number)
    while currency is not None and login.currency != currency:
        login = _login(dice, client, number)
    return login


def _client(dice: Dice, entity: str, number: int, days: Days) -> Client:
    name, country = person(dice, entity)
    return Client(
        number=f"{entity}-{number:05}",
        entity=entity,
        name=name,
        country=country,
        email=f"client.{entity.lower()}{number:05}@example.com",
        iban=iban(dice, country),
        professional=dice.chance(6),
        opened=days.history[0] - timedelta(days=7 * dice.number(1, 12)),
    )


def _login(dice: Dice, client: Client, number: int) -> Login:
    server = SERVERS[client.entity]
    group, currency, _, commission = dice.weighted([(row, row[2]) for row in GROUPS[server]])
    leverage = dice.weighted(_LEVERAGES) if client.professional else 30
    activity = dice.weighted(((0, 18), (3, 34), (10, 32), (25, 13), (45, 3)))
    return Login(number, client, server, group, currency, leverage, commission, activity)


def logins_of(everybody: Sequence[Client], server: str) -> list[Login]:
    return [login for client in everybody for login in client.logins if login.server == server]
