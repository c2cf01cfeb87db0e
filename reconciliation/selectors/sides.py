"""The sides of a break, next to each other: which facts, where they differ, and the way down to each."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.urls import reverse

from accounts.models import TradingAccount, Unbooked
from backoffice.kernel.money import Money
from backoffice.ui.components import NOT_SAID, Difference
from integrations.models import AccountSnapshot, Deal, Fill, ListingRow, ServerListing, SymbolMapping
from ledger.models import Journal
from reconciliation.models import Break
from reconciliation.selectors.account_sides import account_sides
from reconciliation.selectors.cash_sides import cash_sides
from reconciliation.selectors.side_steps import Sides, Step, attribute, money, raw_step


def sides(item: Break) -> Sides:
    """The sides of any break."""
    refs: Mapping[str, Any] = item.refs
    if item.kind == "trades":
        return _unbooked(item, refs) if "unbooked" in refs else _trade(item, refs)
    if item.kind == "accounts":
        return account_sides(item, refs)
    return _balance(item, refs) if item.kind == "balances" else cash_sides(item, refs)


def _trade(item: Break, refs: Mapping[str, Any]) -> Sides:
    books = Deal.objects.filter(entity_id=item.entity_id, pk=refs.get("deal", 0)).select_related("connection").first()
    listing = ListingRow.objects.filter(listing_id=refs.get("listing", 0), ticket=refs.get("ticket", 0)).first()
    fill = Fill.objects.filter(entity_id=item.entity_id, pk=refs.get("fill", 0)).select_related("connection").first()
    headings = ["Books", "Server"]
    if fill or item.klass == "MISSING_AT_LP":
        headings.append("Liquidity provider")
    return Sides(headings, _trade_rows(item, books, listing, fill), _trade_path(item, books, listing, fill))


def _trade_rows(item: Break, books: Deal | None, listing: ListingRow | None, fill: Fill | None) -> list[Difference]:
    units = _units(item.refs.get("connection"))

    def three(label: str, name: str, third: str, *, same: bool | None = None) -> Difference:
        return Difference(
            label, attribute(books, name), attribute(listing, name), attribute(fill, third), same=same
        )  # fmt: skip

    def two(label: str, left: Any, right: Any) -> Difference:
        return Difference(label, left, right, NOT_SAID)

    same_symbol = item.klass != "SYMBOL" if listing and fill else None
    same_price = item.klass != "PRICE" and _same(books, listing, "price")
    same_time = item.klass != "LATE" and _same(books, listing, "dealt_at")
    left = books.profit + books.swap + books.commission + books.fee if books else None
    rows = [
        three("Order", "external_id", "order_ref"),
        three("Side", "side", "side"),
        three("Symbol", "symbol", "symbol", same=same_symbol),
        Difference("Quantity, units", units(books), units(listing), attribute(fill, "quantity_units")),
        three("Price", "price", "price", same=same_price),
        two("Result", money(left, item.currency), money(attribute(listing, "amount"), item.currency)),
        three("Time", "dealt_at", "traded_at", same=same_time),
        two("Login", attribute(books, "login"), attribute(listing, "login")),
        two("Comment", attribute(books, "comment"), attribute(listing, "comment")),
    ]
    return [row for row in rows if any(value not in (None, NOT_SAID) for value in row.values(3))]


def _trade_path(item: Break, books: Deal | None, listing: ListingRow | None, fill: Fill | None) -> list[Step]:
    path: list[Step] = []
    if books:
        path.append(Step("Books", f"Deal {books.ticket}, version {books.version}", reverse("deal", args=[books.pk])))
        path += _journals(item, f"deal:{books.pk}") + raw_step(item, books.raw_id)
    if listing:
        taken = ServerListing.objects.get(pk=listing.listing_id).taken_at
        path += [Step("Server", f"Listing of {item.business_date}, taken {taken:%Y-%m-%d %H:%M} UTC", "")]
        path += raw_step(item, listing.raw_id)
    if fill:
        path.append(Step("Liquidity provider", f"Fill {fill.exec_id}", reverse("fill", args=[fill.pk])))
        path += raw_step(item, fill.raw_id)
    return path


def _unbooked(item: Break, refs: Mapping[str, Any]) -> Sides:
    """A deal of the server's that the books could not take."""
    deal = Deal.objects.filter(entity_id=item.entity_id, pk=refs.get("deal", 0)).first()
    held = Unbooked.objects.filter(pk=refs["unbooked"]).first()
    amount = deal.profit + deal.swap + deal.commission + deal.fee if deal else None
    said = [
        ("Login", attribute(deal, "login")),
        ("Kind", attribute(deal, "kind")),
        ("Side", attribute(deal, "side")),
        ("Symbol", attribute(deal, "symbol")),
        ("Lots", attribute(deal, "volume_lots") or None),
        ("Price", attribute(deal, "price") or None),
        ("Result", money(amount, item.currency)),
        ("Time", attribute(deal, "dealt_at")),
        ("Comment", attribute(deal, "comment")),
    ]
    path: list[Step] = []
    if deal:
        path.append(Step("Server", f"Deal {deal.ticket}, version {deal.version}", reverse("deal", args=[deal.pk])))
        path += raw_step(item, deal.raw_id)
    if held:
        path.append(Step("Not booked", held.detail, reverse("unbooked")))
    rows = [Difference(label, value, None) for label, value in said if value is not None]
    return Sides(("Server", "Books"), rows, path)


def _balance(item: Break, refs: Mapping[str, Any]) -> Sides:
    snapshot = AccountSnapshot.objects.filter(entity_id=item.entity_id, pk=refs.get("snapshot", 0)).first()
    account = (
        TradingAccount.objects.filter(entity_id=item.entity_id, pk=refs.get("trading_account", 0))
        .select_related("client")
        .first()
    )
    what = "credit" if item.klass == "CREDIT" else "balance"
    rows = [
        Difference("Login", attribute(account, "login"), attribute(snapshot, "login")),
        Difference("Currency", attribute(account, "currency_id"), attribute(snapshot, "currency")),
        Difference("Group", attribute(account, "group"), attribute(snapshot, "group"), same=True),
        _balance_row(item, refs, snapshot, what),
    ]
    path: list[Step] = []
    if account:
        ledger_id = account.credit_account_id if item.klass == "CREDIT" else account.balance_account_id
        login = f"Login {account.login} of {account.client.name}"
        path.append(Step("Books", login, reverse("trading-account", args=[account.pk])))
        path.append(Step("Ledger", "Statement", reverse("ledger-account", args=[ledger_id])))
    if snapshot:
        path.append(Step("Server", f"Read {snapshot.taken_at:%Y-%m-%d %H:%M:%S} UTC", ""))
        path += raw_step(item, snapshot.raw_id)
    return Sides(("Books", "Server"), rows, path)


def _balance_row(item: Break, refs: Mapping[str, Any], snapshot: AccountSnapshot | None, what: str) -> Difference:
    """What the run compared; the server's figure is without what happened after the day's end."""
    ours = Decimal(refs["ours"]) if refs.get("ours") is not None else None
    if ours is not None and item.amount is not None and snapshot is not None:
        theirs: Money | None = money(ours + item.amount, item.currency)
    else:
        theirs = money(attribute(snapshot, what), attribute(snapshot, "currency") or "")
    return Difference(f"{what.capitalize()} at the end of {item.business_date}", money(ours, item.currency), theirs)


def _journals(item: Break, reference: str) -> list[Step]:
    found = Journal.objects.filter(entity_id=item.entity_id, reference=reference).order_by("id")[:5]
    return [Step("Ledger", f"Journal {j.pk}: {j.description}", reverse("journal", args=[j.pk])) for j in found]


def _units(connection_id: Any) -> Any:
    """A function from a deal or listing row to its quantity in units of the instrument."""
    sizes = dict(SymbolMapping.objects.filter(connection_id=connection_id).values_list("symbol", "contract_size"))

    def units(row: Deal | ListingRow | None) -> Decimal | str | None:
        if row is None:
            return None
        size = sizes.get(row.symbol)
        return f"{row.volume_lots.normalize():f} lots" if size is None else row.volume_lots * size

    return units


def _same(left: Any, right: Any, name: str) -> bool | None:
    if left is None or right is None:
        return None
    return bool(getattr(left, name) == getattr(right, name))
