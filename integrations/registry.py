"""Which adapters there are. The only place that knows a vendor; everything else asks by name."""

from __future__ import annotations

from integrations.adapters import adyen_settlement as adyen
from integrations.adapters import camt053, lp_fills, mt4_trades, mt5_webapi
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
