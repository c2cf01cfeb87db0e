"""Return to source as arithmetic, and destinations as text: pure functions, golden examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.models import PayeeKind, SourceOrder
from payments.selectors.sources import Order, Part, Source, plan, sentence
from payments.services.destinations import BadDestination, checked, fingerprint, name_match

D = Decimal
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def source(number: int, method: str, amount: str, *, days: int = 0, left: str = "") -> Source:
    at = NOW - timedelta(days=days or 30 - number)
    return Source(number, f"D-{number}", method, at, D(amount), D(left or amount))


# The worked example of a broker's help page: card 2,000, PayPal 500, Neteller 1,000 paid in, profit 300.
CARD, PAYPAL, NETELLER = source(1, "CARD", "2000"), source(2, "EWALLET", "500"), source(3, "EWALLET", "1000")
ALL = (CARD, PAYPAL, NETELLER)


def split(amount: str, rule: Order, *sources: Source) -> list[tuple[str, Decimal]]:
    parts = plan(sources or ALL, D(amount), rule, now=NOW, exponent=2)
    return [(part.source.reference if part.source else "profit", part.amount) for part in parts]


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("3800", [("D-1", D(2000)), ("D-2", D(500)), ("D-3", D(1000)), ("profit", D(300))]),
        ("3500", [("D-1", D(2000)), ("D-2", D(500)), ("D-3", D(1000))]),
        ("2200", [("D-1", D(2000)), ("D-2", D(200))]),
        ("2000.00", [("D-1", D(2000))]),
        ("0.01", [("D-1", D("0.01"))]),
    ],
)
def test_first_in_first_out(amount: str, expected: list[tuple[str, Decimal]]) -> None:
    assert split(amount, Order(SourceOrder.FIFO)) == expected


def test_other_orders() -> None:
    assert split("1200", Order(SourceOrder.LIFO)) == [("D-3", D(1000)), ("D-2", D(200))]
    by_method = Order(SourceOrder.PRIORITY, priority=("EWALLET", "CARD"))
    assert split("1700", by_method) == [("D-2", D(500)), ("D-3", D(1000)), ("D-1", D(200))]
    assert split("700", Order(SourceOrder.PRO_RATA)) == [("D-1", D(400)), ("D-2", D(100)), ("D-3", D(200))]
    assert split("3800", Order(SourceOrder.PRO_RATA))[-1] == ("profit", D(300))
    thirds = [source(n, "CARD", "100") for n in (1, 2, 3)]
    assert [amount for _, amount in split("100", Order(SourceOrder.PRO_RATA), *thirds)] == [
        D("33.34"),
        D("33.33"),
        D("33.33"),
    ]


def test_a_window_that_is_over_sends_it_another_way() -> None:
    old = source(1, "CARD", "2000", days=121)
    rule = Order(SourceOrder.FIFO, windows={"CARD": 120})
    (first, second) = plan([old, PAYPAL], D(2300), rule, now=NOW, exponent=2)
    assert (first.expired, first.method, second.expired, second.method) == (True, "", False, "EWALLET")
    assert sentence(first, "USD", 2) == "2,000.00 USD by card (D-1, its refund window is over)"
    assert plan([source(1, "CARD", "1", days=119)], D(1), rule, now=NOW, exponent=2)[0].method == "CARD"


def test_what_is_gone_and_what_is_small_is_passed_over() -> None:
    spent = source(1, "CARD", "2000", left="0")
    dust = source(2, "EWALLET", "500", left="0.40")
    rule = Order(SourceOrder.FIFO, tolerance=D("0.50"))
    assert split("100", rule, spent, dust, NETELLER) == [("D-3", D(100))]


@given(
    st.lists(st.tuples(st.sampled_from(PayeeKind.values), st.integers(0, 10**7)), max_size=6),
    st.integers(1, 10**8),
    st.sampled_from(SourceOrder.values),
)
def test_every_cent_goes_somewhere_and_no_source_gets_more_than_it_has(
    paid: list[tuple[str, int]], cents: int, order: str
) -> None:
    sources = [source(n, method, str(D(amount) / 100)) for n, (method, amount) in enumerate(paid)]
    parts = plan(sources, D(cents) / 100, Order(order), now=NOW, exponent=2)
    assert sum((part.amount for part in parts), D(0)) == D(cents) / 100
    by_source = {part.source.request_id: part.amount for part in parts if part.source}
    assert len(by_source) == sum(1 for part in parts if part.source), "each source once"
    assert all(0 < by_source[s.request_id] <= s.left for s in sources if s.request_id in by_source)
    profit = sum((part.amount for part in parts if part.source is None), D(0))
    assert profit == max(D(cents) / 100 - sum((s.left for s in sources), D(0)), D(0))
    assert isinstance(parts[-1], Part)


# Destinations

GOOD_IBAN = {"iban": "de89 3704 0044 0532 0130 00", "town": "Berlin", "country": "de"}


def test_a_bank_account_is_brought_to_one_spelling() -> None:
    found = checked("BANK", GOOD_IBAN)
    assert found.details == {
        "iban": "DE89370400440532013000", "bic": "COBADEFFXXX", "town": "Berlin", "country": "DE"
    }  # fmt: skip
    assert (found.label, found.identity) == ("COBADEFFXXX …3000", "DE89370400440532013000")
    us = checked("BANK", {"account": "12-345678", "bic": "CHASUS33", "town": "Austin", "country": "US"})
    assert us.identity == "CHASUS33:12345678"


@pytest.mark.parametrize(
    "given",
    [
        {**GOOD_IBAN, "iban": "DE89370400440532013001"},
        {**GOOD_IBAN, "iban": "DE8937040044053201300"},
        {**GOOD_IBAN, "iban": ""},
        {**GOOD_IBAN, "account": "123"},
        {**GOOD_IBAN, "town": ""},
        {**GOOD_IBAN, "country": "Germany"},
        {**GOOD_IBAN, "bic": "COBADEF"},
        {**GOOD_IBAN, "bic": "CHASUS33"},
        {"account": "12345678", "town": "Austin", "country": "US"},
    ],
)
def test_bank_accounts_that_cannot_be(given: dict[str, str]) -> None:
    with pytest.raises(BadDestination):
        checked("BANK", given)


def test_a_card_is_a_token_and_never_a_number() -> None:
    assert checked("CARD", {"token": "tok_1", "last4": "4242", "brand": "visa"}).label == "visa …4242"
    for wrong in ({"token": "4242424242424242", "last4": "4242"}, {"token": "tok_1", "last4": "42"}, {"last4": "4242"}):
        with pytest.raises(BadDestination):
            checked("CARD", wrong)


# Addresses of BIP 173, BIP 350, the genesis block and Tron's own documentation.
ADDRESSES = {
    "BTC": (
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ),
    "TRON": ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",),
    "ETH": ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",),
}


@pytest.mark.parametrize(("network", "address"), [(n, a) for n, known in ADDRESSES.items() for a in known])
def test_addresses_are_checked_by_their_own_sum(network: str, address: str) -> None:
    assert checked("CRYPTO", {"network": network, "address": address}).identity.startswith(network)
    for place in (3, len(address) // 2, len(address) - 1) if network != "ETH" else ():
        other = "2" if address[place] != "2" else "3"
        with pytest.raises(BadDestination):
            checked("CRYPTO", {"network": network, "address": address[:place] + other + address[place + 1 :]})
    with pytest.raises(BadDestination):
        checked("CRYPTO", {"network": network, "address": address[:-1]})


def test_the_same_destination_has_the_same_fingerprint_and_another_key_another_one(settings) -> None:  # type: ignore[no-untyped-def]
    one = fingerprint("BANK", checked("BANK", GOOD_IBAN).identity)
    assert one == fingerprint("BANK", "DE89370400440532013000") and "DE89" not in one
    assert one != fingerprint("CRYPTO", "DE89370400440532013000")
    settings.FIELD_KEYS = ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDI="]
    assert one != fingerprint("BANK", "DE89370400440532013000")


@pytest.mark.parametrize(
    ("holder", "client", "fits"),
    [
        ("Ada Lovelace", "Ada Lovelace", True),
        ("LOVELACE ADA", "Ada Lovelace", True),
        ("Mr. José Núñez", "Jose Nunez", True),
        ("Charles Babbage", "Ada Lovelace", False),
        ("Lovelace Trading Ltd", "Ada Lovelace", False),
    ],
)
def test_names(holder: str, client: str, fits: bool) -> None:
    assert (name_match(holder, client) >= 90) is fits
