"""The sides of a break, next to each other: which facts, where they differ, and the way down to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.models import TradingAccount, Unbooked
from backoffice.ui.components import Difference
from integrations.models import (
    AccountSnapshot,
    BankLine,
    Deal,
    Fill,
    ListingRow,
    PspLine,
    RawMessage,
    ServerListing,
    SymbolMapping,
)
from ledger.models import Journal
from reconciliation.models import Break


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way from a break down to what was received."""

    label: str
    what: str
    url: str


@dataclass(frozen=True, slots=True)
class Sides:
    """What a break compares: headings, lines with their difference, and the way down."""

    headings: Sequence[str]
    rows: Sequence[Difference]
    path: Sequence[Step]


def sides(item: Break) -> Sides:
    """The sides of any break."""
    refs: Mapping[str, Any] = item.refs
    if item.kind == "trades":
        return _trade(item, refs)
    if item.kind == "balances":
        return _balance(item, refs)
    return _cash(item, refs)


def _trade(item: Break, refs: Mapping[str, Any]) -> Sides:
    books = Deal.objects.filter(entity_id=item.entity_id, pk=refs.get("deal", 0)).select_related("connection").first()
    listing = ListingRow.objects.filter(listing_id=refs.get("listing", 0), ticket=refs.get("ticket", 0)).first()
    fill = Fill.objects.filter(entity_id=item.entity_id, pk=refs.get("fill", 0)).select_related("connection").first()
    path = _trade_path(item, books, listing, fill)
    units = _units(refs.get("connection"))
    rows = [
        Difference("Order", _get(books, "external_id"), _get(listing, "external_id"), _get(fill, "order_ref")),
        Difference("Side", _get(books, "side"), _get(listing, "side"), _get(fill, "side")),
        Difference(
            "Symbol",
            _get(books, "symbol"),
            _get(listing, "symbol"),
            _get(fill, "symbol"),
            same=_same_symbol(item, listing, fill),
        ),
        Difference("Quantity, units", units(books), units(listing), _plain(_get(fill, "quantity_units"))),
        Difference(
            "Price",
            _plain(_get(books, "price")),
            _plain(_get(listing, "price")),
            _plain(_get(fill, "price")),
            same=item.klass != "PRICE" and _same(books, listing, "price"),
        ),
        Difference("Result", _amount(books), _plain(_get(listing, "amount"))),
        Difference(
            "Time",
            _get(books, "dealt_at"),
            _get(listing, "dealt_at"),
            _get(fill, "traded_at"),
            same=item.klass != "LATE" and _same(books, listing, "dealt_at"),
        ),
        Difference("Login", _get(books, "login"), _get(listing, "login")),
        Difference("Comment", _get(books, "comment"), _get(listing, "comment")),
    ]  # fmt: skip
    headings = (
        ("Books", "Server", "Liquidity provider") if fill or item.klass == "MISSING_AT_LP" else ("Books", "Server")
    )
    if len(headings) == 2:
        rows = [Difference(row.label, row.left, row.right, same=row.same) for row in rows]
    return Sides(headings, rows, path)


def _trade_path(item: Break, books: Deal | None, listing: ListingRow | None, fill: Fill | None) -> list[Step]:
    path: list[Step] = []
    if books:
        path.append(Step("Books", f"Deal {books.ticket}, version {books.version}", reverse("deal", args=[books.pk])))
        path += _journals(item, f"deal:{books.pk}") + _raw(item, books.raw_id).get(books.raw_id, [])
    if listing:
        taken = ServerListing.objects.get(pk=listing.listing_id).taken_at
        path += [Step("Server", f"Listing of {item.business_date}, taken {taken:%Y-%m-%d %H:%M} UTC", "")]
        path += _raw(item, listing.raw_id).get(listing.raw_id, [])
    if fill:
        path.append(Step("Liquidity provider", f"Fill {fill.exec_id}", reverse("fill", args=[fill.pk])))
        path += _raw(item, fill.raw_id).get(fill.raw_id, [])
    return path


def _balance(item: Break, refs: Mapping[str, Any]) -> Sides:
    snapshot = AccountSnapshot.objects.filter(entity_id=item.entity_id, pk=refs.get("snapshot", 0)).first()
    account = TradingAccount.objects.filter(pk=refs.get("trading_account", 0)).select_related("client").first()
    ours = Decimal(refs["ours"]) if refs.get("ours") is not None else None
    theirs = None if ours is None or item.amount is None else ours + item.amount
    what = "Credit" if item.klass == "CREDIT" else "Balance"
    rows = [
        Difference("Login", _get(account, "login"), _get(snapshot, "login")),
        Difference("Currency", _get(account, "currency_id"), _get(snapshot, "currency")),
        Difference(f"{what} at the end of {item.business_date}", _plain(ours), _plain(theirs)),
        Difference("Group", _get(account, "group") or None, _get(snapshot, "group") or None, same=True),
    ]
    path: list[Step] = []
    if account:
        ledger_id = account.credit_account_id if item.klass == "CREDIT" else account.balance_account_id
        path.append(
            Step(
                "Books",
                f"Login {account.login} of {account.client.name}",
                reverse("trading-account", args=[account.pk]),
            )
        )
        path.append(Step("Ledger", "Statement", reverse("ledger-account", args=[ledger_id])))
    if snapshot:
        path.append(Step("Server", f"Read {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC", ""))
        path += _raw(item, snapshot.raw_id).get(snapshot.raw_id, [])
    return Sides(("Books", "Server"), rows, path)


def _cash(item: Break, refs: Mapping[str, Any]) -> Sides:
    deals = Deal.objects.filter(entity_id=item.entity_id, pk__in=refs.get("deals", []))
    psp = PspLine.objects.filter(entity_id=item.entity_id, pk__in=refs.get("psp", []))
    bank = BankLine.objects.filter(entity_id=item.entity_id, pk__in=refs.get("bank", []))
    journals = Journal.objects.filter(entity_id=item.entity_id, pk__in=refs.get("journals", []))
    inside = sum((d.profit for d in deals), Decimal(0)) if deals else None
    outside = sum((p.gross for p in psp), Decimal(0)) + sum((b.amount for b in bank), Decimal(0))
    rows = [
        Difference("Amount", _plain(inside), _plain(outside) if psp or bank else None),
        Difference("Lines", len(deals) or None, (len(psp) + len(bank)) or None, same=True),
        Difference(
            "Reference", refs.get("reference") if deals else None, refs.get("reference") if psp or bank else None
        ),
        Difference(
            "First day",
            min((d.business_date for d in deals), default=None),
            min([*(p.business_date for p in psp), *(b.booking_date for b in bank)], default=None),
            same=True,
        ),
    ]
    raw = _raw(item, *(line.raw_id for line in (*deals, *psp, *bank)))
    path: list[Step] = []
    for deal in deals:
        path.append(Step("Server", f"Balance operation {deal.ticket}: {deal.profit}", reverse("deal", args=[deal.pk])))
        path += raw.get(deal.raw_id, ())
    path += [Step("Ledger", j.description, reverse("journal", args=[j.pk])) for j in journals]
    for line in psp:
        path.append(
            Step("PSP", f"{line.provider_type} {line.net} {line.currency}", reverse("psp-line", args=[line.pk]))
        )
        path += raw.get(line.raw_id, ())
    for entry in bank:
        path.append(
            Step(
                "Bank",
                f"{entry.amount} {entry.currency} on {entry.booking_date}",
                reverse("bank-line", args=[entry.pk]),
            )
        )
        path += raw.get(entry.raw_id, ())
    held = Unbooked.objects.filter(pk=refs.get("unbooked", 0)).first()
    if held:
        path.append(Step("Not booked", held.detail, reverse("unbooked")))
    return Sides(("Ledger and server", "PSP and bank"), rows, path)


def _journals(item: Break, reference: str) -> list[Step]:
    found = Journal.objects.filter(entity_id=item.entity_id, reference=reference).order_by("id")[:5]
    return [Step("Ledger", f"Journal {j.pk}: {j.description}", reverse("journal", args=[j.pk])) for j in found]


def _raw(item: Break, *raw_ids: int) -> dict[int, list[Step]]:
    """The last step of each way, by raw message; bodies stay where they are."""
    found = RawMessage.objects.filter(entity_id=item.entity_id, id__in=set(raw_ids)).defer("body")
    return {
        raw.pk: [Step("Raw message", f"{raw.external_id} v{raw.version}", reverse("raw-message", args=[raw.pk]))]
        for raw in found
    }


def _units(connection_id: Any) -> Any:
    """A function from a deal or listing row to its quantity in units of the instrument."""
    sizes = dict(SymbolMapping.objects.filter(connection_id=connection_id).values_list("symbol", "contract_size"))

    def units(row: Deal | ListingRow | None) -> str | None:
        if row is None or row.symbol not in sizes:
            return None if row is None else f"{row.volume_lots.normalize():f} lots"
        return _plain(row.volume_lots * sizes[row.symbol])

    return units


def _same_symbol(item: Break, listing: ListingRow | None, fill: Fill | None) -> bool | None:
    """Two names of one instrument are the same."""
    if listing is None or fill is None:
        return None
    return item.klass != "SYMBOL"


def _same(left: Any, right: Any, name: str) -> bool | None:
    if left is None or right is None:
        return None
    return bool(getattr(left, name) == getattr(right, name))


def _get(row: Any, name: str) -> Any:
    value = None if row is None else getattr(row, name)
    return value if value != "" else None


def _amount(deal: Deal | None) -> str | None:
    return None if deal is None else _plain(deal.profit + deal.swap + deal.commission + deal.fee)


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():,f}"
