"""What each source's symbols stand for."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel.actor import Actor
from integrations.models import Connection, Instrument, SymbolMapping


@transaction.atomic
def map_symbol(
    *,
    actor: Actor,
    connection_id: int,
    symbol: str,
    instrument_id: int,
    contract_size: Decimal | None = None,
) -> SymbolMapping:
    """Say what a source's symbol stands for, or change it. Deals that wait for it are booked on the next pass."""
    instrument = Instrument.objects.get(pk=instrument_id)
    connection = Connection.objects.get(pk=connection_id)
    mapping = SymbolMapping.objects.select_for_update().filter(connection=connection, symbol=symbol).first()
    before = str(mapping) if mapping else ""
    mapping = mapping or SymbolMapping(connection=connection, symbol=symbol)
    mapping.instrument = instrument
    mapping.contract_size = contract_size or instrument.contract_size
    mapping.save()
    audit.record(
        actor=actor,
        action="symbol.mapped",
        target=mapping,
        entity_id=connection.entity_id,
        data={"source": connection.name, "before": before, "after": str(mapping), "size": mapping.contract_size},
    )
    return mapping
