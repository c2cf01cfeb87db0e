"""What has been received for a business day: listings, snapshots, fills."""

from __future__ import annotations

from datetime import date, datetime

from integrations.models import AccountSnapshot, Connection, Fill, ServerListing


def newest(entity_id: int, day: date) -> dict[int, int]:
    """The newest listing of a day for each connection of an entity: connection id to listing id."""
    rows = (
        ServerListing.objects.filter(entity_id=entity_id, business_date=day)
        .order_by("connection_id", "-id")
        .distinct("connection_id")
    )
    return dict(rows.values_list("connection_id", "id"))


def has_fills(connection: Connection, day: date, cutoff: datetime) -> bool:
    """Whether a liquidity provider's fills of a trade date have been received."""
    return Fill.objects.filter(connection=connection, trade_date=day, received_at__lte=cutoff).exists()


def has_snapshots(connection: Connection, day: date, cutoff: datetime) -> bool:
    """Whether a server was asked for its accounts' balances at the end of a day."""
    return AccountSnapshot.objects.filter(
        entity_id=connection.entity_id, connection=connection, business_date=day, received_at__lte=cutoff
    ).exists()
