"""Payment files: two people make one, one hands it out once, the bank's refusals give the money back, each once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client as Browser
from django.urls import reverse
from lxml import etree

from accounts.services import flags
from accounts.services.restrictions import Restricted
from backoffice.access.services.pairs import PairForbidden
from backoffice.approvals.models import Request
from backoffice.approvals.services import requests
from backoffice.approvals.services.refusals import Excluded, SameEyes
from backoffice.audit.models import Entry
from backoffice.kernel import clock
from backoffice.kernel.actor import Person
from backoffice.kernel.errors import DomainError, NotPermitted
from backoffice.organisation.models import User
from ledger.models import LedgerAccount
from payments.actions import files as actions
from payments.models import FileExport, MoneyRequest, OwnBank, PaymentFile, PaymentFileLine, Payout, StatusReport
from payments.models.files import FILE_STEPS, FileState
from payments.selectors import files as ready
from payments.selectors import verify
from payments.services import file_reports, files, payouts
from payments.services.file_reports import BadReport
from payments.services.files import AlreadyOut, CannotMakeFile
from tests.attacks import at_once, execute
from tests.builders import ROBOT, entity, person, user
from tests.clients import member
from tests.desk import unchanged
from tests.payments_desk import Desk, at_source, bank, fresh, open_desk, state
from tests.test_payments_file_forms import report, row, said
from tests.worlds import bank_line

D = Decimal
committed = pytest.mark.django_db(transaction=True)


def own_bank(desk: Desk, **changes: Any) -> OwnBank:
    """An account of the house in the books, proposed by one and agreed to by another."""
    at_source(bank(), bank_line("OPEN", "0.01"))
    account = LedgerAccount.objects.get(code__startswith="bank.", currency="USD")
    values = {
        "holder": "Example (CY) Ltd", "iban": "CY17002001280000001200527600", "number": "", "bic": "BCYPCY2N",
        "clearing_system": "", "clearing_member": "", "street": "Main St 1", "town": "Limassol", "country": "CY",
        "charges": "SHAR", **changes,
    }  # fmt: skip
    sam = person(user("sam", "payments.ask_ownbank", entities=(desk.here,)))
    mia = person(user("mia", "payments.approve_ownbank", entities=(desk.here,)))
    payload = actions.ChangeBank(account.pk, **values)
    asked = requests.submit(actor=sam, action=actions.CHANGE_BANK, payload=payload, reason="we bank there")
    requests.approve(actor=mia, request_id=asked.pk, seen_hash=asked.payload_hash)
    return OwnBank.objects.latest("pk")


@dataclass
class Files:
    """A desk with an account to pay from, Paul beside Pat, and Fred who imports what the bank answers."""

    desk: Desk
    bank: OwnBank

    def __getattr__(self, name: str) -> Any:
        return getattr(self.desk, name)

    def waiting(self, *amounts: str) -> list[MoneyRequest]:
        found = [self.desk.approved(amount) for amount in amounts]
        for request in found:
            self.desk.send(request, way="FILE")
        return found

    def payload(self, *wanted: MoneyRequest, **changes: Any) -> actions.MakeFile:
        rows = list(Payout.objects.filter(request__in=wanted))
        return replace(actions.batch(self.bank, "SWIFT", clock.today(), rows), **changes)

    def ask(self, *wanted: MoneyRequest, who: Person | None = None, **changes: Any) -> Request:
        payload = self.payload(*wanted, **changes)
        return requests.submit(actor=who or self.desk.pat, action=actions.MAKE_FILE, payload=payload, reason="today")

    def made(self, *wanted: MoneyRequest) -> PaymentFile:
        asked = self.ask(*wanted)
        requests.approve(actor=self.desk.finn, request_id=asked.pk, seen_hash=asked.payload_hash)
        return PaymentFile.objects.latest("pk")

    def out(self, *wanted: MoneyRequest) -> PaymentFile:
        file = self.made(*wanted)
        files.hand_out(actor=self.desk.pat, file_id=file.pk)
        return PaymentFile.objects.get(pk=file.pk)

    def told(self, file: PaymentFile, *rows: str, who: Person | None = None, **more: Any) -> StatusReport:
        content = report(*rows, order=file.message_id, **more)
        return file_reports.take(actor=who or self.desk.fred, stream=BytesIO(content))


@pytest.fixture
def f(db: None) -> Files:
    desk = open_desk()
    return Files(desk, own_bank(desk))


def denied(statement: str, match: str = "") -> None:
    with pytest.raises(DatabaseError, match=match or None), transaction.atomic():
        execute(statement)
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def now(file: PaymentFile) -> str:
    return PaymentFile.objects.get(pk=file.pk).state


def test_from_ready_payouts_to_the_bank_and_back(f: Files) -> None:
    one, two, three = f.waiting("100.00", "200.00", "50.00")
    asked = f.ask(one, two, three)
    assert not PaymentFile.objects.exists() and state(one) == "TO_PAY"
    assert asked.money and not asked.bulk and "350.00 USD" in asked.summary
    assert f.client.name not in str(asked.preview) + str(asked.payload) + asked.summary
    requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash)

    file = PaymentFile.objects.get()
    content = bytes(file.content)
    assert (file.number, file.total, file.state, file.made_by_id) == (3, D(350), "MADE", f.pat.user_id)
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert said(content, "GrpHdr/MsgId") == [file.message_id] and said(content, "PmtInfId") == [file.batch_id]
    assert said(content, "EndToEndId") == [one.reference, two.reference, three.reference]
    assert said(content, "InstdAmt") == ["100.00", "200.00", "50.00"]
    assert said(content, "Cdtr/Nm") == ["Ada Lovelace"] * 3 and said(content, "CdtrAcct/Id/IBAN")[0].startswith("DE89")
    assert [state(r) for r in (one, two, three)] == ["PAYING"] * 3
    assert not ready.ready().exists() and f.money() == (D(650), D(350))

    export = files.hand_out(actor=f.pat, file_id=file.pk)
    assert (now(file), state(one), f.money()) == ("SENT", "SENT", (D(650), D(0)))
    assert (export.number, export.sha256, export.by_id) == (1, file.sha256, f.pat.user_id)
    assert Entry.objects.filter(action="payments.file_handed_out").count() == 1

    f.told(file, row(one.reference, "ACSP"), row(two.reference, "ACSP"), row(three.reference, "PDNG"), group="ACSP")
    assert now(file) == "ACCEPTED"
    f.told(
        file,
        row(two.reference, "RJCT", "AC01", "200.00"),
        row(three.reference, "RJCT", "AC04", "50.00"),
        group="PART",
        name="R-2",
    )
    assert (now(file), state(one), state(two), state(three)) == ("PARTLY", "SENT", "FAILED", "FAILED")
    assert f.money() == (D(900), D(0))
    event = fresh(two).events.latest("pk")
    assert event.data["journal"] and "AC01 wrong account number" in Payout.objects.get(request=two).error
    at_source(bank(), bank_line("L1", "-100.00", end_to_end_id=one.reference))
    assert state(one) == "DONE" and list(verify.findings()) == []


def test_who_may_make_approve_and_take_it(f: Files) -> None:
    (one,) = f.waiting("100.00")
    for who in (f.fred, f.sue, f.finn):
        unchanged(NotPermitted, lambda who=who: f.ask(one, who=who))
    asked = f.ask(one)
    user("pat", "payments.approve_paymentfile")
    with pytest.raises(SameEyes):
        requests.approve(actor=f.pat, request_id=asked.pk, seen_hash=asked.payload_hash)
    user("carl", "payments.approve_paymentfile")
    unchanged(Excluded, lambda: requests.approve(actor=f.carl, request_id=asked.pk, seen_hash=asked.payload_hash))
    requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash)
    file = PaymentFile.objects.get()
    user("finn", "payments.send_payout")
    user("sue", "payments.send_payout", "payments.view_paymentfile")
    unchanged(SameEyes, lambda: files.hand_out(actor=f.finn, file_id=file.pk))
    unchanged(PairForbidden, lambda: files.hand_out(actor=f.sue, file_id=file.pk))
    unchanged(NotPermitted, lambda: files.hand_out(actor=f.fred, file_id=file.pk))
    denied(
        "INSERT INTO payments_fileexport (file_id, number, at, by_id, sha256, reason) VALUES"
        f" ({file.pk}, 1, now(), {f.finn.user_id}, '{file.sha256}', '')"
    )
    files.hand_out(actor=f.paul, file_id=file.pk)


def test_a_second_export_names_the_first(f: Files) -> None:
    file = f.out(*f.waiting("100.00"))
    sentence = rf"Pat took {file.message_id} out on \d{{4}}-\d\d-\d\d at \d\d:\d\d UTC"
    for who in (f.pat, f.paul):
        unchanged(AlreadyOut, lambda who=who: files.hand_out(actor=who, file_id=file.pk), match=sentence)
        unchanged(AlreadyOut, lambda who=who: files.hand_out(actor=who, file_id=file.pk, reason="  "))
    again = files.hand_out(actor=f.paul, file_id=file.pk, reason="the bank's page lost it")
    assert (again.number, again.sha256, again.reason) == (2, file.sha256, "the bank's page lost it")
    assert bytes(PaymentFile.objects.get().content) == bytes(file.content)
    assert f.money() == (D(900), D(0)), "the money left once"


@committed
def test_two_exports_at_the_same_moment_are_one() -> None:
    desk = open_desk()
    f = Files(desk, own_bank(desk))
    file = f.made(*f.waiting("100.00"))
    people = [f.pat, f.paul, f.pat, f.paul]
    answers = at_once(4, lambda number: files.hand_out(actor=people[number], file_id=file.pk))
    assert sum(isinstance(answer, FileExport) for answer in answers) == 1, answers
    assert sum(isinstance(answer, AlreadyOut) for answer in answers) == 3, answers
    assert FileExport.objects.count() == 1 and f.money() == (D(900), D(0))


def test_a_payout_is_in_one_file_once(f: Files) -> None:
    one, two = f.waiting("100.00", "200.00")
    asked = f.ask(one)
    unchanged(CannotMakeFile, lambda: f.ask(one, two), match=f"Request #{asked.pk}")
    requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash)
    file, payout = PaymentFile.objects.get(), Payout.objects.get(request=one)
    unchanged(CannotMakeFile, lambda: f.ask(one), match="not ready any more")
    unchanged(DomainError, lambda: payouts.into_file(actor=f.pat, payout_ids=[payout.pk], file_reference="other"))
    other = Payout.objects.get(request=two)
    line = "INSERT INTO payments_paymentfileline (file_id, payout_id, end_to_end_id, amount) VALUES ({}, {}, '{}', {})"
    denied(line.format(file.pk, payout.pk, one.reference, "100"))
    denied(line.format(file.pk, payout.pk, "W-OTHER", "100"))
    denied(line.format(file.pk, other.pk, two.reference, "200"))
    denied(f"UPDATE payments_paymentfileline SET amount = 1 WHERE file_id = {file.pk}")
    denied(f"DELETE FROM payments_paymentfileline WHERE file_id = {file.pk}")


def test_what_was_agreed_to_is_what_is_made(f: Files) -> None:
    one, two = f.waiting("100.00", "200.00")
    asked = f.ask(one, two)
    payouts.give_up(actor=f.pat, request_id=two.pk, code="PAPERS", note="passport")
    unchanged(CannotMakeFile, lambda: requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash))
    assert state(one) == "TO_PAY"
    payload = f.payload(one)
    (payment,) = payload.payments
    for wrong in (
        replace(payload, payments=()),
        replace(payload, payments=(payment, payment)),
        replace(payload, payments=(replace(payment, amount=D(99)),)),
        replace(payload, payments=(replace(payment, reference="W-00000000"),)),
        replace(payload, execution_date=clock.today() - timedelta(days=1)),
        replace(payload, execution_date=clock.today() + timedelta(days=31)),
        replace(payload, scheme="SEPA"),
        replace(payload, scheme="OTHER"),
    ):
        unchanged(
            CannotMakeFile,
            lambda wrong=wrong: requests.submit(actor=f.pat, action=actions.MAKE_FILE, payload=wrong, reason="x"),
        )


def test_a_changed_account_to_pay_from_is_agreed_to_anew(f: Files) -> None:
    (one,) = f.waiting("100.00")
    asked = f.ask(one)
    newer = own_bank(f.desk, street="Other St 2")
    unchanged(CannotMakeFile, lambda: requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash))
    assert list(ready.own_banks()) == [newer]
    with pytest.raises(DatabaseError), transaction.atomic():
        execute("UPDATE payments_ownbank SET iban = 'DE89370400440532013000'")


@pytest.mark.parametrize(
    "change",
    [{"iban": "CY17002001280000001200527601"}, {"number": "1"}, {"bic": ""}, {"bic": "NO"}, {"country": "Cyprus"}],
    ids=["check digits", "both", "no bank", "no bic", "country"],
)
def test_an_account_that_no_file_could_name_is_refused(f: Files, change: dict[str, str]) -> None:
    unchanged(DomainError, lambda: own_bank_again(f, **change))


def own_bank_again(f: Files, **changes: str) -> None:
    values = {name: getattr(f.bank, name) for name in actions.BANK_FIELDS}
    payload = actions.ChangeBank(f.bank.account_id, **{**values, **changes})
    sam = person(User.objects.get(username="sam"))
    requests.submit(actor=sam, action=actions.CHANGE_BANK, payload=payload, reason="x")


def test_a_hold_keeps_the_file_here(f: Files) -> None:
    (one,) = f.waiting("100.00")
    asked = f.ask(one)
    flags.set_flag(actor=f.carl, client_id=f.client.pk, kind="AML_HOLD", note="an informer called")
    unchanged(
        Restricted,
        lambda: requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash),
        match="under operational review",
    )


def test_a_hold_that_comes_later_keeps_it_here_too_and_discarding_gives_the_money_back(f: Files) -> None:
    one, two = f.waiting("100.00", "200.00")
    file = f.made(one, two)
    flags.set_flag(actor=f.carl, client_id=f.client.pk, kind="AML_HOLD", note="an informer called")
    unchanged(Restricted, lambda: files.hand_out(actor=f.pat, file_id=file.pk), match="under operational review")
    unchanged(DomainError, lambda: files.discard(actor=f.pat, file_id=file.pk, reason=" "))
    files.discard(actor=f.pat, file_id=file.pk, reason="the bank is closed")
    assert (now(file), state(one), state(two), f.money()) == ("REJECTED", "FAILED", "FAILED", (D(1000), D(0)))
    unchanged(AlreadyOut, lambda: files.hand_out(actor=f.pat, file_id=file.pk))


def test_what_has_left_is_not_discarded(f: Files) -> None:
    file = f.out(*f.waiting("100.00"))
    unchanged(AlreadyOut, lambda: files.discard(actor=f.pat, file_id=file.pk, reason="oh"))


@pytest.mark.parametrize("said_of", [{"group": "RJCT"}, {"batch": "RJCT"}], ids=["message", "batch"])
def test_a_whole_file_is_refused(f: Files, said_of: dict[str, str]) -> None:
    one, two = f.waiting("100.00", "200.00")
    file = f.out(one, two)
    f.told(file, **said_of)
    assert (now(file), state(one), state(two), f.money()) == ("REJECTED", "FAILED", "FAILED", (D(1000), D(0)))


def test_reports_that_come_again_change_nothing(f: Files) -> None:
    one, two = f.waiting("100.00", "200.00")
    file = f.out(one, two)
    first = f.told(file, row(two.reference, "RJCT", "AC04", "200.00"))
    before = fresh(two).events.count()
    assert f.told(file, row(two.reference, "RJCT", "AC04", "200.00")).pk == first.pk
    f.told(file, row(two.reference, "RJCT", "AC04", "200.00"), name="R-2")
    f.told(file, row(two.reference, "PDNG"), name="R-3")
    assert (f.money(), fresh(two).events.count(), now(file)) == ((D(900), D(0)), before, "PARTLY")
    late = f.told(file, row(two.reference, "ACSC"), name="R-4")
    assert "refused before" in late.conflicts[0] and f.money() == (D(900), D(0))
    assert list(verify.findings()) == []


def test_what_does_not_fit_does_nothing_and_is_named(f: Files) -> None:
    one, two = f.waiting("100.00", "200.00")
    file = f.out(one)
    other = f.out(two)
    taken = f.told(
        file,
        row(two.reference, "RJCT", "AC01"),
        row("W-NOTHERE0", "RJCT", "AC01"),
        row(one.reference, "RJCT", "AC01", "999.00"),
    )
    assert taken.unknown == sorted([two.reference, "W-NOTHERE0"])
    assert one.reference in taken.conflicts[0] and "999.00" in taken.conflicts[0]
    assert (now(file), now(other), state(one), state(two)) == ("SENT", "SENT", "SENT", "SENT")
    wrong = f.told(file, row(one.reference, "RJCT", "AC01", "100.00", "EUR"), name="R-2")
    assert wrong.conflicts and state(one) == "SENT"


def test_a_payment_the_statement_shows_is_not_given_back(f: Files) -> None:
    """A report that contradicts the books would pay the client twice."""
    (one,) = f.waiting("100.00")
    file = f.out(one)
    at_source(bank(), bank_line("L1", "-100.00", end_to_end_id=one.reference))
    assert state(one) == "DONE"
    taken = f.told(file, row(one.reference, "RJCT", "AC04", "100.00"))
    assert "compare the statement" in taken.conflicts[0]
    assert (state(one), f.money(), now(file)) == ("DONE", (D(900), D(0)), "SENT")


def test_whose_report_is_taken(f: Files) -> None:
    one, two = f.waiting("100.00", "200.00")
    file, inside = f.out(one), f.made(two)
    refusal = row(one.reference, "RJCT", "AC01")
    unchanged(SameEyes, lambda: f.told(file, refusal, who=f.pat), match="Another person imports")
    unchanged(NotPermitted, lambda: f.told(file, refusal, who=f.finn))
    abroad = member("fritz", "FMK", here=entity("UK"))
    unchanged(BadReport, lambda: f.told(file, refusal, who=abroad), match="No payment file of ours")
    unchanged(BadReport, lambda: f.told(inside, row(two.reference, "RJCT")), match="never handed out")
    strange = report(refusal, order="SOMEBODY-ELSE")
    unchanged(BadReport, lambda: file_reports.take(actor=f.fred, stream=BytesIO(strange)), match="SOMEBODY-ELSE")
    counts = "<OrgnlNbOfTxs>7</OrgnlNbOfTxs><GrpSts>RJCT</GrpSts>"
    unchanged(BadReport, lambda: f.told(file, group=counts), match="7 payments")
    unchanged(BadReport, lambda: file_reports.take(actor=ROBOT, stream=BytesIO(b"<!DOCTYPE x><x/>")))


def test_what_the_database_refuses_about_files(f: Files) -> None:
    (one,) = f.waiting("100.00")
    file = f.made(one)
    for column, value in (
        ("content", "'\\x00'"),
        ("sha256", "'x'"),
        ("total", "1"),
        ("message_id", "'M'"),
        ("bank_id", "0"),
    ):
        denied(f"UPDATE payments_paymentfile SET {column} = {value} WHERE id = {file.pk}")
    denied(f"UPDATE payments_paymentfile SET state = 'SENT' WHERE id = {file.pk}", match="handed out to nobody")
    denied("DELETE FROM payments_paymentfile")
    files.hand_out(actor=f.pat, file_id=file.pk)
    columns = "file_id, number, at, by_id, sha256, reason"
    export = f"INSERT INTO payments_fileexport ({columns}) VALUES ({{}}, {{}}, now(), {{}}, '{{}}', '{{}}')"
    denied(export.format(file.pk, 1, f.pat.user_id, file.sha256, ""))
    denied(export.format(file.pk, 2, f.pat.user_id, file.sha256, ""))
    denied(export.format(file.pk, 3, f.pat.user_id, file.sha256, "why"))
    denied(export.format(file.pk, 2, f.pat.user_id, "f" * 64, "why"))
    denied("UPDATE payments_fileexport SET reason = 'x'")
    other = PaymentFile.objects.get()
    other.pk, other.message_id, other.batch_id = None, "FORGED", "FORGED-1"
    with pytest.raises(DatabaseError), transaction.atomic():
        other.state = "MADE"
        other.save(force_insert=True)
        execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_every_step_of_a_file_that_is_not_in_the_table_is_refused(f: Files) -> None:
    file = f.made(*f.waiting("100.00"))
    FileExport.objects.create(file=file, number=1, at=clock.now(), by_id=f.pat.user_id, sha256=file.sha256)
    change = "UPDATE payments_paymentfile SET state = '{}'"
    paths = {"MADE": [], "SENT": ["SENT"], "ACCEPTED": ["SENT", "ACCEPTED"], "PARTLY": ["SENT", "PARTLY"]}
    for before in FileState:
        for after in set(FileState) - {before}:
            with transaction.atomic():
                for step in paths.get(before, ["REJECTED"]):
                    execute(change.format(step))
                if after in FILE_STEPS[before]:
                    execute(change.format(after))
                else:
                    denied(change.format(after), match="does not go from")
                transaction.set_rollback(True)


def browser(name: str) -> Browser:
    found = Browser()
    found.force_login(User.objects.get(username=name))
    return found


def test_the_pages_from_picking_to_the_banks_answer(f: Files) -> None:
    _, two = f.waiting("100.00", "200.00")
    ids = list(Payout.objects.values_list("pk", flat=True))
    pat = browser("pat")
    form = {"ids": ids, "bank": f.bank.pk, "scheme": "SWIFT", "execution_date": str(clock.today()), "reason": "today",
            "reason_code": "DAILY"}  # fmt: skip
    assert "300.00" in pat.get(reverse("make-batch"), {"ids": ids}).content.decode()
    assert pat.post(reverse("make-batch"), form).status_code == 303
    asked = Request.objects.get(action=actions.MAKE_FILE)
    requests.approve(actor=f.finn, request_id=asked.pk, seen_hash=asked.payload_hash)
    file = PaymentFile.objects.get()
    answer = pat.post(reverse("hand-out-file", args=[file.pk]), {})
    assert answer.status_code == 200 and answer.content == bytes(file.content)
    assert answer["Content-Disposition"] == f'attachment; filename="{file.message_id}.xml"'
    assert etree.fromstring(answer.content) is not None
    again = browser("paul").post(reverse("hand-out-file", args=[file.pk]), {"reason": ""})
    assert again.status_code == 422 and "Pat took" in again.content.decode()
    upload = BytesIO(report(row(two.reference, "RJCT", "AC04"), row("W-UNKNOWN0", "RJCT"), order=file.message_id))
    upload.name = "status.xml"
    answer = browser("fred").post(reverse("import-status-report"), {"file": upload}, follow=True)
    page = answer.content.decode()
    assert "AC04 closed account" in page and "W-UNKNOWN0" in page and "refused in part" in page
    assert PaymentFileLine.objects.count() == 2
