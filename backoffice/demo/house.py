"""The product's side of the demo before anything happens: companies, connections, instruments, rates, clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.models import ClientCategory
from accounts.services import clients as client_services
from accounts.services.clients import Login as NewLogin
from backoffice.demo import lives, simulator
from backoffice.demo.chance import Dice
from backoffice.demo.clients import Client, Login
from backoffice.demo.days import ATHENS, CALENDAR, clock_changes, holidays, utc
from backoffice.demo.instruments import INSTRUMENTS, MT4_SYMBOLS, MT5_SYMBOLS
from backoffice.demo.money import psps
from backoffice.demo.scene import FEE_RATE, Scene
from backoffice.demo.simulator import Server
from backoffice.kernel import clock
from backoffice.kernel.actor import System
from backoffice.organisation.models import FxRate, Holiday, LegalEntity
from integrations import registry
from integrations.models import Connection, Instrument
from integrations.services import clocks, connections, symbols
from reconciliation.models import Kind, Rule

ACTOR = System("demo")
_ENTITIES = (
    ("CY", "Broker CY Ltd", "CY", "CySEC", "EUR"),
    ("UK", "Broker UK Ltd", "GB", "FCA", "GBP"),
)
_PAIRS = (("EUR", "USD"), ("EUR", "GBP"), ("EUR", "JPY"), ("EUR", "CHF"), ("GBP", "USD"), ("GBP", "JPY"))
_RATE_PLACES = 6


def build(scene: Scene, server: Server) -> dict[str, Connection]:
    """Everything that is there on the first day of the history; returns the connections by name."""
    with clock.at(utc(scene.days.history[0] - timedelta(days=90), 9)):
        entities = {code: _entity(code, *rest) for code, *rest in _ENTITIES}
        _calendar(scene.days.live)
        _rates(scene)
        change_rule(Kind.CASH, {"fee_rate": {"CY": str(FEE_RATE)}}, "the PSP's agreed rate")
        found = _connections(scene, server, entities)
        _symbols(found)
    _clients(scene, found)
    return found


def change_rule(kind: Kind, changes: Mapping[str, Any], note: str) -> Rule:
    """The next version of a kind's rule, with some parameters changed."""
    newest = Rule.objects.filter(kind=kind).order_by("-version")[0]
    return Rule.objects.create(
        kind=kind,
        version=newest.version + 1,
        parameters={**newest.parameters, **changes},
        note=note,
        made_at=clock.now(),
        made_by=ACTOR.label,
    )


def open_logins(logins: list[Login], ids: Mapping[str, int], found: Mapping[str, Connection]) -> None:
    """Open logins in the books; `ids` are clients by number."""
    wanted = [
        NewLogin(
            client_id=ids[login.client.number],
            connection_id=found[login.server].pk,
            login=login.number,
            currency=login.currency,
            group=login.group,
            leverage=login.leverage,
        )
        for login in logins
    ]
    client_services.open_trading_accounts(actor=ACTOR, logins=wanted)


def open_client(client: Client, entity_id: int) -> int:
    """Enter a client; returns the row's id."""
    return client_services.open_client(
        actor=ACTOR,
        entity_id=entity_id,
        number=client.number,
        name=client.name,
        country=client.country,
        email=client.email,
        category=ClientCategory.PROFESSIONAL if client.professional else ClientCategory.RETAIL,
    ).pk


def _entity(code: str, name: str, jurisdiction: str, regulator: str, currency: str) -> LegalEntity:
    return LegalEntity.objects.create(
        code=code,
        name=name,
        jurisdiction=jurisdiction,
        regulator=regulator,
        reporting_currency_id=currency,
        calendar=CALENDAR,
    )


def _calendar(live: date) -> None:
    Holiday.objects.bulk_create(
        Holiday(calendar=CALENDAR, date=day, name=name)
        for year in range(live.year - 2, live.year + 3)
        for day, name in holidays(year).items()
    )


def _rates(scene: Scene) -> None:
    """Reference rates of the close of each business day, and of a month before, which had no trading yet."""
    first = [scene.days.history[0] - timedelta(days=n) for n in range(40, 0, -1)]
    FxRate.objects.bulk_create(
        FxRate(
            date=day, base_id=base, quote_id=quote, rate=_rate(scene, base, quote, utc(day, 15)), source="demo fixing"
        )
        for day in [*first, *scene.days.all]
        for base, quote in _PAIRS
    )


def _rate(scene: Scene, base: str, quote: str, at: datetime) -> Decimal:
    return scene.market.convert(Decimal(1), base, quote, at).quantize(Decimal(1).scaleb(-_RATE_PLACES))


def _connections(scene: Scene, server: Server, entities: Mapping[str, LegalEntity]) -> dict[str, Connection]:
    mt5 = {
        "base_url": server.url,
        "login": simulator.MANAGER,
        "groups": "real\\*",
        "close_only_group": "real\\CLOSE-{currency}",
        "clock_rule": clocks.NEW_YORK_CLOSE,
        "slice_minutes": "1440",
        "margin_minutes": "0",
    }
    rows: tuple[tuple[str, str, str, dict[str, str]], ...] = (
        ("CY", simulator.NAME, "mt5_webapi", mt5),
        ("CY", "lp-prime", "lp_fills", {}),
        ("CY", "adyen-eu", "adyen_settlement", {}),
        ("CY", "bank-cy", "camt053", {}),
        ("UK", "mt4-uk", "mt4_trades", _mt4_settings(scene)),
        ("UK", "bank-uk", "camt053", {}),
        ("CY", "house-cy", "camt053", {}),
        ("UK", "house-uk", "camt053", {}),
    )
    found: dict[str, Connection] = {}
    for entity, name, adapter, given in rows:
        paired = found[simulator.NAME].pk if name == "lp-prime" else None
        secrets = {"password": server.password} if name == simulator.NAME else {}
        found[name] = connections.add(
            actor=ACTOR,
            entity_id=entities[entity].pk,
            name=name,
            adapter=adapter,
            settings=given,
            secret_values=secrets,
            paired_with_id=paired,
        )
    found |= psps.connect(scene.seed, entities["CY"].pk)
    first, last = scene.starts - timedelta(days=400), scene.ends + timedelta(days=800)
    clocks.set_rule(connection=found["mt4-uk"], rule=str(ATHENS), first=first, last=last)
    return found


def _mt4_settings(scene: Scene) -> dict[str, str]:
    """Athens' offsets as a dated table; every extract is a whole one, where the adapter can be told so."""
    first, last = scene.starts - timedelta(days=400), scene.ends + timedelta(days=800)
    changes = clock_changes(ATHENS, first, last)
    before = int((first.astimezone(ATHENS).utcoffset() or timedelta()).total_seconds() // 60)
    parts = [str(before)]
    for moment, minutes in changes:
        # The entry's own time is the wall's after the change.
        wall = moment.astimezone(ATHENS).replace(tzinfo=None)
        parts.append(f"{wall:%Y-%m-%dT%H:%M}={minutes}")
    known = {setting.name for setting in registry.settings_of("mt4_trades")}
    whole = {"full_extract": "yes"} if "full_extract" in known else {}
    return {"utc_offset_minutes": ";".join(parts), **whole}


def _symbols(found: Mapping[str, Connection]) -> None:
    rows = {
        item.code: Instrument.objects.create(
            code=item.code,
            name=item.name,
            base=item.base,
            quote_id=item.quote,
            contract_size=Decimal(item.contract),
            digits=item.digits,
        )
        for item in INSTRUMENTS
    }
    names = [(simulator.NAME, s.name, s.instrument.code, s.contract) for s in MT5_SYMBOLS]
    names += [("mt4-uk", s.name, s.instrument.code, s.contract) for s in MT4_SYMBOLS]
    names += [("lp-prime", item.lp_symbol, item.code, item.contract) for item in INSTRUMENTS]
    for connection, symbol, code, contract in names:
        symbols.map_symbol(
            actor=ACTOR,
            connection_id=found[connection].pk,
            symbol=symbol,
            instrument_id=rows[code].pk,
            contract_size=Decimal(contract),
        )


def _clients(scene: Scene, found: Mapping[str, Connection]) -> None:
    """Clients and their logins, week by week as they came."""
    entities = {connection.entity.code: connection.entity_id for connection in found.values()}
    for week in sorted({client.opened for client in scene.plan.clients}):
        came = [client for client in scene.plan.clients if client.opened == week]
        with clock.at(utc(week, 10)), transaction.atomic():
            ids = {client.number: open_client(client, entities[client.entity]) for client in came}
            for client in came:
                lives.check_identity(Dice(scene.seed, f"identity/{client.number}"), client, ids[client.number])
            for entity in entities:
                logins = [login for client in came if client.entity == entity for login in client.logins]
                if logins:
                    open_logins(logins, ids, found)
