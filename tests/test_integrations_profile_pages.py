"""Making a mapping profile: a look at what it would read before anything is stored, versions, and reading with it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from backoffice.audit.models import Entry
from integrations import registry
from integrations.models import BankLine, FileProfile, ImportState
from integrations.services import connections, imports, profiles
from integrations.services.profiles import BadProfile
from tests.attacks import only_changed, refused
from tests.builders import ROBOT, entity, user

pytestmark = pytest.mark.django_db
PERMISSIONS = ("integrations.view_fileprofile", "integrations.add_fileprofile")
LINES = "Id;Tag;Betrag;Währung\n1;16.11.2026;1.234,50;EUR\n2;16.11.2026;zwölf;EUR\n3;17.11.2026;-4,50;EUR\n"
SPEC: dict[str, Any] = {
    "kind": "bank",
    "delimiter": ";",
    "decimal": ",",
    "thousands": ".",
    "columns": {"id": "Id", "booking_date": "Tag", "amount": "Betrag", "currency": "Währung"},
    "constants": {"account": "DE89"},
    "date_formats": ["%d.%m.%Y"],
}
FORM = {
    "name": "hausbank",
    "kind": "bank",
    "format": "csv",
    "delimiter": ";",
    "encoding": "auto",
    "header_line": "1",
    "columns": "id = Id\nbooking_date = Tag\namount = Betrag\ncurrency = Währung",
    "constants": "account = DE89",
    "decimal": ",",
    "thousands": ".",
    "sign": "signed",
    "fee_sign": "cost",
    "date_formats": "%d.%m.%Y",
    "time_zone": "UTC",
    "note": "first",
    "lines": LINES,
}


@pytest.fixture
def page(client: Client) -> Client:
    client.force_login(user("fmk", *PERMISSIONS, entities=(entity("CY"),)))
    return client


def send(page: Client, **given: Any) -> Any:
    return page.post(reverse("add-file-profile"), {**FORM, "entity": entity("CY").pk, **given})


def make(**given: Any) -> FileProfile:
    values = {"name": "hausbank", "spec": SPEC, "note": "n", "sample": LINES.encode(), **given}
    return profiles.make(actor=ROBOT, entity_id=entity("CY").pk, **values)


def test_a_look_shows_rows_and_errors_in_their_place_and_stores_nothing(page: Client) -> None:
    with only_changed():
        answer = send(page)
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "2 rows can be read, 1 cannot" in text
    first, bad, last = (text.index(word) for word in ("1234.50", "zwölf", "-4.50"))
    assert first < bad < last
    assert "is not a plain decimal number" in text
    assert 'name="store"' in text
    assert not FileProfile.objects.exists()


def test_a_file_is_kept_in_the_form_for_the_next_step(page: Client) -> None:
    file = SimpleUploadedFile("x.csv", LINES.encode("cp1252"))
    answer = send(page, lines="", sample=file, encoding="cp1252")
    assert answer.status_code == 200
    assert answer.context["preview"].read == 2
    assert "1.234,50" in answer.context["form"]["lines"].value()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"columns": "amount = Betrag"}, "columns.booking_date"),
        ({"columns": "nonsense = Betrag"}, "is not a field"),
        ({"columns": "just words"}, "columns.just words"),
        ({"columns": FORM["columns"].replace("Betrag", "Summe")}, "no column"),
        ({"sign": "pair"}, "columns.debit"),
        ({"time_zone": "Mars/Phobos"}, "time_zone"),
        ({"minor_units": "*=two"}, "minor_units"),
        ({"lines": ""}, "the file is empty"),
        ({"lines": "PK\x03\x04"}, "zip archive"),
    ],
)
def test_what_cannot_be_is_said_on_the_form(page: Client, given: dict[str, str], word: str) -> None:
    for step in ({}, {"store": "yes"}):
        answer = send(page, **given, **step)
        assert answer.status_code == 422
        assert word in answer.content.decode()
    assert not FileProfile.objects.exists()


def test_it_is_stored_as_the_next_version_and_says_so(page: Client) -> None:
    for version in (1, 2):
        answer = send(page, store="yes")
        made = FileProfile.objects.get(version=version)
        assert (answer.status_code, answer["Location"]) == (303, reverse("file-profile", args=[made.pk]))
    assert made.spec["columns"]["currency"] == "Währung"
    assert Entry.objects.filter(action="file_profile.made").count() == 2
    shown = page.get(reverse("file-profile", args=[made.pk])).content.decode()
    assert "Währung" in shown and "by no connection" in shown


def test_the_form_begins_with_a_profile_that_is_there(page: Client) -> None:
    made = make()
    answer = page.get(reverse("add-file-profile"), {"from": made.pk})
    assert "booking_date = Tag" in answer.content.decode()
    answer = page.get(reverse("add-file-profile"), {"from": "revolut_business"})
    assert "remittance = Description + Reference" in answer.content.decode()
    for other in ("999999", "²", "x" * 50, ""):
        assert page.get(reverse("add-file-profile"), {"from": other}).status_code == 200


def test_scripts_in_a_sample_are_text(page: Client) -> None:
    answer = send(page, lines=LINES.replace("zwölf", "<script>alert(1)</script>"))
    assert "<script>alert(1)" not in answer.content.decode()


def test_every_shipped_profile_survives_the_form(page: Client) -> None:
    for name, spec in registry.SHIPPED_PROFILES.items():
        initial = page.get(reverse("add-file-profile"), {"from": name}).context["form"].initial
        form = {**FORM, **initial, "name": "own", "entity": entity("CY").pk}
        form["constants"] = "" if "account" in spec["columns"] else "account = A"
        answer = page.post(reverse("add-file-profile"), {k: v for k, v in form.items() if v is not None})
        bound = answer.context["form"]
        assert set(bound.errors) <= {"__all__"}, "the sample is of another layout, the form is right"
        made = bound.spec()
        assert {key: made[key] for key in spec if key != "constants"} == dict(spec)


def test_a_profile_needs_a_sample_it_reads_and_a_name_of_its_own() -> None:
    with pytest.raises(BadProfile, match="Not one row"):
        make(sample=LINES.replace("2026", "2O26").encode())
    with pytest.raises(BadProfile, match="comes with the product"):
        make(name="wise_statement")
    make()
    with pytest.raises(BadProfile, match="is for a bank"):
        make(spec={"kind": "ledger", "columns": {"currency": "Währung"}, "delimiter": ";"})
    with pytest.raises(BadProfile, match="larger than"):
        make(sample=b"x" * (profiles.SAMPLE_MAX + 1))


def test_a_stored_version_cannot_be_changed_or_removed() -> None:
    made = make()
    for change in (
        lambda: FileProfile.objects.filter(pk=made.pk).update(note="other"),
        lambda: FileProfile.objects.filter(pk=made.pk).delete(),
    ):
        with refused("42501"):
            change()
    made.refresh_from_db()
    assert made.note == "n"


def bring(name: str, text: str = LINES, **settings: str) -> Any:
    source = connections.add(
        actor=ROBOT,
        entity_id=entity("CY").pk,
        name=f"c{name.replace(':', '-').replace('_', '-')}",
        adapter="csv_profile",
        settings={"file_profile": name, **settings},
        secret_values={},
    )
    return imports.import_file(actor=ROBOT, connection_id=source.pk, stream=io.BytesIO(text.encode()), filename="f.csv")


def test_a_connection_reads_with_the_version_it_names() -> None:
    make()
    make(spec={**SPEC, "constants": {"account": "OTHER"}})
    good = LINES.replace("zwölf", "12,00")
    assert (bring("hausbank:1", good).new, bring("hausbank:2", good).new) == (3, 3)
    accounts = BankLine.objects.order_by("id").values_list("account", flat=True).distinct()
    assert sorted(set(accounts)) == ["DE89", "OTHER"]


@pytest.mark.parametrize("name", ["hausbank:2", "hausbank", "hausbank:x", "nothing", ":", "hausbank:²"])
def test_a_profile_that_is_not_there_refuses_the_file(name: str) -> None:
    make()
    found = bring(name)
    assert (found.state, found.new) == (ImportState.REFUSED, 0)
    assert "There is no mapping profile" in found.error


def test_a_profile_of_another_entity_is_not_there() -> None:
    profiles.make(actor=ROBOT, entity_id=entity("UK").pk, name="theirs", spec=SPEC, note="n", sample=LINES.encode())
    assert bring("theirs:1").state == ImportState.REFUSED
    assert ("theirs:1", "theirs:1") not in profiles.choices([entity("CY").pk])
    assert ("theirs:1", "theirs:1") in profiles.choices([entity("UK").pk])


def test_the_account_of_a_shipped_profile_comes_from_the_connection() -> None:
    header = "TransferWise ID,Date,Amount,Currency,Running Balance,Payment Reference,Description"
    text = f"{header}\nT1,16-11-2026,5.00,EUR,5.00,D-AAAAAAAA,Got it\n"
    assert bring("wise_statement", text, account="BE71").new == 1
    assert BankLine.objects.get().account == "BE71"


def test_a_connection_without_the_account_says_which_key_is_missing() -> None:
    found = bring("wise_statement", "x")
    assert (found.state, "columns.account" in found.error) == (ImportState.REFUSED, True)
    assert json.dumps(found.control_totals) == "[]"
