"""A client's personal data: in clear where it is needed and nowhere else, gone for good when two people erase it."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models, transaction
from django.test import Client as Browser
from django.urls import reverse

from accounts import actions
from accounts.actions import Erase
from accounts.models import Client, ClientStatus, Document, Flag, KycResult, LifecycleRule, Note, Reason
from accounts.models.personal import ERASED, LIVE, NOT_PERSONAL, UNDER_KEY, Kept, UnderKey
from accounts.selectors.kept import reveal
from accounts.selectors.timeline import timeline
from accounts.services import clients, closing, erasing, flags, kept, mail, papers, protective, timers
from accounts.services.steps import NotReady
from backoffice.approvals.models import Blob
from backoffice.approvals.services import requests
from backoffice.approvals.services.refusals import SameEyes
from backoffice.audit import services as audit
from backoffice.audit.models import Change, Entry, PersonKey
from backoffice.audit.selectors import chain
from backoffice.audit.services import personal, sealing
from backoffice.kernel import clock
from backoffice.organisation.models import User
from backoffice.outbox.models import Message, State
from ledger.models import Kind
from tests.attacks import execute, findings, post, refused
from tests.builders import ROBOT, ledger_account
from tests.clients import Floor, floor
from tests.test_audit_export import exported, verified

pytestmark = pytest.mark.django_db
TEXT = (models.CharField, models.TextField, models.JSONField, models.BinaryField, ArrayField)
# What is written about Ottoline in these tests; nothing else in the database has any of these words.
WORDS = ("Ottoline", "Quimby", "Featherstone", "ottoline", "quimby@", "905-5577", "AX-774411", "Harrowgate")
CLEAR = '{"text": "born in Harrowgate"}'


@pytest.fixture(autouse=True)
def outside(settings: Any, tmp_path: Path) -> None:
    settings.SEAL_HEADS = tmp_path / "heads"


@pytest.fixture
def f() -> Floor:
    made = floor()
    made.client = clients.open_client(
        actor=ROBOT, entity_id=made.here.pk, number="C-2", name="Ottoline Quimby", country="GB", email="quimby@x.org"
    )
    return made


def browser_of(name: str) -> Browser:
    found = Browser()
    found.force_login(User.objects.get(username=name))
    return found


def page_of(f: Floor, name: str = "cora") -> str:
    return browser_of(name).get(reverse("client", args=[f.client.pk])).content.decode()


def written_about(f: Floor) -> None:
    """Changed twice, once by the application and once around it, and written about in every way there is."""
    client = Client.objects.get(pk=f.client.pk)
    client.name, client.email = "Ottoline Featherstone", "ottoline@x.org"
    client.save()
    execute("UPDATE accounts_client SET name = 'Ottoline Featherstone-Quimby' WHERE id = %s", [client.pk])
    papers.add_note(actor=f.sue, client_id=client.pk, text="Ottoline called from +44 905-5577.")
    papers.add_note(actor=f.carl, client_id=client.pk, text="Quimby is known in Harrowgate.", confidential=True)
    papers.add_document(
        actor=f.sue, client_id=client.pk, kind="IDENTITY", name="passport Ottoline Quimby", sha256="ab" * 32
    )
    papers.record_kyc(
        actor=f.carl, client_id=client.pk, provider="Checker", reference="AX-774411", outcome="CLEAN", risk="LOW"
    )
    flags.set_flag(actor=f.carl, client_id=client.pk, kind="PEP", note="Mayor of Harrowgate.")


def over(f: Floor, *, closed: bool = True) -> datetime:
    """The client is closed; returns a moment after the retention period."""
    if closed:
        closing.start_closing(actor=f.sue, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
        f.both(f.fred, f.fiona, actions.CLOSE, actions.Step(f.client.pk, Reason.COMPLETED))
    return clock.now() + timedelta(days=366 * 5 + 1)


def erased(f: Floor) -> None:
    with clock.at(over(f)):
        f.both(f.carl, f.cora, actions.ERASE, Erase(f.client.pk))
    f.client.refresh_from_db()


def places_of(*words: str) -> set[str]:
    """Tables of the database in which any column, of whatever kind, holds one of the words: as text, as bytes, or in
    base64 at any of its three offsets."""
    looked = [*words, *(word.encode().hex() for word in words)]
    for word in words:
        looked += [base64.b64encode(b"x" * n + word.encode())[(0, 2, 3)[n] : -4].decode() for n in range(3)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, has_table_privilege(oid, 'SELECT') FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'v')"
        )
        found = set()
        for table, readable in cursor.fetchall():
            assert readable, f"{table} was not searched"
            cursor.execute(
                f'SELECT count(*) FROM "{table}" t, unnest(%s::text[]) w WHERE strpos(to_jsonb(t)::text, w) > 0',
                [[word for word in looked if len(word) > 3]],
            )
            if cursor.fetchone()[0]:
                found.add(table)
    return found


# What is declared.


def of_clients() -> set[type[models.Model]]:
    """Every model that leads to a client, its history included."""
    found: set[type[models.Model]] = {Client, Client.history.model}
    while True:
        more = {
            model
            for model in apps.get_models(include_auto_created=True)
            for field in model._meta.get_fields()
            if isinstance(field, models.ForeignKey) and field.related_model in found and model not in found
        }
        if not more:
            return found
        found |= more


def test_every_column_of_text_about_a_client_is_declared_personal_or_not():
    undeclared, known = [], set()
    for model in of_clients():
        label = model._meta.label_lower
        known.add(label)
        columns = {
            field.name
            for field in model._meta.local_concrete_fields
            if isinstance(field, TEXT) and field.name != "under_key"
        }
        declared = {*LIVE.get(label, ()), *NOT_PERSONAL.get(label, {})}
        undeclared += [f"{label}.{name}" for name in sorted(columns - declared)]
        assert not {*LIVE.get(label, ())} & {*NOT_PERSONAL.get(label, {})}, label
        assert declared <= columns, f"{label}: declared and not there: {declared - columns}"
    assert undeclared == [], "say in accounts/models/personal.py whether these are about a person"
    assert {*LIVE, *UNDER_KEY, *NOT_PERSONAL} <= known


def test_what_is_kept_under_the_key_has_no_column():
    keeping = {model._meta.label_lower: model for model in apps.get_models() if issubclass(model, UnderKey)}
    assert keeping.keys() == UNDER_KEY.keys()
    for label, model in keeping.items():
        read = {name for name in dir(model) if isinstance(getattr(model, name, None), Kept)}
        assert read <= set(UNDER_KEY[label])
        assert read == set(UNDER_KEY[label]) or not label.startswith("accounts.")
        assert not {field.name for field in model._meta.get_fields()} & set(UNDER_KEY[label])


# What stands where.


def test_only_the_live_row_says_who_somebody_is(f):
    written_about(f)
    # Everything a person does on pages, too: search, export, a request, its page.
    carl = browser_of("carl")
    assert "Ottoline Featherstone-Quimby" in carl.get(reverse("clients") + "?name=Ottoline").content.decode()
    b"".join(carl.get(reverse("clients") + "?name=Ottoline&export=csv").streaming_content)
    request = f.ask(f.sue, actions.SUSPEND, actions.Protect(f.client.pk, Reason.SECURITY, protective.TRADING_OFF))
    assert "Featherstone" in browser_of("cora").get(reverse("request", args=[request.pk])).content.decode()
    Client.objects.get(pk=f.client.pk).save()

    assert places_of(*WORDS) == {"accounts_client"}
    exports = Entry.objects.filter(action="list.exported")
    assert {row.data["query"]["name"][0] for row in exports} == {"(hidden)"}


def test_the_search_finds_what_it_looks_for(f):
    """The dump is searched as it claims: in text, in json, in bytes and in base64."""
    assert places_of(*WORDS) == {"accounts_client"}
    encoded = [base64.b64encode(b"x" * n + b"Featherstone").decode() for n in range(3)]
    for value in ("Ottoline", {"deep": ["Harrowgate"]}, *encoded):
        place = transaction.savepoint()
        with transaction.atomic():
            audit.record(actor=ROBOT, action="test.done", data={"value": value})
        assert "audit_entry" in places_of(*WORDS), value
        transaction.savepoint_rollback(place)
    content = b"%PDF of Ottoline"
    Blob.objects.create(hash=hashlib.sha256(content).hexdigest(), content=content)
    assert "approvals_blob" in places_of(*WORDS)


def test_a_change_around_the_application_leaves_a_mark_and_no_value(f):
    execute("UPDATE accounts_client SET name = 'Harrowgate', email = 'ottoline@x.org' WHERE id = %s", [f.client.pk])
    change = Change.objects.filter(table_name="accounts_client").latest("pk")
    assert change.content[0]["before"] == change.content[0]["after"] == {"name": "(hidden)", "email": "(hidden)"}
    assert places_of("Harrowgate") == {"accounts_client"}


@pytest.mark.parametrize(
    ("table", "columns", "values"),
    [
        ("accounts_note", "at, confidential", "now(), false"),
        ("accounts_document", "kind, received_at", "'OTHER', now()"),
        (
            "accounts_kycresult",
            "at, provider, outcome, risk, is_pep, is_company",
            "now(), '', 'CLEAN', 'LOW', false, false",
        ),
        ("accounts_flag", "kind, set_at", "'PEP', now()"),
    ],
)
@pytest.mark.parametrize(
    "content", [CLEAR, '{"text": {"personal_of": "accounts.client:1", "personal": "x"}}', '"text"', "[]"]
)
def test_nobody_writes_a_clear_value_where_rows_stay(f, table, columns, values, content):
    with refused("23514"):
        execute(
            f"INSERT INTO {table} (client_id, under_key, {columns}) VALUES (%s, %s, {values})", [f.client.pk, content]
        )


def test_nobody_keeps_a_value_under_the_key_of_another_or_under_another_name(f):
    other = Client.objects.exclude(pk=f.client.pk).first()
    assert other is not None
    for values in (kept.keep(other.pk, text="x"), kept.keep(f.client.pk, phone="x")):
        with pytest.raises(Exception, match="note_under_key"), transaction.atomic():
            Note.objects.create(client=f.client, at=clock.now(), under_key=values)
    with pytest.raises(AttributeError, match="under the client's key"):
        Note().text = "x"


# Who reads it.


def test_who_may_see_the_client_reads_it_while_the_key_exists(f):
    written_about(f)
    Client.objects.get(pk=f.client.pk).save()
    page = page_of(f)
    for words in ("Ottoline called from", "passport Ottoline", "AX-774411", "Mayor of Harrowgate", "abababab"):
        assert words in page
    renamed = [(e.what, e.before, e.after) for e in timeline(User.objects.get(username="cora"), f.client) if e.before]
    assert ("name", "Ottoline Quimby", "Ottoline Featherstone") in renamed
    assert ("e-mail", "quimby@x.org", "ottoline@x.org") in renamed
    assert ("name", "Ottoline Featherstone", "Ottoline Featherstone-Quimby") in renamed
    assert "Harrowgate" not in page_of(f, "dana")


def test_a_row_that_was_not_revealed_reads_as_a_mark(f):
    written_about(f)
    note = Note.objects.filter(client=f.client).first()
    assert note is not None
    assert note.text == "[personal data]"
    with pytest.raises(TypeError):
        Note(text="in clear")


def test_a_backup_without_the_keys_tells_nothing(f):
    written_about(f)
    rows = [*Note.objects.all(), *Document.objects.all(), *KycResult.objects.all(), *Flag.objects.all()]
    rows += list(Client.history.filter(id=f.client.pk))
    dumped = str([row.under_key for row in rows])
    assert not [word for word in WORDS if word in dumped]
    # Beside another key they open as little as beside none.
    other, _ = personal.new_key()
    for row in rows:
        for value in row.under_key.values():
            assert personal._clear(value, other) == "[unreadable]"


def test_mail_that_waits_holds_no_address(f, mailoutbox):
    with transaction.atomic():
        timers._notice(f.client.pk)
    message = Message.objects.get(kind=mail.KIND)
    assert "quimby" not in str(message.payload)
    outcome = mail.ClientMailSender().send(key=message.key, payload=message.payload)
    assert (outcome.state, mailoutbox[-1].to) == (State.DONE, ["quimby@x.org"])
    Client.objects.filter(pk=f.client.pk).update(email="")
    assert mail.ClientMailSender().ask(key=message.key, payload=message.payload).state == State.REFUSED


# Erasing.


def test_after_the_erasure_nothing_in_the_database_says_who_it_was(f, tmp_path):
    written_about(f)
    sealing.seal()
    before = exported(tmp_path)
    assert verified(before)[0] == 0
    erased(f)

    assert (f.client.name, f.client.email) == (ERASED, ERASED)
    assert places_of(*WORDS) == set()
    rows = [*f.client.notes.all(), *f.client.documents.all(), *Client.history.filter(id=f.client.pk)]
    reveal(rows)
    assert {value for row in rows for value in (row.revealed or {}).values()} == {ERASED}
    page = page_of(f)
    assert not [word for word in WORDS if word in page]
    assert page.count(ERASED) > 4
    assert "personal data erased" in page
    carl = browser_of("carl")
    assert "C-2" not in carl.get(reverse("clients") + "?name=Ottoline").content.decode()
    assert ERASED in carl.get(reverse("clients") + "?number=C-2").content.decode()
    entry = Entry.objects.get(action="client.erased")
    assert (entry.target, entry.actor_label) == (kept.person_of(f.client.pk), "Cora")
    assert PersonKey.objects.get(person=entry.target).wrapped == ""
    sealing.seal()
    assert chain.check().findings == []
    assert findings() == set()
    assert verified(before)[0] == 0
    after = exported(tmp_path)
    assert verified(after)[0] == 0
    assert not [word for word in WORDS if word in after.read_text()]


def test_what_was_erased_stays_erased(f):
    erased(f)
    for statement in (
        "UPDATE accounts_client SET name = 'Ottoline' WHERE id = %s",
        "UPDATE accounts_client SET email = 'x@x.org' WHERE id = %s",
        "UPDATE accounts_client SET status = 'UNDER_REVIEW', status_at = now() + interval '9 years',"
        " status_reason = 'POLICY' WHERE id = %s",
    ):
        with refused("23514"):
            execute(statement, [f.client.pk])
    for value in ("NULL", "now()"):
        with refused("BO069"):
            execute(f"UPDATE accounts_client SET erased_at = {value}, name = 'x' WHERE id = %s", [f.client.pk])
    with pytest.raises(personal.Shredded):
        papers.add_note(actor=f.carl, client_id=f.client.pk, text="It was Ottoline.")
    with pytest.raises(NotReady, match="erased"):
        closing.reopen(actor=f.carl, client_id=f.client.pk, reason=Reason.CLIENT_REQUEST)
    with pytest.raises(NotReady, match="was erased on"):
        erasing.erase(actor=f.carl, client_id=f.client.pk)
    with clock.at(clock.now() + timedelta(days=366 * 6)):
        assert timers.archive_old() == 1
    f.client.refresh_from_db()
    assert (f.client.status, f.client.name) == (ClientStatus.ARCHIVED, ERASED)
    assert Client.history.filter(id=f.client.pk).latest().under_key == {}


def test_a_client_without_a_key_can_be_erased_and_gets_none_afterwards(f):
    """A row that came in by SQL, with no history."""
    with clock.at(over(f, closed=False)):
        at = f.client.opened_at
        row = Client(entity=f.here, number="C-3", name="x", status="APPLICATION", status_at=at, opened_at=at)
        (bare,) = Client.objects.bulk_create([row])
        execute(
            "UPDATE accounts_client SET status = 'WITHDRAWN', status_reason = 'CLIENT_REQUEST' WHERE id = %s", [bare.pk]
        )
        assert not PersonKey.objects.filter(person=kept.person_of(bare.pk)).exists()
        f.both(f.carl, f.cora, actions.ERASE, Erase(bare.pk))
    with pytest.raises(personal.Shredded):
        kept.keep(bare.pk, text="x")
    assert findings() == set()


def test_two_people_of_compliance_erase(f):
    with clock.at(over(f)):
        request = f.ask(f.carl, actions.ERASE, Erase(f.client.pk))
        assert "Ottoline" not in f"{request.summary} {request.preview} {request.payload}"
        with pytest.raises(SameEyes):
            f.agree(f.carl, request)
        for name in ("fiona", "mia", "dana", "sue", "sam", "ada"):
            with pytest.raises(Exception, match="permission"):
                f.agree(f.people[name], request)
        assert Client.objects.get(pk=f.client.pk).erased_at is None
        f.agree(f.mona, request)
    assert Client.objects.get(pk=f.client.pk).erased_at is not None


@pytest.mark.parametrize("status", sorted(set(ClientStatus) - {"CLOSED", "ARCHIVED", "REJECTED", "WITHDRAWN"}))
def test_a_client_who_is_still_one_is_not_erased(f, status):
    f.client.status = status
    with pytest.raises(NotReady, match="Personal data is erased after"):
        erasing.require_erasable(f.client)
    with refused("23514", "BO060", "BO061"):
        execute(
            "UPDATE accounts_client SET erased_at = now(), name = '[erased]', email = '[erased]' WHERE id = %s",
            [f.client.pk],
        )


def test_records_are_kept_as_long_as_the_entity_says(f):
    now = over(f)
    LifecycleRule.objects.create(entity=f.here, retention_years=7)
    with clock.at(now), pytest.raises(NotReady, match="must be kept until"):
        f.ask(f.carl, actions.ERASE, Erase(f.client.pk))
    closed_at = Client.objects.get(pk=f.client.pk).status_at
    with clock.at(now + timedelta(days=366 * 2)):
        assert timers.archive_old() == 1
        # The archiving does not begin the period anew.
        assert erasing.kept_until(Client.objects.get(pk=f.client.pk)) == closed_at + timedelta(days=366 * 7)
        f.both(f.carl, f.cora, actions.ERASE, Erase(f.client.pk))


def test_nothing_is_erased_while_money_a_review_or_a_request_is_left(f):
    with clock.at(over(f)):
        flag = flags.set_flag(actor=f.carl, client_id=f.client.pk, kind="AML_HOLD")
        with pytest.raises(Exception, match="under operational review"):
            f.ask(f.carl, actions.ERASE, Erase(f.client.pk))
        f.both(f.cora, f.mona, actions.END_REVIEW, actions.EndFlag(flag.pk))
        waiting = f.ask(f.carl, actions.REOPEN, actions.Step(f.client.pk, Reason.CLIENT_REQUEST))
        with pytest.raises(NotReady, match="Another request"):
            f.ask(f.cora, actions.ERASE, Erase(f.client.pk))
        requests.withdraw(actor=f.carl, request_id=waiting.pk)
        execute("UPDATE accounts_tradingaccount SET client_id = %s WHERE id = %s", [f.client.pk, f.logins[0].pk])
        cash = ledger_account(f.here, "cash", kind=Kind.ASSET)
        post(f.here, (cash, "5"), (f.logins[0].balance_account, "-5"), key="left")
        with pytest.raises(NotReady, match=r"5\.00 USD"):
            f.ask(f.cora, actions.ERASE, Erase(f.client.pk))
    assert Client.objects.get(pk=f.client.pk).name == "Ottoline Quimby"


def test_verify_names_an_erasure_nobody_agreed_to_and_a_key_that_stands(f):
    with clock.at(over(f)):
        erasing.erase(actor=ROBOT, client_id=f.client.pk)
    rule = "personal data was erased by two, and its key with it"
    assert findings() == {(rule, f"client {f.client.pk}")}


def test_verify_names_a_shredded_key_of_a_client_who_is_not_erased(f):
    with transaction.atomic():
        personal.shred(actor=ROBOT, person=kept.person_of(f.client.pk))
    assert {subject for _, subject in findings()} == {f"client {f.client.pk}"}


def test_the_page_asks_and_says_what_it_means(f):
    with clock.at(over(f)):
        carl = browser_of("carl")
        address = reverse("erase-client", args=[f.client.pk])
        assert address in page_of(f, "carl")
        shown = carl.get(address).content.decode()
        assert "cannot be undone" in shown
        assert "Kept at least until" in shown
        answer = carl.post(address, {"reason": "retention over", "reason_code": "COMPLIANCE"})
        assert answer.status_code in (302, 303), answer.content.decode()[-2000:]
        assert browser_of("fiona").get(address).status_code == 403
    assert Client.objects.get(pk=f.client.pk).erased_at is None
