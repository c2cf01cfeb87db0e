"""Listings: what a server says exists for a business day, kept beside the facts and never mixed into them.

A reconciliation compares the two. If reading the listing also added what is missing, there would never be a
difference to see; so a missing deal is fetched by a person, from the break (feeds.fetch_deal).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from django.db import transaction

from backoffice.audit import services as audit
from backoffice.kernel import bulk, clock
from backoffice.kernel.actor import Actor
from integrations import records
from integrations.models import Connection, ServerListing
from integrations.models.columns import DEAL, digest, moment, number, storable
from integrations.ports import ServerError
from integrations.services import clocks, raws
from integrations.services.connections import open_server
from integrations.services.feeds import FeedFailed
from integrations.services.store import lock_feed

_COLUMNS = (
    "listing_id", "ticket", "content_hash", "raw_id", "login", "kind", "side", "symbol", "volume_lots",
    "contract_size", "price", "amount", "external_id", "gateway", "comment", "dealt_at",
)  # fmt: skip


def take_listing(*, actor: Actor, connection_id: int, day: date) -> ServerListing:
    """Ask a trade server for everything of business day `day` and keep the answer as a listing."""
    connection = Connection.objects.get(pk=connection_id)
    start = datetime.combine(day, time())
    try:
        server = open_server(connection)
        try:
            pulled = server.deals(since=start, until=start + timedelta(days=1, microseconds=-1))
        finally:
            server.close()
    except (ServerError, OSError) as error:
        raise FeedFailed(f"{connection.name} could not be listed for {day}: {error}") from error
    deals = {
        item.external_id: item
        for item in pulled.items
        if isinstance(item.record, records.Deal) and item.record.server_time.date() == day
    }
    now = clock.now()
    with transaction.atomic():
        lock_feed(connection)
        ids = raws.keep_records(
            connection=connection,
            bodies={key: item.body for key, item in deals.items()},
            received_at=now,
            origin=f"listing of {day}",
        )
        listing = keep_listing(
            connection=connection,
            day=day,
            taken_at=now,
            deals=[(item.record, ids[key]) for key, item in deals.items() if isinstance(item.record, records.Deal)],
        )
        audit.record(actor=actor, action="feed.listed", target=connection, data={"day": day, "deals": listing.rows})
    return listing


def keep_listing(
    *, connection: Connection, day: date, taken_at: datetime, deals: Sequence[tuple[records.Deal, int]]
) -> ServerListing:
    """Store a listing from deals and their raw messages."""
    listing = ServerListing.objects.create(
        entity_id=connection.entity_id, connection=connection, business_date=day, taken_at=taken_at, rows=len(deals)
    )
    wall = clocks.clock_of(connection)
    bulk.copy_rows("integrations_listingrow", _COLUMNS, _rows(listing.pk, wall, deals))
    return listing


def _rows(
    listing_id: int, wall: clocks.Clock, deals: Iterable[tuple[records.Deal, int]]
) -> Iterable[tuple[bulk.Value, ...]]:
    for deal, raw_id in deals:
        said = storable(DEAL.said_of(deal))
        texts = dict(zip(DEAL.said, said, strict=True))
        yield (
            listing_id,
            deal.ticket,
            digest(said),
            raw_id,
            deal.login,
            deal.kind.value,
            deal.side.value,
            texts["symbol"],
            number(deal.volume_lots),
            number(deal.contract_size),
            number(deal.price),
            number(deal.amount),
            texts["external_id"],
            texts["gateway"],
            texts["comment"],
            moment(wall.utc_of(deal)) + "+00",
        )
