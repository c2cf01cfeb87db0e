"""Lines that a person picks: proposed with a reason, accepted by another person, and what attacks on that come to."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.urls import reverse

from backoffice.management.commands.verify import findings
from integrations.models import BankLine, Deal, PspLine
from ledger.services import chart
from reconciliation.models import Break, CashAllocation, CashMatch, Kind, Rung, Suggestion
from reconciliation.selectors.candidates import OURS, THEIRS, Wanted, found
from reconciliation.services import by_hand, hands
from tests import builders
from tests.builders import ROBOT
from tests.test_reconciliation_cash import MATCH, books, pat, rule
from tests.test_reconciliation_classes import found as breaks_found
from tests.test_reconciliation_classes import run
from tests.worlds import DAY, bank_line, deposit, psp_line, world

pytestmark = pytest.mark.django_db


def quinn():
    return builders.person(builders.user("quinn", MATCH, entities=(builders.entity("CY"),)))


def strangers(theirs: str = "97.00", **changes):
    """A deposit nobody paid, and a bank line that says nothing: of another amount, so that nothing is suggested."""
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"))
    w.put(w.bank, bank_line("b1", theirs, remittance="gift", **changes))
    w.book()
    run(w, Kind.CASH)
    assert Suggestion.objects.exists() is (theirs == "100.00")
    return w


def names(model, kind: str) -> list[str]:
    return [f"{kind}:{pk}" for pk in model.objects.order_by("id").values_list("id", flat=True)]


def proposed(
    actor=None, difference: str = "", ours=None, theirs=None, reason: str = "same client, he called"
) -> Suggestion:
    return by_hand.propose(
        actor=actor or pat(),
        entity_id=builders.entity("CY").pk,
        ours=ours or names(Deal, "deal"),
        theirs=theirs or names(BankLine, "bank"),
        reason=reason,
        difference=difference,
    )


def test_two_people_match_what_nothing_suggests_and_the_fee_is_booked():
    w = strangers()
    unallocated, fees = books("clearing.unallocated"), books("expense.psp_fees")
    chosen = proposed(difference=hands.FEES)
    assert (chosen.rung, chosen.person_id, chosen.difference) == (Rung.HAND, pat().user_id, Decimal(-3))
    assert not CashMatch.objects.exists()
    run(w, Kind.CASH)
    chosen.refresh_from_db()
    assert chosen.state == "OPEN", "a run does not take back what a person put together"
    (match,) = hands.accept(actor=quinn(), suggestion_id=chosen.pk)
    assert (match.key, match.amount, match.difference) == ("ref:D-AAAAAAA1", Decimal(100), Decimal(-3))
    assert match.difference_is == hands.FEES and match.evidence["reason"] == "same client, he called"
    assert books("clearing.unallocated") - unallocated == 97
    assert books("expense.psp_fees") - fees == 3
    assert books("clearing.client_money") == 0
    run(w, Kind.CASH)
    assert breaks_found() == []
    assert findings() == []
    hands.undo(actor=pat(), match_id=match.pk, reason="another client's")
    assert (books("clearing.unallocated"), books("expense.psp_fees")) == (unallocated, fees)
    run(w, Kind.CASH)
    assert [klass for klass, _ in breaks_found()] == ["UNIDENTIFIED"]
    assert findings() == []


def test_who_put_it_together_does_not_accept_it_not_even_by_sql():
    strangers()
    me = pat()
    chosen = proposed(me, difference=hands.FEES)
    with pytest.raises(hands.OwnProposal):
        hands.accept(actor=me, suggestion_id=chosen.pk)
    with pytest.raises(DatabaseError, match="suggestion_accepted_by_another"), transaction.atomic():
        Suggestion.objects.filter(pk=chosen.pk).update(
            state="ACCEPTED", decided_by=me.user_id, decided_at=chosen.made_at
        )
    hands.dismiss(actor=me, suggestion_id=chosen.pk)
    assert not CashMatch.objects.exists()


def test_a_difference_is_said_or_lies_within_the_tolerance_or_stays_open():
    w = strangers("99.70")
    with pytest.raises(by_hand.CannotMatch, match=r"-0\.30 USD against ours"):
        proposed()
    rule(amount_tolerance={"USD": "0.30"})
    chosen = proposed()
    (match,) = hands.accept(actor=quinn(), suggestion_id=chosen.pk)
    assert (match.difference, match.difference_is) == (Decimal("-0.30"), "")
    assert books("clearing.client_money") == Decimal("0.30"), "as where a run matches within the tolerance"
    run(w, Kind.CASH)
    assert breaks_found() == []
    assert findings() == []


def test_a_part_leaves_the_rest_open():
    w = strangers("60.00")
    chosen = proposed(difference=by_hand.PART)
    assert (chosen.amount, chosen.difference) == (Decimal(60), Decimal(0))
    assert [Decimal(chosen.evidence[side].split()[0]) for side in ("ours", "theirs")] == [100, 60], "as picked"
    (match,) = hands.accept(actor=quinn(), suggestion_id=chosen.pk)
    assert (match.amount, match.difference) == (Decimal(60), Decimal(0))
    run(w, Kind.CASH)
    ((klass, _),) = breaks_found()
    assert (klass, Break.objects.get(klass="AMOUNT").amount) == ("AMOUNT", Decimal(-40))
    w.put(w.bank, bank_line("b2", "50.00", remittance="more"))
    w.book()
    second = BankLine.objects.get(line_key="b2").pk
    chosen = proposed(difference=by_hand.PART, theirs=[f"bank:{second}"])
    assert (chosen.amount, chosen.difference) == (Decimal(40), Decimal(0))
    assert [Decimal(chosen.evidence[side].split()[0]) for side in ("ours", "theirs")] == [40, 50], "as picked"
    (match,) = hands.accept(actor=quinn(), suggestion_id=chosen.pk)
    assert match.amount == 40
    run(w, Kind.CASH)
    assert Break.objects.get(state="OPEN").amount == 10, "what is left of the second line"
    assert findings() == []


def test_one_line_for_several_references_and_several_lines_for_one():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"), deposit(2, "30.00", "D-AAAAAAA2"))
    w.put(w.bank, bank_line("b1", "130.00", remittance="both"))
    w.book()
    made = hands.accept(actor=quinn(), suggestion_id=proposed().pk)
    assert [m.amount for m in made] == [100, 30]
    run(w, Kind.CASH)
    assert breaks_found() == []
    w.put(w.server, deposit(3, "50.00", "D-AAAAAAA3"))
    w.put(w.psp, psp_line("p1", "20.00", reference="lost"), psp_line("p2", "30.00", reference="lost too"))
    w.book()
    third = [f"deal:{Deal.objects.get(ticket=3).pk}"]
    made = hands.accept(actor=quinn(), suggestion_id=proposed(ours=third, theirs=names(PspLine, "psp")).pk)
    assert [m.amount for m in made] == [20, 30]
    run(w, Kind.CASH)
    assert breaks_found() == []
    assert findings() == []


def test_what_does_not_go_together_is_refused():
    w = strangers()
    w.put(w.server, deposit(2, "-10.00", "W-AAAAAAA2"), deposit(3, "5.00", "D-AAAAAAA3"))
    w.put(w.bank, bank_line("b2", "5.00", remittance="x"), bank_line("b3", "7.00", remittance="x", currency="EUR"))
    w.book()
    deals, lines = names(Deal, "deal"), names(BankLine, "bank")
    for arguments, words in (
        ({"ours": deals[:1], "theirs": lines[:1], "reason": " "}, "Give the reason"),
        ({"ours": [deals[0], deals[2]], "theirs": lines[:2]}, "Pick one reference"),
        ({"ours": deals[1:2], "theirs": lines[1:2]}, "came in and money that went out"),
        ({"ours": deals[:1], "theirs": lines[2:]}, "different currencies"),
        ({"ours": deals[:1], "theirs": lines[1:]}, "one side are of different currencies"),
        ({"ours": lines[:1], "theirs": lines[:1]}, "not on this side"),
        ({"ours": ["deal:0"], "theirs": lines[:1]}, "not there any more"),
        ({"ours": ["deal:x"], "theirs": lines[:1]}, "not on this side"),
        ({"ours": deals[:1], "theirs": lines[:1], "difference": "expense.write_off"}, "one of the choices"),
        ({"ours": deals[:1], "theirs": lines[:2], "difference": hands.FEES}, "one line and one reference"),
    ):
        with pytest.raises(by_hand.CannotMatch, match=words):
            proposed(**{"reason": "because", **arguments})
    assert not Suggestion.objects.exists()


def test_lines_of_another_entity_and_superseded_ones_are_not_there():
    w = strangers()
    other = builders.entity("MT")
    with pytest.raises(by_hand.CannotMatch, match="not of this entity"):
        by_hand.propose(
            actor=pat(), entity_id=other.pk, ours=names(Deal, "deal"), theirs=names(BankLine, "bank"), reason="mine"
        )
    chosen = proposed(difference=hands.FEES)
    before = names(BankLine, "bank")
    w.put(w.bank, bank_line("b1", "98.00", remittance="gift"))  # the bank corrects its line
    with pytest.raises(hands.NotOpen, match="corrected"):
        hands.accept(actor=quinn(), suggestion_id=chosen.pk)
    with pytest.raises(by_hand.CannotMatch, match="corrected"):
        proposed(theirs=before)


def test_another_currency_is_an_exchange_of_one_line_for_one_reference():
    w = world()
    chart.open_house(actor=ROBOT, entity_id=w.server.entity_id, currency="EUR")
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"))
    w.put(w.bank, bank_line("b1", "90.00", remittance="gift", currency="EUR"))
    w.book()
    (match,) = hands.accept(actor=quinn(), suggestion_id=proposed(difference=hands.EXCHANGE).pk)
    assert (match.currency, match.amount, match.difference_is) == ("USD", Decimal(100), hands.EXCHANGE)
    assert (books("clearing.fx", "USD"), books("clearing.fx", "EUR")) == (100, -90)
    run(w, Kind.CASH)
    assert breaks_found() == []
    assert findings() == []


def test_a_line_that_is_matched_already_is_not_offered_and_not_taken_twice():
    strangers("100.00")
    one, other = proposed(), proposed(quinn())
    hands.accept(actor=quinn(), suggestion_id=one.pk)
    here = builders.entity("CY").pk
    assert found(Wanted(here, "USD", DAY), OURS) == found(Wanted(here, "USD", DAY), THEIRS) == []
    with pytest.raises(by_hand.CannotMatch, match="matched already"):
        proposed()
    with pytest.raises(hands.Taken):
        hands.accept(actor=pat(), suggestion_id=other.pk)
    assert CashMatch.objects.count() == 1


def test_raw_sql_takes_no_line_twice_and_no_part_of_no_match():
    strangers("100.00")
    (match,) = hands.accept(actor=quinn(), suggestion_id=proposed().pk)
    line = BankLine.objects.get().pk
    copied = ("INSERT INTO reconciliation_cashmatch (entity_id, rule_id, rung, key, currency, amount, difference,"
              " difference_is, evidence, person_id, made_by, made_at, booked, undone_by, undone_reason)"
              " SELECT {}, {}, rung, key, currency, amount, 0, '', '{{}}', person_id, made_by, made_at, 0, '', ''"
              " FROM reconciliation_cashmatch WHERE id = %s RETURNING id")  # fmt: skip
    part = "INSERT INTO reconciliation_cashallocation (match_id, fact_kind, fact_id, amount) VALUES (%s, 'bank', %s, 1)"
    with connection.cursor() as cursor:
        cursor.execute(copied.format("entity_id", "rule_id"), [match.pk])
        (second,) = cursor.fetchone()
        cursor.execute(copied.format("entity_id", "0"), [match.pk])
        (without_rule,) = cursor.fetchone()
        for statement, values, words in (
            (part, [second, line], "has 100"),
            (part, [second + 1000, line], "a match that does not exist"),
            (part, [without_rule, line], "without entity or rule"),
        ):
            with pytest.raises(DatabaseError, match=words), transaction.atomic():
                cursor.execute(statement, values)


@pytest.mark.django_db(transaction=True)
def test_two_proposals_of_one_line_accepted_at_once_match_it_once():
    strangers("100.00")
    pairs = [(quinn(), proposed(pat()).pk), (pat(), proposed(quinn()).pk)]
    begun, errors = threading.Barrier(2), []

    def accept(actor, pk: int) -> None:
        try:
            begun.wait()
            hands.accept(actor=actor, suggestion_id=pk)
        except hands.Taken as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=accept, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    assert CashAllocation.objects.filter(fact_kind="bank").count() == CashMatch.objects.count() == 1
    assert findings() == []


@pytest.mark.django_db(transaction=True)
def test_verify_names_a_match_that_was_tampered_with(owner):
    strangers()
    (match,) = hands.accept(actor=quinn(), suggestion_id=proposed(difference=hands.FEES).pk)
    assert findings() == []
    owner.execute("ALTER TABLE reconciliation_cashmatch DISABLE TRIGGER USER")
    owner.execute(
        "UPDATE reconciliation_cashmatch SET amount = amount + 1, booked = booked + 1000 WHERE id = %s", [match.pk]
    )
    owner.execute("ALTER TABLE reconciliation_cashallocation DISABLE TRIGGER USER")
    owner.execute(
        "INSERT INTO reconciliation_cashallocation (match_id, fact_kind, fact_id, amount)"
        " SELECT match_id, fact_kind, fact_id, amount FROM reconciliation_cashallocation WHERE fact_kind = 'bank'"
    )
    owner.execute(
        "INSERT INTO reconciliation_cashallocation (match_id, fact_kind, fact_id, amount) VALUES (0, 'bank', 0, 1)"
    )
    rules = {finding.rule for finding in findings()}
    assert {
        "no more of a fact is matched than it has",
        "a match by hand takes what it says",
        "what a match booked stands in the books, and is reversed where it was undone",
        "a part belongs to a match, and a match to an entity and a rule",
    } <= rules


def test_the_page_finds_lines_and_proposes(client):
    w = strangers()
    w.put(w.bank, *(replace(bank_line(f"n{n}", f"{n}.00", remittance=f"other {n}")) for n in range(1, 4)))
    w.book()
    run(w, Kind.CASH)
    someone = builders.user("pat", MATCH, "reconciliation.view_break", entities=(builders.entity("CY"),))
    client.force_login(someone)
    item = Break.objects.get(klass="UNIDENTIFIED", amount=97)
    address = reverse("match-by-hand", args=[item.pk])
    page = client.get(address).content.decode()
    assert "D-AAAAAAA1" in page and "gift" in page and "other 3" in page
    narrow = "?day=2026-11-19&around=1&amount=3&text=OTHER&ours_currency=USD&theirs_currency=usd"
    page = client.get(address + narrow).content.decode()
    assert "other 3" in page and "other 2" not in page and "D-AAAAAAA1" not in page
    assert "gift" in page, "the break's own line stays"
    data = {"ours": names(Deal, "deal"), "theirs": [f"bank:{item.refs['bank'][0]}"], "reason": "he called"}
    refused = client.post(address, data)
    assert refused.status_code == 422 and "against ours" in refused.content.decode()
    answer = client.post(address, {**data, "difference": hands.FEES})
    assert answer.status_code == 303 and Suggestion.objects.get(rung=Rung.HAND).person == someone
    client.force_login(builders.user("nobody", "reconciliation.view_break", entities=(builders.entity("CY"),)))
    assert client.get(address).status_code == 403
    away = builders.user("away", MATCH, "reconciliation.view_break", entities=(builders.entity("MT"),))
    client.force_login(away)
    assert client.get(address).status_code == 404
