"""The ladder by itself: what matches, what never does, and that neither order nor day of arrival changes it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciliation.services import ladder
from reconciliation.services.ladder import Item, Rules, Rung
from reconciliation.services.ladder.likely import likeness

DAY = date(2026, 11, 18)
RULES = Rules(windows={"": 3, "CRYPTO": 1}, tolerance=Decimal("0.50"), fee_rate=Decimal("0.025"), likeness=90)


def item(number: int, amount: str, **changes) -> Item:
    return replace(Item(number, Decimal(amount), "USD", DAY, number), **changes)


def classes(done) -> list[tuple[str, list[int], list[int]]]:
    found = [(f.klass, [i.id for i in f.ours], [i.id for i in f.theirs]) for f in done.findings]
    return sorted(found)


def matched(done) -> list[tuple[str, list[int], list[int], Decimal]]:
    return sorted((m.rung.value, [i.id for i in m.ours], [i.id for i in m.theirs], m.difference) for m in done.matches)


@pytest.mark.parametrize(
    ("theirs", "klass"),
    [
        ({"amount": Decimal("100.51")}, "AMOUNT"),
        ({"amount": Decimal("-100.00")}, "DIRECTION"),
        ({"currency": "EUR"}, "CURRENCY"),
    ],
)
def test_the_same_identifier_with_other_money_is_never_a_match(theirs, klass):
    done = ladder.match(
        ours=[item(1, "100", key="A")], theirs=[replace(item(9, "100", key="A"), **theirs)], rules=RULES
    )
    assert done.matches == [] and classes(done) == [(klass, [1], [9])]


def test_a_difference_inside_the_tolerance_matches_and_is_shown_as_such():
    done = ladder.match(ours=[item(1, "100", key="A")], theirs=[item(9, "99.50", key="A")], rules=RULES)
    assert matched(done) == [("ID", [1], [9], Decimal("-0.50"))]
    assert done.matches[0].evidence["difference"] == "-0.50" and done.matches[0].evidence["tolerance"] == "0.50"


@pytest.mark.parametrize("first", ["100", "115"])
def test_a_second_line_with_an_identifier_is_a_duplicate_even_where_it_fits_better(first):
    theirs = [item(8, first, key="A"), item(9, "100", key="A")]
    done = ladder.match(ours=[item(1, "100", key="A")], theirs=theirs, rules=RULES)
    assert ("DUPLICATE", [], [9]) in classes(done)
    assert all(9 not in found[2] for found in matched(done))
    assert matched(done) == ([("ID", [1], [8], Decimal(0))] if first == "100" else [])


def test_what_was_matched_yesterday_is_what_is_matched_when_all_is_known():
    """Replay: the duplicate of tomorrow does not change the match of today."""
    ours, first, second = item(1, "100", key="A"), item(8, "100", key="A"), item(9, "100", key="A")
    then = ladder.match(ours=[ours], theirs=[first], rules=RULES)
    now = ladder.match(ours=[ours], theirs=[second, first], rules=RULES)
    assert matched(then) == matched(now)


def test_many_lines_with_one_identifier_that_sum_up_are_one_match():
    theirs = [item(8, "60", key="A"), item(9, "40", key="A")]
    done = ladder.match(ours=[item(1, "100", key="A")], theirs=theirs, rules=RULES)
    assert matched(done) == [("ID", [1], [8, 9], Decimal(0))]


def test_a_payout_group_matches_its_bank_line_per_currency():
    whole = [item(1, "90", references=frozenset({"P-7"})), item(2, "50", currency="EUR", references=frozenset({"P-7"}))]
    parts = [item(7, "60", group="P-7"), item(8, "30", group="P-7"), item(9, "51", currency="EUR", group="P-7")]
    done = ladder.match(ours=whole, theirs=parts, rules=RULES)
    assert matched(done) == [("GROUP", [1], [7, 8], Decimal(0))]
    assert [i.id for i in done.ours] == [2] and [i.id for i in done.theirs] == [9]


def test_a_reference_that_two_lines_carry_is_ambiguous():
    both = frozenset({"D-AAAAAAA1"})
    ours = [item(1, "100", references=both)]
    done = ladder.match(
        ours=ours, theirs=[item(8, "100", references=both), item(9, "100", references=both)], rules=RULES
    )
    assert done.matches == []
    assert classes(done) == [("AMBIGUOUS", [1], [8]), ("AMBIGUOUS", [1], [9])]
    one = ladder.match(ours=ours, theirs=[item(8, "100", references=both)], rules=RULES)
    assert matched(one) == [("REFERENCE", [1], [8], Decimal(0))]


def test_a_fee_that_is_not_the_agreed_one_is_said_beside_the_match():
    theirs = [item(8, "100", key="A", fee=Decimal("2.50")), item(9, "100", key="B", fee=Decimal("3.00"))]
    done = ladder.match(ours=[item(1, "100", key="A"), item(2, "100", key="B")], theirs=theirs, rules=RULES)
    assert len(done.matches) == 2 and classes(done) == [("FEE", [2], [9])]


def proposed(ours, theirs, rules=RULES):
    return [(p.rung, [i.id for i in p.ours], [i.id for i in p.theirs], p.tie) for p in ladder.propose(
        ours=ours, theirs=theirs, rules=rules)]  # fmt: skip


def test_each_upper_rung_proposes_and_none_of_them_matches():
    def rate(base: str, quote: str, on: date) -> Decimal | None:
        return Decimal("1.10") if (base, quote) == ("EUR", "USD") else None

    rules = replace(RULES, rate=rate)
    ours = [
        item(1, "100"),
        item(2, "200"),
        item(3, "330"),
        item(4, "77", references=frozenset({"D-AAAAAAA1"}), day=DAY - timedelta(days=30)),
        item(5, "11"),
        item(6, "22"),
    ]
    theirs = [
        item(11, "100"),
        item(12, "195.00"),  # less 2.5 %
        item(13, "300", currency="EUR"),
        item(14, "77", references=frozenset({"D-AAAAAAA8"})),
        item(15, "33"),
    ]
    assert proposed(ours, theirs, rules) == [
        (Rung.AMOUNT, [1], [11], False),
        (Rung.FEE, [2], [12], False),
        (Rung.FX, [3], [13], False),
        (Rung.LIKENESS, [4], [14], False),
        (Rung.PARTS, [5, 6], [15], False),
    ]
    assert ladder.match(ours=ours, theirs=theirs, rules=rules).matches == []


def test_ties_are_marked_on_both_sides():
    assert all(tie for *_, tie in proposed([item(1, "5"), item(2, "5")], [item(9, "5")]))
    assert all(tie for *_, tie in proposed([item(1, "5")], [item(8, "5"), item(9, "5")]))


def test_sums_in_more_than_one_way_are_a_tie_and_too_many_candidates_say_nothing():
    ours = [item(1, "10"), item(2, "20"), item(3, "30"), item(4, "25"), item(5, "35")]
    assert {tie for *_, tie in proposed(ours, [item(9, "60")])} == {True}
    many = [item(n, f"{n}") for n in range(1, 15)]
    assert proposed(many, [item(99, "105")]) == []


def test_outside_the_window_an_amount_is_no_proposal():
    assert proposed([item(1, "5")], [item(9, "5", day=DAY + timedelta(days=4))]) == []
    assert proposed([item(1, "5", method="CRYPTO")], [item(9, "5", day=DAY + timedelta(days=2))]) == []


def test_names_are_alike_however_they_are_written():
    one = item(1, "5", text="Ada Lovelace")
    assert likeness(one, item(9, "5", text="LOVELACE, ADA ref 77")) >= 90
    assert likeness(one, item(9, "5", text="Grace Hopper")) < 90
    assert likeness(item(1, "5"), item(9, "5")) == 0


_ITEMS = st.lists(
    st.builds(
        lambda n, amount, key, ref, currency: (n, amount, key, ref, currency),
        st.integers(1, 10_000),
        st.sampled_from(["5", "10", "15", "-5"]),
        st.sampled_from(["", "", "A", "B", "C"]),
        st.sampled_from(["", "REF-1", "REF-2"]),
        st.sampled_from(["USD", "EUR"]),
    ),
    max_size=8,
    unique_by=lambda row: row[0],
)


def _made(rows) -> list[Item]:
    return [
        item(n, amount, key=key, references=frozenset({ref} - {""}), currency=currency)
        for n, amount, key, ref, currency in rows
    ]


@settings(max_examples=150, deadline=None)
@given(_ITEMS, _ITEMS, st.randoms(use_true_random=False))
def test_no_money_is_matched_twice_and_order_plays_no_part(mine, yours, rng: random.Random):
    ours, theirs = _made(mine), _made(yours)
    done = ladder.match(ours=ours, theirs=theirs, rules=RULES)
    for side in ("ours", "theirs"):
        used = [i.id for m in done.matches for i in getattr(m, side)]
        assert len(used) == len(set(used))
    for match in done.matches:
        assert len({i.currency for i in (*match.ours, *match.theirs)}) == 1
        assert abs(match.difference) <= RULES.tolerance
        assert len({i.amount > 0 for i in (*match.ours, *match.theirs)}) == 1
    seen = {i.id for m in done.matches for i in m.theirs} | {i.id for f in done.findings for i in f.theirs}
    assert seen | {i.id for i in done.theirs} == {i.id for i in theirs}
    rng.shuffle(ours)
    rng.shuffle(theirs)
    again = ladder.match(ours=ours, theirs=theirs, rules=RULES)
    assert matched(again) == matched(done) and classes(again) == classes(done)
    assert proposed(again.ours, again.theirs) == proposed(done.ours, done.theirs)
