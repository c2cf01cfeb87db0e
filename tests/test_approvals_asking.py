"""Asking for consent, on every page that does it: the code of the reason and files, taken in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts import actions as accounts
from accounts.actions import Lift, Step
from accounts.models import Reason, RestrictionKind
from accounts.services import protective, restrictions
from backoffice.approvals import registry
from backoffice.approvals.models import Attachment, Blob, Request
from backoffice.approvals.services import attachments, requests
from backoffice.audit.models import Entry
from backoffice.kernel.errors import DomainError
from backoffice.organisation.models import User
from backoffice.ui.views import AskingPage
from ledger.actions import MANUAL_JOURNAL
from tests.builders import entity, user
from tests.clients import Floor, floor
from tests.desk import ASK, Desk, open_desk
from tests.pages import Found, pages

pytestmark = pytest.mark.django_db
PDF, PNG = b"%PDF-1.7 a letter", b"\x89PNG\r\n\x1a\n a scan"
ASKING = [
    found
    for found in pages(settings.ROOT_URLCONF)
    if found.page is not None and issubclass(found.page, AskingPage) and found.builder is not None
]
# What a file must not be, whatever its name and the kind a browser claims.
BAD_FILES = {
    "program": ("letter.pdf", b"MZ\x90\x00"),
    "page": ("letter.txt", b"<html><script>alert(1)</script>"),
    "drawing with script": ("scan.png", b"\xef\xbb\xbf  <svg onload=alert(1)>"),
    "archive": ("letter.pdf", b"PK\x03\x04"),
    "empty": ("letter.pdf", b""),
    "too large": ("letter.pdf", PDF.ljust(attachments.LARGEST + 1)),
    "text with control characters": ("letter.txt", b"hello\x00\x07"),
}


@pytest.fixture
def desk() -> Desk:
    return open_desk()


@pytest.fixture
def f() -> Floor:
    return floor()


@contextmanager
def nothing_asked() -> Iterator[None]:
    before = (Request.objects.count(), Attachment.objects.count(), Blob.objects.count(), Entry.objects.count())
    yield
    after = (Request.objects.count(), Attachment.objects.count(), Blob.objects.count(), Entry.objects.count())
    assert after == before


def upload(name: str, content: bytes, kind: str = "application/pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type=kind)


def at(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def journal(desk: Desk) -> tuple[Client, dict[str, Any]]:
    """The page of a manual journal, by somebody who may ask for one, and what the form says."""
    client = Client()
    client.force_login(user("nora", ASK, "ledger.view_journal", "approvals.view_request", entities=(desk.books.here,)))
    cash, owed = desk.books.cash, desk.books.client
    form = client.get(reverse("manual-journal")).context["form"]
    lines = f"{cash.code} {cash.currency_id} 5\n{owed.code} {owed.currency_id} -5"
    said = {"entity": desk.books.here.pk, "business_date": "2026-11-19", "description": "typing error", "lines": lines}
    return client, {**said, "key": form.initial["key"], "reason": "as the bank wrote"}


# One place


@pytest.mark.parametrize("found", ASKING, ids=lambda found: found.route)
def test_every_page_that_asks_offers_reasons_and_takes_files(found: Found) -> None:
    here = entity("CY")
    assert found.builder is not None and found.page is not None
    made = found.builder(here, 1)
    client = Client()
    everything = [f"{app}.{code}" for app, code in _permissions()]
    client.force_login(user("vera", *everything, entities=(here,)))
    answer = client.get(found.address(made))
    assert answer.status_code == 200
    form, html = answer.context["form"], answer.content.decode()
    if not {"reason", "reason_code"} & form.fields.keys() and "files" not in form.fields:
        assert found.route == "end-flag", "one person ends this kind of flag: nothing is asked for"
        return
    assert "files" in form.fields and 'enctype="multipart/form-data"' in html
    assert re.search(r'<input type="file" name="files"[^>]* multiple', html)
    offered = form.fields.get("reason_code") or form.fields["code"]
    assert offered.required and len([code for code, _ in offered.choices if code]) > 1


def test_no_page_goes_around_it() -> None:
    """Nothing but the shared page hands a request to the gate."""
    rooms = ("accounts", "backoffice", "integrations", "ledger", "payments", "reconciliation", "reporting")
    files = [path for room in rooms for path in (Path(settings.BASE) / room).rglob("*.py")]
    sources = [path for path in files if path.name == "views.py" or path.parent.name == "views"]
    found = {path.name for path in sources if re.search(r"\bhooks\.submit\(|requests\.submit\(", path.read_text())}
    assert found == {"actions.py"}, "ask through AskingPage.ask"


def test_each_action_has_reasons_that_fit_their_column() -> None:
    for action in registry.all_actions():
        assert action.reasons, action.name
        assert all(0 < len(code) <= 20 and words for code, words in action.reasons.items()), action.name
        assert action.coded or registry.OTHER in action.reasons, action.name
        assert not action.coded or action.coded in action.payload.__dataclass_fields__, action.name


# Reasons


def test_a_request_is_stored_with_the_code_of_its_action(desk: Desk) -> None:
    client, said = journal(desk)
    assert client.post(reverse("manual-journal"), {**said, "reason_code": "FEE"}).status_code == 303
    request = Request.objects.get()
    assert (request.reason_code, request.reason) == ("FEE", "as the bank wrote")
    page = at("nora").get(reverse("request", args=[request.pk])).content.decode()
    assert "fee or cost of a provider" in page
    assert Entry.objects.get(action="approval.requested").data["reason_code"] == "FEE"


@pytest.mark.parametrize("code", ["", "JOINER", "fee", "FEE ", "<script>", "x" * 500])
def test_another_code_is_refused_by_the_page_and_by_the_service(desk: Desk, code: str) -> None:
    client, said = journal(desk)
    if code.strip() != "FEE":
        with nothing_asked():
            assert client.post(reverse("manual-journal"), {**said, "reason_code": code}).status_code == 422
    with nothing_asked(), pytest.raises(DomainError, match="Choose one of the reasons"):
        requests.submit(
            actor=desk.mara, action=MANUAL_JOURNAL, payload=desk.payload(), reason="a typing error", reason_code=code
        )


def test_content_that_carries_its_code_decides_it(f: Floor) -> None:
    """What is shown as the reason is what the status will say, whatever is handed over beside it."""
    row = restrictions.restrict(
        actor=f.dana, client_id=f.client.pk, kind=RestrictionKind.NO_WITHDRAWAL, reason=Reason.SECURITY
    )
    lift = Lift(row.pk, Reason.CLEARED)
    asked = requests.submit(actor=f.carl, action=accounts.LIFT, payload=lift, reason="x", reason_code="OTHER")
    assert asked.reason_code == "CLEARED"
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)
    for forged in (Reason.SECURITY, "FUNDED", "<b>", ""):
        with nothing_asked(), pytest.raises(DomainError, match="Choose one of the reasons"):
            requests.submit(actor=f.carl, action=accounts.REACTIVATE, payload=Step(f.client.pk, forged), reason="x")


def test_a_new_version_takes_the_code_from_the_choice_and_not_from_a_forged_field(f: Floor) -> None:
    protective.suspend(actor=f.dana, client_id=f.client.pk, reason=Reason.SECURITY)
    f.confirm()
    first = f.ask(f.carl, accounts.REACTIVATE, Step(f.client.pk, Reason.CLEARED))
    requests.return_for_change(actor=f.cora, request_id=first.pk, seen_hash=first.payload_hash, reason="say more")
    address = reverse("replace-request", args=[first.pk])
    said = {"reason": "in full", "p.reason": "FUNDED", "p.client_id": "999"}
    assert "p.reason" not in at("carl").get(address).context["form"].fields
    assert at("carl").post(address, {**said, "reason_code": "FUNDED"}).status_code == 422
    answer = at("carl").post(address, {**said, "reason_code": "COMPLETED", "files": [upload("a.pdf", PDF)]})
    assert answer.status_code == 303
    second = Request.objects.get(replaces=first)
    assert (second.reason_code, second.payload) == ("COMPLETED", {"client_id": f.client.pk, "reason": "COMPLETED"})
    assert second.attachments.get().content_type == "application/pdf"


# Files


def test_files_go_with_the_request_in_one_step(desk: Desk) -> None:
    client, said = journal(desk)
    files = [upload("../letter é.pdf", PDF, "text/html"), upload("scan.pdf", PNG)]
    answer = client.post(reverse("manual-journal"), {**said, "reason_code": "FEE", "files": files})
    assert answer.status_code == 303
    request = Request.objects.get()
    kept = {(file.name, file.content_type) for file in request.attachments.all()}
    assert kept == {("letter é.pdf", "application/pdf"), ("scan.pdf", "image/png")}
    assert [part.part for part in request.participations.all()] == ["MAKER"]
    assert Entry.objects.filter(action="approval.attached").count() == 2
    page = at("nora").get(reverse("request", args=[request.pk])).content.decode()
    assert "letter é.pdf" in page and "Add a file" in page


@pytest.mark.parametrize("bad", BAD_FILES)
def test_one_bad_file_and_nothing_is_asked(desk: Desk, bad: str) -> None:
    client, said = journal(desk)
    name, content = BAD_FILES[bad]
    with nothing_asked():
        answer = client.post(
            reverse("manual-journal"),
            {**said, "reason_code": "FEE", "files": [upload("good.pdf", PDF), upload(name, content)]},
        )
        assert answer.status_code == 422
    with nothing_asked(), pytest.raises(DomainError):
        requests.submit(
            actor=desk.mara,
            action=MANUAL_JOURNAL,
            payload=desk.payload(),
            reason="a typing error",
            files=[("good.pdf", PDF), (name, content)],
        )


def test_too_many_files_or_one_twice_and_nothing_is_asked(desk: Desk) -> None:
    client, said = journal(desk)
    many = [(f"{n}.pdf", PDF + str(n).encode()) for n in range(attachments.MOST + 1)]
    twice = [("a.pdf", PDF), ("b.pdf", PDF)]
    for files in (many, twice):
        with nothing_asked():
            uploads = [upload(name, content) for name, content in files]
            answer = client.post(reverse("manual-journal"), {**said, "reason_code": "FEE", "files": uploads})
            assert answer.status_code == 422
        with nothing_asked(), pytest.raises(DomainError):
            requests.submit(
                actor=desk.mara, action=MANUAL_JOURNAL, payload=desk.payload(), reason="an error", files=files
            )
    assert len(many) > attachments.MOST


def test_files_of_a_request_that_is_refused_are_not_kept(desk: Desk) -> None:
    desk.ask("one")
    with nothing_asked(), pytest.raises(DomainError):
        requests.submit(
            actor=desk.mara,
            action=MANUAL_JOURNAL,
            payload=desk.payload("one"),
            reason="the same again",
            files=[("a.pdf", PDF)],
        )


def _permissions() -> list[tuple[str, str]]:
    from django.contrib.auth.models import Permission

    return list(Permission.objects.exclude(group=None).values_list("content_type__app_label", "codename").distinct())
