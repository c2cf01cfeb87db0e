"""Which adapters there are. The only place that knows a vendor; everything else asks by name."""

from __future__ import annotations

from collections.abc import Callable

from integrations.adapters import adyen_settlement as adyen
from integrations.adapters import camt053, lp_fills, mt4_trades, mt5_webapi
from integrations.models import ServerUser
from integrations.ports import FileReader, Setting, TradeServerAdapter

READERS: dict[str, FileReader] = {
    reader.name: reader for reader in (adyen.READER, camt053.READER, lp_fills.READER, mt4_trades.READER)
}
SERVERS: dict[str, TradeServerAdapter] = {mt5_webapi.ADAPTER.name: mt5_webapi.ADAPTER}


def names() -> list[str]:
    return sorted([*READERS, *SERVERS])


def title(name: str) -> str:
    found = READERS.get(name) or SERVERS.get(name)
    return found.title if found else name


def settings_of(name: str) -> tuple[Setting, ...]:
    """The settings an adapter asks for; an unknown name has none."""
    found = READERS.get(name) or SERVERS.get(name)
    return tuple(found.settings) if found else ()


def is_server(name: str) -> bool:
    """Whether the adapter asks a trade server (else it reads files)."""
    return name in SERVERS


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
