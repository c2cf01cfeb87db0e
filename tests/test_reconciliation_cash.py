"""Cash four ways over our own facts: wallets, inside movements, batches, people's matches, and attacks on them."""

from __future__ import annotations

import threading
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, connections, transaction

from accounts.services import reserves, wallets
from backoffice.kernel import clock
from backoffice.kernel.money import Money
from integrations.records import PspKind
from ledger.models import LedgerAccount
from ledger.selectors.balances import balances
from reconciliation.models import Break, CashAllocation, CashMatch, Kind, Rule, Run, Suggestion
from reconciliation.services import hands, runs
from tests import builders
from tests.builders import ROBOT
from tests.test_reconciliation_classes import found, run
from tests.worlds import DAY, NOON, bank_line, bank_notice, deposit, psp_line, world

pytestmark = pytest.mark.django_db
MATCH = "reconciliation.match_cash"


def pat():
    return builders.person(builders.user("pat", MATCH, entities=(builders.entity("CY"),)))


def books(code: str, currency: str = "USD") -> Decimal:
    account = LedgerAccount.objects.get(entity=builders.entity("CY"), code=code, currency_id=currency)
    return balances([account.pk])[account.pk]


def rule(**parameters) -> None:
    newest = Rule.objects.filter(kind="cash").order_by("-version")[0]
    Rule.objects.create(
        kind="cash",
        version=newest.version + 1,
        parameters={**newest.parameters, **parameters},
        made_at=clock.now(),
        made_by="test",
    )


def unmarked(amount: str = "100.00", **changes):
    """A client whose deposit D-AAAAAAA1 the bank brought without its reference."""
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"))
    w.put(w.bank, bank_line("b1", amount, counterparty="A LOVELACE", **{"remittance": "for my account", **changes}))
    w.book()
    return w


def test_a_wallet_has_books_and_no_server_operation():
    w = world()
    with clock.at(NOON.replace(tzinfo=UTC)):
        wallet = wallets.open_wallet(actor=ROBOT, client_id=w.client.pk, currency="USD")
        wallets.move(
            actor=ROBOT, wallet=wallet, amount=Money(Decimal(80), "USD"), contra="clearing.client_money",
            key="money:D-AAAAAAA1", description="D-AAAAAAA1 deposit",
        )  # fmt: skip
        reserves.hold(actor=ROBOT, reference="W-AAAAAAA2", amount=Money(Decimal(30), "USD"), wallet_id=wallet.pk)
        reserves.use(actor=ROBOT, reference="W-AAAAAAA2")
    w.put(w.psp, psp_line("p1", "80.00", reference="D-AAAAAAA1"))
    w.put(w.bank, bank_line("b1", "-30.00", end_to_end_id="W-AAAAAAA2"))
    w.book()
    done = run(w, Kind.CASH)
    assert (found(), done.matched) == ([], 2)
    kinds = CashAllocation.objects.values_list("fact_kind", "amount")
    assert sorted((kind, int(amount)) for kind, amount in kinds) == [
        ("bank", -30), ("journal", -30), ("journal", 80), ("psp", 80),
    ]  # fmt: skip


def test_what_moves_inside_nets_to_nothing_or_is_a_break_and_waits_for_no_outside():
    w = world()
    early = NOON - timedelta(days=9)
    w.put(
        w.server,
        deposit(1, "-40.00", "T-AAAAAAA1", server_time=early),
        deposit(2, "40.00", "T-AAAAAAA1", server_time=early),
        deposit(3, "25.00", "A-AAAAAAA2", server_time=early),
    )
    w.book()
    run(w, Kind.CASH)
    assert found() == [("INTERNAL", "USD")]
    assert Break.objects.get().key == "ref:A-AAAAAAA2:USD"


def test_a_top_up_of_client_money_is_two_bank_lines():
    w = world()
    early = DAY - timedelta(days=9)
    leg = {"remittance": "P-AAAAAAA1 top up", "booking_date": early}
    w.put(w.bank, bank_line("b1", "-500.00", **leg), bank_line("b2", "500.00", account="CY99", **leg))
    w.put(w.bank, bank_line("b3", "-7.00", remittance="P-AAAAAAA2", booking_date=early))
    w.book()
    run(w, Kind.CASH)
    assert [item.key for item in Break.objects.all()] == ["ref:P-AAAAAAA2:USD"]


def test_the_parts_of_a_batched_line_are_matched_and_taken_out_of_the_unallocated_receipts():
    w = world()
    w.put(w.server, deposit(1, "60.00", "D-AAAAAAA1"), deposit(2, "30.00", "D-AAAAAAA2"))
    w.put(w.bank, bank_line("b1", "100.00", bank_reference="BATCH1"))
    w.book()
    run(w, Kind.CASH)
    assert found() == [("UNIDENTIFIED", "b1")]
    assert books("clearing.unallocated") == -100
    w.put(
        w.bank,
        bank_notice("n1", "60.00", entry="100.00", end_to_end_id="D-AAAAAAA1"),
        bank_notice("n2", "30.00", entry="100.00", remittance="ref D-AAAAAAA2"),
        bank_notice("n3", "10.00", entry="100.00", remittance="who knows"),
    )
    for _ in range(2):
        run(w, Kind.CASH)
        assert found() == [("UNIDENTIFIED", "b1")]
        assert Break.objects.get(klass="UNIDENTIFIED").amount == 10
        assert (books("clearing.unallocated"), books("clearing.client_money")) == (-10, 0)
    taken = CashAllocation.objects.filter(fact_kind="bank").values_list("amount", flat=True)
    assert sorted(taken) == [30, 60]


def test_a_difference_inside_the_versioned_tolerance_matches_and_says_so():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"))
    w.put(w.psp, psp_line("p1", "99.50", reference="D-AAAAAAA1"))
    w.book()
    run(w, Kind.CASH)
    assert found() == [("AMOUNT", "D-AAAAAAA1")]
    rule(amount_tolerance={"USD": "0.50"})
    done = run(w, Kind.CASH)
    match = CashMatch.objects.get()
    assert (found(), match.difference, match.rule.version) == ([], Decimal("-0.50"), done.rule.version)
    assert match.evidence["tolerance"] == "0.50"
    assert any("inside the tolerance" in note for note in done.notes)
    rule(amount_tolerance={"USD": "0.49"})
    run(w, Kind.CASH)
    match.refresh_from_db()
    assert found() == [("AMOUNT", "D-AAAAAAA1")] and not match.stands


def test_a_suggestion_is_accepted_in_a_persons_name_books_and_can_be_undone():
    w = unmarked()
    run(w, Kind.CASH)
    assert found() == [("UNIDENTIFIED", "b1")]
    (chosen,) = Suggestion.objects.all()
    assert (chosen.rung, chosen.reference, chosen.tie) == ("AMOUNT", "D-AAAAAAA1", False)
    (match,) = hands.accept(actor=pat(), suggestion_id=chosen.pk)
    assert (books("clearing.unallocated"), books("clearing.client_money")) == (0, 0)
    done = run(w, Kind.CASH)
    assert (found(), done.matched) == ([], 1)
    assert CashMatch.objects.count() == 1, "the run makes no second one"
    with pytest.raises(hands.NotOpen):
        hands.accept(actor=pat(), suggestion_id=chosen.pk)
    hands.undo(actor=pat(), match_id=match.pk, reason="wrong client")
    match.refresh_from_db()
    assert (match.undone_by, match.undone_reason) == ("Pat", "wrong client")
    assert (books("clearing.unallocated"), books("clearing.client_money")) == (-100, 100)
    run(w, Kind.CASH)
    assert found() == [("UNIDENTIFIED", "b1")] and Suggestion.objects.get().state == "OPEN"


def test_a_dismissed_suggestion_does_not_come_back():
    w = unmarked()
    run(w, Kind.CASH)
    hands.dismiss(actor=pat(), suggestion_id=Suggestion.objects.get().pk)
    run(w, Kind.CASH)
    assert Suggestion.objects.get().state == "DISMISSED"


def test_the_fee_of_a_bank_is_booked_with_the_match():
    rule(fee_rate={"CY": "0.025"})
    w = unmarked("97.50")
    run(w, Kind.CASH)
    chosen = Suggestion.objects.get(rung="FEE")
    (match,) = hands.accept(actor=pat(), suggestion_id=chosen.pk)
    assert (match.difference, match.difference_is) == (Decimal("-2.50"), "expense.psp_fees")
    assert (books("clearing.unallocated"), books("clearing.client_money")) == (0, 0)
    assert books("expense.psp_fees") == Decimal("2.50")
    run(w, Kind.CASH)
    assert found() == []


def test_a_part_of_the_money_leaves_the_rest_open():
    w = unmarked("60.00", remittance="D-AAAAAAA8 first part")
    run(w, Kind.CASH)
    chosen = Suggestion.objects.get(rung="LIKENESS")
    hands.accept(actor=pat(), suggestion_id=chosen.pk)
    run(w, Kind.CASH)
    assert found() == [("AMOUNT", "D-AAAAAAA1")]
    assert Break.objects.get(klass="AMOUNT").amount == -40
    w.put(w.bank, bank_line("b2", "40.00", remittance="the rest"))
    w.book()
    run(w, Kind.CASH)
    hands.accept(actor=pat(), suggestion_id=Suggestion.objects.get(state="OPEN").pk)
    run(w, Kind.CASH)
    assert found() == []
    assert sorted(CashAllocation.objects.filter(fact_kind="deal").values_list("amount", flat=True)) == [40, 60]


def test_one_line_for_two_deposits_and_two_lines_for_one():
    w = world()
    w.put(
        w.server,
        deposit(1, "11.00", "D-AAAAAAA1"), deposit(2, "22.00", "D-AAAAAAA2"), deposit(3, "70.00", "D-AAAAAAA3"),
    )  # fmt: skip
    w.put(w.bank, bank_line("b1", "33.00"), bank_line("b2", "50.00"), bank_line("b3", "20.00"))
    w.book()
    run(w, Kind.CASH)
    open_ones = {(len(s.ours), len(s.theirs)): s for s in Suggestion.objects.filter(rung="PARTS")}
    hands.accept(actor=pat(), suggestion_id=open_ones[2, 1].pk)
    hands.accept(actor=pat(), suggestion_id=open_ones[1, 2].pk)
    run(w, Kind.CASH)
    assert found() == []
    assert CashMatch.objects.filter(undone_at=None).count() == 4
    assert books("clearing.unallocated") == 0


def test_a_tie_is_ambiguous_and_nothing_is_matched_by_itself():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"), deposit(2, "100.00", "D-AAAAAAA2"))
    w.put(w.bank, bank_line("b1", "100.00", remittance="for my account"))
    w.book()
    done = run(w, Kind.CASH)
    assert found() == [("AMBIGUOUS", "b1")]
    assert "fits D-AAAAAAA1, D-AAAAAAA2" in Break.objects.get().summary
    assert (done.matched, CashMatch.objects.count()) == (0, 0)
    first, second = Suggestion.objects.filter(tie=True)
    hands.accept(actor=pat(), suggestion_id=first.pk)
    with pytest.raises(hands.Taken):
        hands.accept(actor=pat(), suggestion_id=second.pk)


def test_money_the_other_way_and_a_second_line_are_no_match():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"), deposit(2, "50.00", "D-AAAAAAA2"))
    w.put(w.bank, bank_line("b1", "-100.00", remittance="D-AAAAAAA1"))
    twice = [psp_line(name, "50.00", reference="D-AAAAAAA2") for name in ("p1", "p2")]
    w.put(w.psp, *twice)
    w.book()
    run(w, Kind.CASH)
    assert found() == [("DIRECTION", "D-AAAAAAA1"), ("DUPLICATE_PSP", "D-AAAAAAA2")]
    assert not CashMatch.objects.exists()


def test_a_psp_line_without_a_reference_is_unidentified():
    w = world()
    w.put(w.psp, psp_line("p1", "50.00", reference="order 7"))
    w.book()
    run(w, Kind.CASH)
    assert found() == [("UNIDENTIFIED", "p1")]


def test_a_match_is_undone_when_its_facts_change_and_keeps_what_it_said():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"))
    w.put(w.psp, psp_line("p1", "100.00", reference="D-AAAAAAA1"))
    w.book()
    run(w, Kind.CASH)
    (match,) = CashMatch.objects.all()
    w.put(w.psp, psp_line("p1", "90.00", reference="D-AAAAAAA1"))
    w.book()
    run(w, Kind.CASH)
    match.refresh_from_db()
    assert not match.stands and match.evidence["psp"] == "100"
    assert found() == [("AMOUNT", "D-AAAAAAA1")]


def raw(sql: str, *values: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_postgresql_takes_no_more_of_a_fact_than_it_has_and_none_of_another_entity():
    w = unmarked()
    run(w, Kind.CASH)
    (match,) = hands.accept(actor=pat(), suggestion_id=Suggestion.objects.get().pk)
    line = match.allocations.get(fact_kind="bank")
    add = "INSERT INTO reconciliation_cashallocation (match_id, fact_kind, fact_id, amount) VALUES (%s, %s, %s, %s)"
    for kind, fact, amount in (
        ("bank", line.fact_id, "0.01"), ("bank", line.fact_id, "-1"), ("bank", 10**9, "1"), ("psp", line.fact_id, "1"),
    ):  # fmt: skip
        with pytest.raises(DatabaseError, match="would be matched"):
            raw(add, match.pk, kind, fact, amount)
    with pytest.raises(DatabaseError, match="permission denied"):
        raw("DELETE FROM reconciliation_cashmatch")
    with pytest.raises(DatabaseError):
        raw("UPDATE reconciliation_cashallocation SET amount = 1")
    with pytest.raises(DatabaseError, match="stands as it was written"):
        raw("UPDATE reconciliation_cashmatch SET rung = 'ID'")
    hands.undo(actor=pat(), match_id=match.pk, reason="test")
    with pytest.raises(DatabaseError, match="undone already"):
        raw("UPDATE reconciliation_cashmatch SET undone_at = NULL, undone_by = '', undone_reason = ''")
    other = builders.entity("UK")
    foreign = CashMatch.objects.create(
        entity=other, rule=match.rule, rung="HAND", key="ref:D-AAAAAAA1", currency="USD", amount=1, evidence={},
        person_id=match.person_id, made_by="test", made_at=clock.now(),
    )  # fmt: skip
    with pytest.raises(DatabaseError, match="would be matched"):
        raw(add, foreign.pk, "bank", line.fact_id, "1")


def test_only_people_decide_and_what_a_run_matched_is_not_undone_by_hand():
    w = world()
    w.put(w.server, deposit(1, "100.00", "D-AAAAAAA1"))
    w.put(w.psp, psp_line("p1", "100.00", reference="D-AAAAAAA1"))
    w.book()
    run(w, Kind.CASH)
    with pytest.raises(hands.NotOpen, match="at the source"):
        hands.undo(actor=pat(), match_id=CashMatch.objects.get().pk, reason="no")


def test_payout_lines_of_one_token_are_ambiguous():
    w = world()
    same = {"kind": PspKind.PAYOUT, "bank_reference": "TX12345XT"}
    w.put(w.psp, psp_line("p1", "-50.00", **same), psp_line("p2", "-50.00", **same))
    w.put(w.bank, bank_line("b1", "50.00", remittance="TX12345XT"))
    w.book()
    run(w, Kind.CASH)
    assert {klass for klass, _ in found()} == {"AMBIGUOUS"} and not CashMatch.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_people_and_a_run_at_once_match_a_line_once():
    w = unmarked()
    run(w, Kind.CASH)
    chosen, me, errors = Suggestion.objects.get().pk, pat(), []
    begun = threading.Barrier(4)

    def accept() -> None:
        try:
            begun.wait()
            hands.accept(actor=me, suggestion_id=chosen)
        except hands.NotOpen as error:
            errors.append(error)
        finally:
            connections.close_all()

    def compare() -> None:
        try:
            begun.wait()
            runs.run_now(actor=ROBOT, entity_id=w.server.entity_id, kind=Kind.CASH, day=DAY)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=target) for target in (accept, accept, accept, compare)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert CashAllocation.objects.filter(fact_kind="bank").count() == 1
    assert Run.objects.exclude(state="DONE").count() == 0
